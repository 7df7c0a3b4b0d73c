"""A request as handlers see it: immutable, with no more of HTTP than handlers need.

Starlette's own class does the same at three times the cost, because it builds header and URL
objects that no handler uses.
"""

from __future__ import annotations

import itertools
import math
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from valence.service.api.http.body import BodyReader
from valence.service.api.http.caller import ANONYMOUS, Caller
from valence.service.api.http.validation import Model, parse, parse_query
from valence.service.errors import InvalidRequest, UnsupportedMedia

# Valence's own header, and the one by which Envoy, and so Istio, tells a service its time limit.
TIMEOUT_HEADERS = (b"x-request-timeout-ms", b"x-envoy-expected-rq-timeout-ms")
_MILLISECONDS = re.compile(rb"0{0,9}[1-9][0-9]{0,8}")
# what UTF-8 and its subset are called in charset=
_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

# A prefix of the worker and a count: unique, at a tenth of the cost of a UUID.
_request_ids = map(f"{os.urandom(8).hex()}-{{:x}}".format, itertools.count(1))


def request_id(headers: Mapping[bytes, bytes]) -> str:
    """The id of a request: the one its client sent, if that is well formed, or a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if given and _REQUEST_ID.fullmatch(given) else next(_request_ids)


class Request(NamedTuple):
    """What a handler may know of a request; a tuple, which is made faster than a dataclass."""

    id: str
    headers: Mapping[bytes, bytes]
    """The last value of each header, by its name in lower case."""
    body: BodyReader
    parameters: Mapping[str, str]
    """The parameters of the path."""
    query_string: bytes
    arrived: float
    """When the request began, in seconds of ``time.perf_counter``."""
    caller: Caller = ANONYMOUS

    def deadline(self, max_seconds: float) -> float:
        """When the answer is no longer waited for, in seconds of ``time.perf_counter``.

        That is ``max_seconds`` from now, or the client's own limit after the request's first byte
        if that is earlier. Raises :class:`InvalidRequest` for a limit that is not a whole number of
        milliseconds.
        """
        return min(time.perf_counter() + max_seconds, self.arrived + self._client_seconds())

    async def json(self, model: type[Model]) -> Model:
        """The body as ``model``.

        Raises :class:`UnsupportedMedia`, :class:`MalformedBody`, :class:`InvalidRequest`, or what
        :meth:`BodyReader.read` raises. No message repeats the body, except for names of fields.
        """
        # what nearly every client sends is compared without taking it apart
        if self.headers.get(b"content-type") != b"application/json":
            self.require_media("application/json")
        return parse(model, await self.body.read(), max_items=self.body.max_items)

    def require_media(self, *types: str) -> str:
        """The media type of the body: the first of ``types`` if the request names none.

        Raises :class:`UnsupportedMedia` for a media type that is not one of ``types``, and for a
        charset other than UTF-8 and its subset US-ASCII.
        """
        given = self.headers.get(b"content-type", b"")
        media_type, *parameters = given.decode("latin-1").lower().split(";")
        media_type = media_type.strip()
        if media_type and media_type not in types:
            raise UnsupportedMedia(
                f"this path reads {' or '.join(types)}; send the header Content-Type: {types[0]}"
            )
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "charset" and value.strip(' \t"') not in _CHARSETS:
                raise UnsupportedMedia(
                    "this service reads bodies in UTF-8; convert the body, and leave the charset "
                    "out of Content-Type"
                )
        return media_type or types[0]

    def query(self, model: type[Model]) -> Model:
        """The query string as ``model``; raises :class:`InvalidRequest`."""
        return parse_query(model, self.query_string)

    def stream(self, media_types: Sequence[str]) -> Callable[[], Awaitable[bytes | None]]:
        """As :meth:`BodyReader.stream`, for a body of one of ``media_types``.

        The message for another media type recommends the first of them.
        """
        self.require_media(*media_types)
        return self.body.stream()

    def _client_seconds(self) -> float:
        """The time limit of the client, infinite if it names none."""
        for name in TIMEOUT_HEADERS:
            given = self.headers.get(name)
            if given is not None:
                if not _MILLISECONDS.fullmatch(given):
                    raise InvalidRequest.for_field(
                        name.decode(), "not a whole number of milliseconds from 1 to 999999999"
                    )
                return int(given) / 1000
        return math.inf
