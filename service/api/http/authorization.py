"""Who may ask, and how much: API keys and their rates."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from valence.service.api.http.request import Request
from valence.service.errors import ConfigurationError, RateLimited, Unauthorized
from valence.service.keys import key_file
from valence.service.observability.log import Log
from valence.service.pacing.token_bucket import TokenBucket
from valence.service.settings import Settings

# the file is looked at this often at most, and only when there are requests
_LOOK_SECONDS = 1.0
_BEARER = b"bearer "


class Access:
    """Admits requests by the keys of the settings' file; without a file it admits all.

    The file is read again when it changes. A new one that cannot be read is logged, and the keys
    before it stay valid. Raises :class:`ConfigurationError` if the first cannot be read.
    """

    def __init__(
        self, settings: Settings, log: Log, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.required = bool(settings.api_keys_file)
        self._path = Path(settings.api_keys_file)
        self._default_rate = settings.key_texts_per_second
        self._log = log
        self._clock = clock
        self._keys: tuple[key_file.Key, ...] = ()
        self._buckets: dict[str, TokenBucket] = {}
        self._seen: tuple[int, ...] = ()
        self._looked = clock()
        if self.required:
            self._seen = self._state()
            self._use(key_file.read(self._path))

    def admit(self, request: Request) -> None:
        """Tell ``request`` whose it is; raises :class:`Unauthorized` or :class:`RateLimited`."""
        if not self.required:
            return
        self._look()
        secret = _secret(request)
        if not secret:
            raise Unauthorized(
                "this service requires an API key; send it as `Authorization: Bearer KEY` or as "
                "`X-API-Key: KEY`"
            )
        key = key_file.find(self._keys, secret)
        if key is None:
            raise Unauthorized("this service does not know the API key; ask its operator for a key")
        request.key = key.name
        bucket = self._buckets.get(key.name)
        if bucket is None:
            return
        wait = bucket.wait_seconds()
        if wait:
            raise RateLimited(
                f"this API key may send {bucket.rate:.12g} texts per second; try again after the "
                "time in Retry-After",
                retry_after_seconds=wait,
            )
        bucket.take(1)
        request.bucket = bucket

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        try:
            state = self._state()
            if state != self._seen:
                self._seen = state
                self._use(key_file.read(self._path))
                self._log.event("info", "API keys read", keys=len(self._keys))
        except ConfigurationError as error:
            self._log.event("error", "API keys not read", reason=str(error))

    def _state(self) -> tuple[int, ...]:
        """Changes when the file does; a file that is not there has one too."""
        try:
            status = self._path.stat()
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _use(self, found: tuple[key_file.Key, ...]) -> None:
        self._keys = found
        rates = {key.name: key.texts_per_second or self._default_rate for key in found}
        self._buckets = {
            name: self._buckets[name]
            if name in self._buckets and self._buckets[name].rate == rate
            else TokenBucket(rate, capacity=max(rate, 1.0), clock=self._clock)
            for name, rate in rates.items()
            if rate
        }


def _secret(request: Request) -> bytes:
    authorization = request.headers.get(b"authorization", b"")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    return request.headers.get(b"x-api-key", b"").strip()
