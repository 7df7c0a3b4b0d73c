"""The result of a behavioural test: the pass rate of one capability."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, computed_field
from scipy.stats import binomtest
from valence.service.classifier.manifest import BehaviourKind, BehaviourRecord

MAX_FAILURES_SHOWN = 3


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True)


class ScoredText(_FrozenModel):
    """A text made from a template, never a user's text, with the classifier's prediction."""

    text: str
    label: str
    polarity: float


class Capability(_FrozenModel):
    """How often a classifier behaved as expected: ``passed`` of ``tried`` cases.

    ``interval`` is the 95 % interval of the pass rate for independent cases (E.B. Wilson 1927).
    Cases of one template share words, so the interval is somewhat too narrow. ``failures`` are some
    of the failed cases. ``against`` is the pass rate of another classifier.
    """

    name: str
    kind: BehaviourKind
    expects: str
    tried: int
    passed: int
    interval: tuple[float, float]
    failures: tuple[tuple[ScoredText, ...], ...] = ()
    against: float | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rate(self) -> float:
        """The share of the cases that passed."""
        return self.passed / self.tried

    def record(self) -> BehaviourRecord:
        """The record for the manifest."""
        return BehaviourRecord(
            kind=self.kind, tried=self.tried, passed=self.passed, interval=self.interval
        )


def summarize_cases(
    name: str,
    kind: BehaviourKind,
    expects: str,
    passed: Sequence[bool],
    failures: Sequence[tuple[ScoredText, ...]] = (),
) -> Capability:
    """The capability that the cases show; ``passed`` says for each case whether it passed.

    Of ``failures``, at most :data:`MAX_FAILURES_SHOWN` are kept, spread over all failures. Raises
    :class:`ValueError` for no cases.
    """
    if not passed:
        raise ValueError(f"{name}: a capability needs at least one case")
    successes = sum(passed)
    interval = binomtest(successes, len(passed)).proportion_ci(method="wilson")
    step = max(1, len(failures) // MAX_FAILURES_SHOWN)
    return Capability(
        name=name,
        kind=kind,
        expects=expects,
        tried=len(passed),
        passed=successes,
        interval=(float(interval.low), float(interval.high)),
        failures=tuple(failures[::step][:MAX_FAILURES_SHOWN]),
    )


def add_comparison(
    capabilities: Sequence[Capability], other: Sequence[Capability]
) -> tuple[Capability, ...]:
    """``capabilities`` with the pass rates of ``other``, another classifier's in the same tests."""
    rates = {capability.name: capability.rate for capability in other}
    return tuple(
        capability.model_copy(update={"against": rates.get(capability.name)})
        for capability in capabilities
    )
