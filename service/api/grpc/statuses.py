"""Errors as gRPC has them: a code of its own for each status of HTTP."""

from __future__ import annotations

from grpc import StatusCode
from valence.service.api.http.problems import Problem
from valence.service.api.http.response import Response

CODES = {
    400: StatusCode.INVALID_ARGUMENT,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    408: StatusCode.DEADLINE_EXCEEDED,
    409: StatusCode.FAILED_PRECONDITION,
    # what the library answers to a message that is too large
    413: StatusCode.RESOURCE_EXHAUSTED,
    415: StatusCode.INVALID_ARGUMENT,
    422: StatusCode.INVALID_ARGUMENT,
    429: StatusCode.RESOURCE_EXHAUSTED,
    500: StatusCode.INTERNAL,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}


def refuse(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """``problem`` with the detail of its status as the body."""
    return Response(
        problem.detail.encode(),
        status=problem.kind.status,
        media_type="text/plain",
        headers=problem.headers,
    )
