"""How much each text of a file belongs to what is new, against the training of the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from valence.service.monitoring.signals import Rows, Signal
from valence.service.monitoring.worth import Floats, Novelty

# A larger sample tells nothing more that matters, and its limits take more memory.
_MAX_TEXTS = 2_000


def measure_drift(signals: Sequence[Signal], rows: Rows) -> Floats:
    """The drift of each text ``(texts,)``, from 0 to 1, of its classes ``rows``."""
    if not len(rows):
        return np.zeros(0)
    # evenly from the whole file, which may be sorted
    places = np.linspace(0, len(rows) - 1, min(len(rows), _MAX_TEXTS)).astype(np.int64)
    novelty = Novelty(signals, window=len(places))
    return novelty.measure(rows, novelty.board.count(rows[places]))
