"""The metrics of shadow scoring: how the answers of a challenger differ from those given."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from valence.service.classifier.classifier import Prediction
from valence.service.observability.metrics.buffered import FLUSH_SECONDS, observe_all
from valence.service.pacing.debounce import Debounced

Outcome = Literal["agreed", "differed", "dropped", "failed"]
"""``agreed`` and ``differed``: the challenger gave the same labels, or others. ``dropped``: there
was no room to score the text again. ``failed``: the challenger gave no answer."""
Lost = Literal["dropped", "failed"]
SERVED, CHALLENGER = "served", "challenger"
"""Who gave a label, or took engine time."""

_DIFFERENCES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
# The counts of so many pairs of versions stay. More would let the answer to a scrape grow with each
# challenger.
_KEPT = 8


class ShadowMetrics:
    """The metrics of shadow scoring in ``registry``, by pair of served version and challenger.

    The values that processes share (``shared``) cannot be removed, so those stay.
    """

    def __init__(self, registry: CollectorRegistry, *, shared: bool) -> None:
        by_pair = ("model", "version", "challenger")
        self.texts = Counter(
            "valence_shadow_texts",
            "Texts chosen for the challenger, by what became of them.",
            (*by_pair, "outcome"),
            registry=registry,
        )
        self.predictions = Counter(
            "valence_shadow_predictions",
            "Texts that both versions scored, by the label that each of them gave.",
            (*by_pair, "source", "label"),
            registry=registry,
        )
        self.differences = Histogram(
            "valence_shadow_probability_difference",
            "Absolute difference of the two probabilities of the label that was answered.",
            by_pair,
            buckets=_DIFFERENCES,
            registry=registry,
        )
        self.engine_seconds = Counter(
            "valence_shadow_engine_seconds",
            "Processor time of the engine for the same texts, by the version that it computed.",
            (*by_pair, "source"),
            registry=registry,
        )
        self._share = Gauge(
            "valence_shadow_share",
            "The share of the requests that a challenger is to score too.",
            ("model",),
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._shared = shared
        # the first one began first
        self._pairs: dict[tuple[str, str, str], PairMetrics] = {}

    def begin(self, model: str, share: float) -> None:
        """Show that a challenger of ``model`` is to score ``share`` of the requests."""
        self._share.labels(model).set(share)

    def pair(
        self, model: str, version: str, challenger: str, labels: tuple[str, ...]
    ) -> PairMetrics:
        """The metrics of ``challenger`` beside ``version``; they begin with zeros."""
        key = (model, version, challenger)
        found = self._pairs.get(key)
        if found is None:
            found = self._pairs[key] = PairMetrics(self, key, labels)
            while len(self._pairs) > _KEPT and not self._shared:
                self._remove(next(iter(self._pairs)))
        return found

    def flush(self) -> None:
        """Update the metrics by what was counted since the last flush."""
        for pair in self._pairs.values():
            pair.flush()

    def _remove(self, key: tuple[str, str, str]) -> None:
        self._pairs.pop(key).flush()
        model, version, challenger = key
        for family in (self.texts, self.predictions, self.differences, self.engine_seconds):
            family.remove_by_labels({"model": model, "version": version, "challenger": challenger})


class PairMetrics:
    """The metrics of one pair; counts reach them at most half a second later."""

    def __init__(
        self, metrics: ShadowMetrics, key: tuple[str, str, str], labels: tuple[str, ...]
    ) -> None:
        self._texts = {
            outcome: metrics.texts.labels(*key, outcome) for outcome in get_args(Outcome)
        }
        self._predictions = {
            (source, label): metrics.predictions.labels(*key, source, label)
            for source in (SERVED, CHALLENGER)
            for label in labels
        }
        self._differences = metrics.differences.labels(*key)
        self._engine_seconds = {
            source: metrics.engine_seconds.labels(*key, source) for source in (SERVED, CHALLENGER)
        }
        self._buffered_texts: collections.Counter[Outcome] = collections.Counter()
        self._buffered_labels: collections.Counter[tuple[str, str]] = collections.Counter()
        self._buffered_differences: list[float] = []
        self._buffered_seconds = dict.fromkeys((SERVED, CHALLENGER), 0.0)
        self._flush_soon = Debounced(self.flush, seconds=FLUSH_SECONDS)

    def count_compared(self, pairs: Iterable[tuple[Prediction, Prediction]]) -> None:
        """Count texts by what was answered and what the challenger would have answered."""
        for served, challenger in pairs:
            same = served.labels == challenger.labels
            self._buffered_texts["agreed" if same else "differed"] += 1
            self._buffered_labels.update((SERVED, label) for label in served.labels)
            self._buffered_labels.update((CHALLENGER, label) for label in challenger.labels)
            likeliest = max(served.probabilities)
            index = served.probabilities.index(likeliest)
            self._buffered_differences.append(abs(likeliest - challenger.probabilities[index]))
        self._flush_soon.request()

    def count_engine(self, *, served: float, challenger: float) -> None:
        """Count the seconds that both versions took for the same texts."""
        self._buffered_seconds[SERVED] += served
        self._buffered_seconds[CHALLENGER] += challenger

    def count_lost(self, texts: int, outcome: Lost) -> None:
        """Count texts that were chosen and not compared."""
        self._buffered_texts[outcome] += texts
        self._flush_soon.request()

    def flush(self) -> None:
        """Update the metrics by what was counted since the last flush."""
        for outcome, texts in self._buffered_texts.items():
            self._texts[outcome].inc(texts)
        self._buffered_texts.clear()
        for (source, label), texts in self._buffered_labels.items():
            self._predictions[source, label].inc(texts)
        self._buffered_labels.clear()
        observe_all(self._differences, self._buffered_differences)
        self._buffered_differences.clear()
        for source, seconds in self._buffered_seconds.items():
            self._engine_seconds[source].inc(seconds)
            self._buffered_seconds[source] = 0.0
