"""The sender of a request, as far as its API key tells: what it may do, and how much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from valence.service.errors import Forbidden, RateLimited, Unauthorized
from valence.service.keys.key import Key, Scope
from valence.service.pacing.token_bucket import TokenBucket


class Account(NamedTuple):
    """A key, and the buckets of its rates; a unit without a bucket has no limit."""

    key: Key
    texts: TokenBucket | None = None
    tokens: TokenBucket | None = None


class Caller:
    """The sender of a request; without an ``account`` the service asks for no key.

    ``find_account`` gives the account of a hash as it is now, or None for a key that was withdrawn.
    """

    __slots__ = ("_account", "_find_account", "charged_tokens", "name")

    def __init__(
        self,
        account: Account | None = None,
        find_account: Callable[[bytes], Account | None] = lambda _: None,
    ) -> None:
        self.name = account.key.name if account else ""
        """The name of the key."""
        self.charged_tokens = 0
        """The tokens that were taken from the key's rate for this request."""
        self._account = account
        self._find_account = find_account

    @property
    def charge_tokens(self) -> Callable[[int], None] | None:
        """What takes tokens from the key's rate once their number is known; None without a key."""
        return self._charge_tokens if self._account else None

    def require_scope(self, scope: Scope) -> None:
        """Raise :class:`Forbidden` unless the key permits ``scope``."""
        if self._account and not self._account.key.permits(scope):
            raise Forbidden(
                f"this API key does not have the scope `{scope}`; ask the operator of the service "
                f"for a key that has it (`valence keys new NAME --scope {scope}`)",
                scope=scope,
            )

    def require_operator(self, deed: str, *, scope: Scope = "admin") -> None:
        """Raise :class:`Forbidden` unless the caller has a key: nobody else may do ``deed``.

        The scope of the route says which key.
        """
        if not self._account:
            raise Forbidden(
                f"without API keys nobody may {deed}; set VALENCE_API_KEYS_FILE, and make a key "
                f"with `valence keys new NAME --scope {scope}`",
                scope=scope,
            )

    def renew(self, scope: Scope) -> None:
        """Take the rates that the key has now, for a request that lasts.

        Raises :class:`Unauthorized` if the key was withdrawn, :class:`Forbidden` if it no longer
        has ``scope``.
        """
        if self._account:
            account = self._find_account(self._account.key.digest)
            if account is None:
                raise Unauthorized(
                    "the API key was withdrawn; ask the operator of the service for a key"
                )
            self._account = account
            self.require_scope(scope)

    def admit(self) -> None:
        """Take one text from the key's rate; raises :class:`RateLimited` if a rate is used up."""
        if self._account:
            _, texts, tokens = self._account
            if tokens is not None:
                _require_balance(tokens, "tokens")
            if texts is not None:
                _require_balance(texts, "texts")
                texts.take(1)

    def charge(self, texts: int) -> None:
        """Take the texts of an admitted request from the key's rate, but for the one it paid.

        Raises :class:`RateLimited` if other requests of the key have used up its tokens since this
        one was admitted.
        """
        if self._account:
            _, bucket, tokens = self._account
            if tokens is not None:
                _require_balance(tokens, "tokens")
            if bucket is not None and texts > 1:
                bucket.take(texts - 1)

    async def pace(self, texts: int) -> None:
        """Wait until the rates allow more, and take ``texts``: a stream is slowed, not refused."""
        if self._account:
            _, bucket, tokens = self._account
            waits = [limit.wait_seconds() for limit in (bucket, tokens) if limit is not None]
            if waits:
                await asyncio.sleep(max(waits))
            if bucket is not None:
                bucket.take(texts)

    def _charge_tokens(self, count: int) -> None:
        self.charged_tokens += count
        if self._account and self._account.tokens is not None:
            self._account.tokens.take(count)


def _require_balance(bucket: TokenBucket, unit: str) -> None:
    wait = bucket.wait_seconds()
    if wait:
        raise RateLimited(
            f"this API key may send {bucket.rate:.12g} {unit} per second; try again after the "
            "time in Retry-After",
            retry_after_seconds=wait,
        )


ANONYMOUS = Caller()
