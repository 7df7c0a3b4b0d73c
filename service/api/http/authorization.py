"""API keys and their rates: who may send requests, and how many texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from valence.service.errors import ConfigurationError, RateLimited, Unauthorized
from valence.service.keys import key_file
from valence.service.observability.log import Log
from valence.service.pacing.token_bucket import TokenBucket
from valence.service.settings import Settings

# The file is checked for changes at most this often, and only when there are requests.
_CHECK_SECONDS = 1.0
_BEARER = b"bearer "


class Caller(NamedTuple):
    """The sender of a request: the name of its API key, and the bucket of the key's rate."""

    key: str = ""
    bucket: TokenBucket | None = None

    def admit(self) -> None:
        """Take one text from the key's rate; raises :class:`RateLimited` if none is left."""
        bucket = self.bucket
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

    def charge(self, texts: int) -> None:
        """Take the texts of an admitted request from the key's rate, but for the one it paid."""
        if self.bucket is not None and texts > 1:
            self.bucket.take(texts - 1)


ANONYMOUS = Caller()


class Access:
    """Knows callers by the keys of the settings' file; without a file every caller is anonymous.

    The file is read again when it changes. A new file that cannot be read is logged, and the keys
    before it stay valid. Raises :class:`ConfigurationError` if the first file cannot be read.
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
        self._file_state: tuple[int, ...] = ()
        self._checked = clock()
        if self.required:
            self._file_state = self._read_state()
            self._use(key_file.read(self._path))

    def identify(self, headers: Mapping[bytes, bytes]) -> Caller:
        """The caller of a request of ``headers``; raises :class:`Unauthorized`."""
        if not self.required:
            return ANONYMOUS
        self._reload_if_changed()
        secret = _secret(headers)
        if not secret:
            raise Unauthorized(
                "this service requires an API key; send it as `Authorization: Bearer KEY` or as "
                "`X-API-Key: KEY`"
            )
        key = key_file.find(self._keys, secret)
        if key is None:
            raise Unauthorized("this service does not know the API key; ask its operator for a key")
        return Caller(key.name, self._buckets.get(key.name))

    def _reload_if_changed(self) -> None:
        now = self._clock()
        if now - self._checked < _CHECK_SECONDS:
            return
        self._checked = now
        try:
            state = self._read_state()
            if state != self._file_state:
                self._file_state = state
                self._use(key_file.read(self._path))
                self._log.event("info", "API keys read", keys=len(self._keys))
        except ConfigurationError as error:
            self._log.event("error", "API keys not read", reason=str(error))

    def _read_state(self) -> tuple[int, ...]:
        """A value that changes with the file; a missing file has one too."""
        try:
            status = self._path.stat()
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _use(self, keys: tuple[key_file.Key, ...]) -> None:
        self._keys = keys
        rates = {key.name: key.texts_per_second or self._default_rate for key in keys}
        self._buckets = {
            name: self._buckets[name]
            if name in self._buckets and self._buckets[name].rate == rate
            else TokenBucket(rate, capacity=max(rate, 1.0), clock=self._clock)
            for name, rate in rates.items()
            if rate
        }


def _secret(headers: Mapping[bytes, bytes]) -> bytes:
    authorization = headers.get(b"authorization", b"")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    return headers.get(b"x-api-key", b"").strip()
