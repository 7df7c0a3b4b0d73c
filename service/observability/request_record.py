"""What is known of one answered request: the source of its metrics, its log line and its span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class RequestRecord(NamedTuple):
    """One answered request.

    A named tuple, because making a frozen dataclass takes several times as long.
    """

    method: str
    """``GET`` and so on, or ``any`` where no route matched."""
    route: str
    """The template of the route, such as ``/v1/models/{name}``, never the path of the request."""
    status: int
    seconds: float
    """From the first byte of the request to the last byte of the answer."""
    request_id: str = ""
    model: str = ""
    version: str = ""
    """The version of the model."""
    texts: int = 0
    tokens: int = 0
    key: str = ""
    """The name of the API key, never the key itself."""
    key_tokens: int = 0
    """The tokens that were taken from the rate of the key."""
    trace_id: str = ""
    stages: Mapping[str, float] | None = None
    """Seconds by the name of the stage, in the order of the stages."""
