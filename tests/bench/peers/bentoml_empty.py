"""A BentoML service that does nothing: what BentoML itself takes to start, and to be there."""

from __future__ import annotations

import bentoml


@bentoml.service(name="bentoml_empty", workers=1)
class Empty:
    @bentoml.api
    def ping(self) -> str:
        return "pong"
