"""Buffered metrics: how long they wait, and how many values are observed at once.

Updating shared metrics one by one takes a tenth of the time of a request, so they are updated
together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from prometheus_client import Histogram

# Counts reach the metrics after at most this time, or after this many requests.
FLUSH_SECONDS = 0.5
MAX_BUFFERED = 256


def observe_all(histogram: Histogram, values: Sequence[float]) -> None:
    """Do the same as ``histogram.observe`` for each value, with one update per bucket.

    The library has no such function, so this one relies on private fields
    (``service/server/README.md``).
    """
    if values:
        counts = np.bincount(np.searchsorted(histogram._upper_bounds, values))
        for bucket in np.flatnonzero(counts).tolist():
            histogram._buckets[bucket].inc(int(counts[bucket]))
        histogram._sum.inc(sum(values))
