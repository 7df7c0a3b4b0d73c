"""The path of a proxy before this service, by the header ``X-Forwarded-Prefix``."""

from __future__ import annotations

import re
from collections.abc import Mapping

HEADER = b"x-forwarded-prefix"
# A path that is not a host: no segment is empty, and no character needs to be escaped in JSON.
_PREFIX = re.compile(rb"(?:/[A-Za-z0-9._~%!$&'()*+;=:@-]+)+")
_MAX_BYTES = 1024


def read_prefix(headers: Mapping[bytes, bytes]) -> str:
    """The path that proxies have removed, without a slash at its end; "" without proxies.

    Several proxies separate their paths by commas, the outermost first. A header that is not a path
    is left out: a client may send any.
    """
    given = headers.get(HEADER, b"")
    prefix = b"".join(part.strip().rstrip(b"/") for part in given.split(b","))
    valid = len(given) <= _MAX_BYTES and _PREFIX.fullmatch(prefix)
    return prefix.decode() if valid else ""
