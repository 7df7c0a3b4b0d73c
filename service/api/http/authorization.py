"""API keys and their rates: which requests are let in, and as whose."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from valence.service.api.http.caller import ANONYMOUS, Account, Caller
from valence.service.errors import Unauthorized
from valence.service.keys import key_file
from valence.service.keys.file_watch import FileWatch
from valence.service.keys.key import Key
from valence.service.keys.key_file import Reading
from valence.service.observability.log import Log
from valence.service.observability.metrics.keys import KeyMetrics
from valence.service.pacing.shared_bucket import SharedTokenBucket
from valence.service.pacing.token_bucket import TokenBucket
from valence.service.settings import Settings

_BEARER = b"bearer "
# clients that can send no other header, such as Label Studio, send the key as a password
_BASIC = b"basic "
# The lines that are not valid of which the log has the numbers and reasons.
_MAX_FAULTS = 8


class Access:
    """Knows callers by the keys of the settings' file; without a file every caller is anonymous.

    The file is read again when it changes, and its keys replace those before: a line that is
    missing or not valid lets nobody in, and neither does a missing file. Only while a file is there
    and cannot be read do the keys before it stay valid. The log and the metrics tell both. Raises
    :class:`ConfigurationError` if the first file has no key. All processes with one ``folder``
    share the rates of a key.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        metrics: KeyMetrics,
        *,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self.required = bool(settings.api_keys_file)
        self._path = Path(settings.api_keys_file)
        self._general_rates = settings.key_texts_per_second, settings.key_tokens_per_second
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._reading = Reading()
        self._unread = ""
        self._buckets: dict[tuple[str, str, float], TokenBucket] = {}
        self._accounts: dict[bytes, Account] = {}
        self._watch = FileWatch(self._path, clock=clock)
        if self.required:
            self._watch.take_change()
            self._use(key_file.require_keys(self._path))
            self._tell_faults()

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
        key = key_file.find(self._reading.keys, secret)
        if key is None:
            raise Unauthorized("this service does not know the API key; ask its operator for a key")
        return Caller(self._accounts[key.digest], self._find_account)

    def _find_account(self, digest: bytes) -> Account | None:
        self._reload_if_changed()
        return self._accounts.get(digest)

    def _reload_if_changed(self) -> None:
        if not self._watch.take_change():
            return
        try:
            reading = key_file.read(self._path)
        except OSError as error:
            self._watch.forget()
            self._keep(f"{self._path}: {error.strerror}")
            return
        if not self._watch.confirm_state():
            return
        if reading == self._reading and not self._unread:
            return
        self._unread = ""
        self._use(reading)
        if reading.keys:
            self._log.event("info", "API keys read", keys=len(reading.keys))
        else:
            self._log.event(
                "error",
                "API keys withdrawn",
                reason=f"{self._path}: {reading.reason}; nobody gets in",
            )
        self._tell_faults()

    def _keep(self, reason: str) -> None:
        """Keep the keys of a file that cannot be read, and tell why it cannot be read."""
        self._metrics.set_unread(unread=True)
        if reason != self._unread:
            self._unread = reason
            keys = len(self._reading.keys)
            self._log.event("error", "API keys not read", reason=reason, keys=keys)

    def _use(self, reading: Reading) -> None:
        """Let in the keys of ``reading``, and nobody else."""
        self._reading = reading
        before, self._buckets = self._buckets, {}
        self._accounts = {
            key.digest: Account(
                key,
                *(
                    self._make_bucket((key.name, unit, rate), before) if rate else None
                    for unit, rate in self._rates_of(key)
                ),
            )
            for key in reading.keys
        }
        self._metrics.set_lines(valid=len(reading.keys), invalid=len(reading.faults))
        self._metrics.set_unread(unread=False)

    def _rates_of(self, key: Key) -> tuple[tuple[str, float], tuple[str, float]]:
        texts, tokens = self._general_rates
        return (
            ("texts", key.texts_per_second or texts),
            ("tokens", key.tokens_per_second or tokens),
        )

    def _make_bucket(
        self,
        limit: tuple[str, str, float],
        before: Mapping[tuple[str, str, float], TokenBucket],
    ) -> TokenBucket:
        """The bucket of a name's rate, which all lines of that name and rate share.

        It keeps the balance that it had ``before``.
        """
        bucket = self._buckets.get(limit) or before.get(limit)
        if bucket is None:
            bucket = self._create_bucket(limit)
        self._buckets[limit] = bucket
        return bucket

    def _create_bucket(self, limit: tuple[str, str, float]) -> TokenBucket:
        name, unit, rate = limit
        capacity = max(rate, 1.0)
        if self._folder is None:
            return TokenBucket(rate, capacity=capacity, clock=self._clock)
        # a name has only characters that a file may have, and less than half of its length
        path = self._folder / f"{name}.{unit}.{rate!r}.bucket"
        return SharedTokenBucket(rate, capacity=capacity, path=path, clock=self._clock)

    def _tell_faults(self) -> None:
        faults = self._reading.faults
        if faults:
            self._log.event(
                "error",
                "API key lines skipped",
                lines=len(faults),
                first=[fault._asdict() for fault in faults[:_MAX_FAULTS]],
            )


def _secret(headers: Mapping[bytes, bytes]) -> bytes:
    authorization = headers.get(b"authorization", b"")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    given = headers.get(b"x-api-key", b"").strip()
    # a proxy's own user may be in Authorization, beside the key
    if not given and authorization[: len(_BASIC)].lower() == _BASIC:
        return _read_password(authorization[len(_BASIC) :])
    return given


def _read_password(credentials: bytes) -> bytes:
    """The password of basic authentication, whose user may have any name; empty for no such."""
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True)
    except ValueError:
        return b""
    return decoded.partition(b":")[2]
