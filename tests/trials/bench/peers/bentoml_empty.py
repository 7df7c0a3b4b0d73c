"""A BentoML service without work: the cost of BentoML itself in time to start and in memory."""

from __future__ import annotations

import bentoml


@bentoml.service(name="bentoml_empty", workers=1)
class Empty:
    @bentoml.api
    def ping(self) -> str:
        return "pong"
