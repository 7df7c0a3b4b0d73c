"""The head of a request: rules of RFC 9110 and RFC 9112 that the parser does not hold.

Two readers of one connection that frame its requests differently can be made to see different
requests (request smuggling). So whatever other readers may frame in another way is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import httptools
from valence.service.server.refusals import (
    EXPECTATION_UNKNOWN,
    HOST_UNCLEAR,
    MALFORMED,
    NOT_IMPLEMENTED,
    VERSION_UNKNOWN,
    Refusal,
)

Header = tuple[bytes, bytes]

# the headers, in lower case, that these rules are about
WATCHED = frozenset((b"expect", b"host", b"transfer-encoding", b"upgrade"))
# a name, an IPv4 address or an IPv6 address, and a port; it may be empty
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Za-z:.%_~-]+\])(?::[0-9]{0,5})?")
_FRAMING = (b"content-length", b"transfer-encoding")


def find_fault(version: str, method: bytes, watched: Sequence[Header]) -> Refusal | None:
    """The reason to refuse a request with these headers of :data:`WATCHED`, if there is one."""
    if version not in ("1.1", "1.0"):
        return VERSION_UNKNOWN
    if method == b"CONNECT":
        return NOT_IMPLEMENTED
    hosts = [value for name, value in watched if name == b"host"]
    if len(hosts) > 1 or not all(map(_HOST.fullmatch, hosts)) or not (hosts or version == "1.0"):
        return HOST_UNCLEAR
    if version == "1.1" and any(
        name == b"expect" and value.strip().lower() != b"100-continue" for name, value in watched
    ):
        return EXPECTATION_UNKNOWN
    return _find_coding_fault(
        version, [value for name, value in watched if name == b"transfer-encoding"]
    )


def _find_coding_fault(version: str, encoded: Sequence[bytes]) -> Refusal | None:
    if not encoded:
        return None
    codings = _tokens(encoded)
    # HTTP/1.0 has no codings, and only a last `chunked` says where the body ends
    if version == "1.0" or codings[-1:] != [b"chunked"] or codings.count(b"chunked") > 1:
        return MALFORMED
    return NOT_IMPLEMENTED if len(codings) > 1 else None


def expects_continue(watched: Iterable[Header]) -> bool:
    """Whether the client waits for status 100 before it sends the body."""
    return any(name == b"expect" for name, _ in watched)


def _tokens(values: Iterable[bytes]) -> list[bytes]:
    """The parts of comma-separated values, in lower case."""
    return [part.strip().lower() for part in b",".join(values).split(b",") if part.strip()]


class BodyReceiver:
    """Takes what a parser reads after the head of a request, for ``protocol``.

    The parser stops at a request that offers another protocol (``Upgrade``), and takes the body
    for that protocol. RFC 9110, section 7.8, lets a server ignore the offer. Then the body is read
    by its framing, and the next request follows it.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._in_head = True
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        """Begin the next request."""
        if not self._in_head:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the target of the next request."""
        if not self._in_head:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header of the next request, or a trailer."""
        if not self._in_head:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head: of the request itself, which is known already, or of the next one."""
        if self._in_head:
            self._in_head = False
        else:
            self._protocol.on_headers_complete()


def resume_body(protocol: Any, headers: Iterable[Header]) -> httptools.HttpRequestParser:
    """A parser for the body of a request with these ``headers``, and for what follows the body."""
    parser = httptools.HttpRequestParser(BodyReceiver(protocol))
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    framing = b"".join(b"%s: %s\r\n" % header for header in headers if header[0] in _FRAMING)
    parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
    return parser
