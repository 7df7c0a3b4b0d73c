"""Answers of the server itself to connections and requests that the application never sees."""

from __future__ import annotations

from typing import NamedTuple

import pydantic_core
from uvicorn.protocols.http.httptools_impl import STATUS_LINE


class Refusal(NamedTuple):
    """The answer before a connection is closed; all other errors are in the table of the API."""

    status: int
    slug: str
    title: str

    def encode(self) -> bytes:
        """The whole HTTP answer, as a problem document (RFC 9457)."""
        problem = {
            "type": f"urn:valence:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
        }
        body = pydantic_core.to_json(problem)
        return (
            STATUS_LINE[self.status]
            + b"content-type: application/problem+json\r\nconnection: close\r\n"
            + b"content-length: %d\r\n" % len(body)
            + (b"retry-after: 1\r\n" if self.status == 503 else b"")
            + b"\r\n"
            + body
        )


MALFORMED = Refusal(400, "malformed-request", "The request is not HTTP/1.1")
HOST_UNCLEAR = Refusal(
    400, "malformed-request", "The request must have one valid Host header (RFC 9112, section 3.2)"
)
HEADERS_TOO_SLOW = Refusal(408, "request-timeout", "The headers came too slowly")
BODY_STOPPED = Refusal(408, "request-timeout", "The body stopped coming")
EXPECTATION_UNKNOWN = Refusal(
    417, "expectation-unknown", "The header Expect may only be 100-continue"
)
HEADERS_TOO_LARGE = Refusal(431, "headers-too-large", "The headers are too large or too many")
NOT_IMPLEMENTED = Refusal(
    501,
    "not-implemented",
    "The service has no method CONNECT and no Transfer-Encoding other than chunked",
)
TOO_MANY_CONNECTIONS = Refusal(
    503, "too-many-connections", "The service has as many connections as it may have"
)
VERSION_UNKNOWN = Refusal(505, "version-not-supported", "The service speaks HTTP/1.1 and HTTP/1.0")
REFUSALS = (
    MALFORMED,
    HOST_UNCLEAR,
    HEADERS_TOO_SLOW,
    BODY_STOPPED,
    EXPECTATION_UNKNOWN,
    HEADERS_TOO_LARGE,
    NOT_IMPLEMENTED,
    TOO_MANY_CONNECTIONS,
    VERSION_UNKNOWN,
)
