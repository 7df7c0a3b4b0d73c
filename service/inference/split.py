"""The weighted split of a model's requests among its aliases."""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections.abc import Mapping

_POINTS = 2**64


class Split:
    """The share of each alias of the model ``name``, by weights.

    What has the same key has the same alias, on every replica and after a restart. If a later alias
    gains weight at the cost of the first one, the keys that it has stay with it.
    """

    def __init__(self, name: str, weights: Mapping[str, float]) -> None:
        self.name = name
        self.weights = dict(weights)
        self._salt = name.encode()
        self._names = tuple(f"{name}@{alias}" for alias in weights)
        total = sum(weights.values())
        # the later aliases come first, so that the first one gives what they gain
        self._names = self._names[::-1]
        shares = [weight / total for weight in weights.values()][::-1]
        self._bounds = [_POINTS * bound for bound in itertools.accumulate(shares)][:-1]

    def choose(self, key: str) -> str:
        """The ``name@alias`` that answers what has ``key``."""
        digest = hashlib.blake2b(
            key.encode("utf-8", "surrogateescape"), digest_size=8, key=self._salt
        ).digest()
        point = int.from_bytes(digest, "big")
        return self._names[bisect.bisect_right(self._bounds, point)]
