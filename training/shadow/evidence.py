"""The evidence of a challenger: how its answers differed from those that clients were given."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import BaseModel, ConfigDict, computed_field
from valence.service.errors import ConfigurationError

# of a normal distribution, for an interval of 95 %
_QUANTILE = 1.959964
# the names in the metrics of the service
_PREFIX = "valence_shadow_"
_SERVED, _CHALLENGER = "served", "challenger"


class Evidence(BaseModel):
    """What was counted about one challenger beside one served version, in all replicas."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    """The version that answered."""
    challenger: str
    servers: int
    """The replicas that have counted any text of the pair."""
    agreed: int = 0
    differed: int = 0
    dropped: int = 0
    """Texts for which there was no room."""
    failed: int = 0
    """Texts that the challenger could not score."""
    served_labels: dict[str, int] = {}
    challenger_labels: dict[str, int] = {}
    difference_sum: float = 0.0
    served_seconds: float = 0.0
    challenger_seconds: float = 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def texts(self) -> int:
        """The texts that both versions scored."""
        return self.agreed + self.differed

    @computed_field  # type: ignore[prop-decorator]
    @property
    def agreement(self) -> float | None:
        """The share of the texts to which both versions gave the same labels."""
        return self.agreed / self.texts if self.texts else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def agreement_interval(self) -> tuple[float, float] | None:
        """The interval of 95 % of Wilson (1927), as if the texts were independent."""
        if not self.texts:
            return None
        count, share, square = self.texts, self.agreed / self.texts, _QUANTILE**2
        middle = share + square / (2 * count)
        reach = _QUANTILE * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
        scale = 1 + square / count
        return max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def label_shift(self) -> float | None:
        """The total variation distance of the two distributions of labels.

        It is the smallest share of the texts that must change their label to make both equal.
        """
        if not self.texts:
            return None
        labels = self.served_labels.keys() | self.challenger_labels.keys()
        moved = sum(
            abs(self.served_labels.get(label, 0) - self.challenger_labels.get(label, 0))
            for label in labels
        )
        return moved / 2 / self.texts

    @computed_field  # type: ignore[prop-decorator]
    @property
    def probability_difference(self) -> float | None:
        """The mean absolute difference of the probabilities of the label that was answered."""
        return self.difference_sum / self.texts if self.texts else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def time_ratio(self) -> float | None:
        """The time of the engine for the challenger, relative to the served version."""
        return self.challenger_seconds / self.served_seconds if self.served_seconds else None


class Report(BaseModel):
    """What servers have counted about the challengers of one model."""

    model_config = ConfigDict(frozen=True)

    model: str
    share: float | None
    """The share of the requests that the servers are to score twice; None if no server has one."""
    pairs: tuple[Evidence, ...]
    """The pairs of versions, the one with the most texts first."""

    def find(self, version: str, challenger: str) -> Evidence:
        """The evidence of one pair; without a text if nothing was counted."""
        for pair in self.pairs:
            if (pair.version, pair.challenger) == (version, challenger):
                return pair
        return Evidence(model=self.model, version=version, challenger=challenger, servers=0)


@dataclass(slots=True)
class _Sums:
    """The counts of one pair."""

    texts: Counter[str] = field(default_factory=Counter)
    labels: dict[str, Counter[str]] = field(
        default_factory=lambda: {_SERVED: Counter(), _CHALLENGER: Counter()}
    )
    seconds: dict[str, float] = field(default_factory=lambda: {_SERVED: 0.0, _CHALLENGER: 0.0})
    differences: float = 0.0
    servers: set[int] = field(default_factory=set)

    def add(self, sample: Sample) -> None:
        """Add a sample of one replica."""
        labels, value = sample.labels, sample.value
        match sample.name:
            case "valence_shadow_texts_total":
                self.texts[labels["outcome"]] += int(value)
            case "valence_shadow_predictions_total":
                self.labels[labels["source"]][labels["label"]] += int(value)
            case "valence_shadow_engine_seconds_total":
                self.seconds[labels["source"]] += value
            case "valence_shadow_probability_difference_sum":
                self.differences += value


def sum_evidence(model: str, expositions: Iterable[str]) -> Report:
    """The sums over ``expositions``, the metrics of one replica each.

    Raises :class:`ConfigurationError` for a text that is not in the format of metrics.
    """
    try:
        return _sum_evidence(model, expositions)
    except (ValueError, KeyError, IndexError, OverflowError):
        raise ConfigurationError(
            "a source does not hold metrics in the text format of Prometheus; name the address "
            "/metrics of a server, or a file with its answer"
        ) from None


def _sum_evidence(model: str, expositions: Iterable[str]) -> Report:
    pairs: dict[tuple[str, str], _Sums] = {}
    share: float | None = None
    for number, exposition in enumerate(expositions):
        for sample in _list_samples(exposition):
            if sample.labels.get("model") != model:
                continue
            if sample.name == "valence_shadow_share":
                share = max(share or 0.0, sample.value)
            elif sample.name.startswith(_PREFIX) and sample.value:
                sums = pairs.setdefault(
                    (sample.labels["version"], sample.labels["challenger"]), _Sums()
                )
                sums.servers.add(number)
                sums.add(sample)
    found = [
        Evidence(
            model=model,
            version=version,
            challenger=challenger,
            servers=len(sums.servers),
            **sums.texts,
            served_labels=dict(sums.labels[_SERVED]),
            challenger_labels=dict(sums.labels[_CHALLENGER]),
            difference_sum=sums.differences,
            served_seconds=sums.seconds[_SERVED],
            challenger_seconds=sums.seconds[_CHALLENGER],
        )
        for (version, challenger), sums in pairs.items()
    ]
    found.sort(key=lambda pair: pair.texts, reverse=True)
    return Report(model=model, share=share, pairs=tuple(found))


def _list_samples(exposition: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(exposition):
        yield from family.samples
