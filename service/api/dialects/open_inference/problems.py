"""Errors in the shape of the Open Inference Protocol."""

from __future__ import annotations

import pydantic_core
from valence.service.api.http.problems import Problem
from valence.service.api.http.response import Response


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` in the shape of the protocol."""
    return Response(
        pydantic_core.to_json({"error": problem.detail}),
        status=problem.kind.status,
        headers=problem.headers,
    )
