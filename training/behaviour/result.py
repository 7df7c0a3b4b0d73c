"""What came of a behaviour test."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, computed_field
from scipy.stats import binomtest
from valence.service.classifier.manifest import BehaviourKind, BehaviourRecord

# failing cases that are shown
MOST_SHOWN = 3


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Told(_Part):
    """A text made of our templates, never a user's, with what the classifier said of it."""

    text: str
    label: str
    polarity: float


class Capability(_Part):
    """How often a classifier did what it should: ``passed`` of ``tried`` cases.

    ``interval`` holds the pass rate with 95 % confidence, if cases were drawn one by one (E.B.
    Wilson 1927); cases of a template share words, so it is rather too narrow. ``failures`` are some
    of the cases that failed. ``against`` is another classifier's pass rate.
    """

    name: str
    kind: BehaviourKind
    expects: str
    tried: int
    passed: int
    interval: tuple[float, float]
    failures: tuple[tuple[Told, ...], ...] = ()
    against: float | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rate(self) -> float:
        """The share of the cases that passed."""
        return self.passed / self.tried

    def record(self) -> BehaviourRecord:
        """For the manifest."""
        return BehaviourRecord(
            kind=self.kind, tried=self.tried, passed=self.passed, interval=self.interval
        )


def capability(
    name: str,
    kind: BehaviourKind,
    expects: str,
    passed: Sequence[bool],
    failures: Sequence[tuple[Told, ...]] = (),
) -> Capability:
    """From whether each case passed; of ``failures`` a few are kept, from all over the cases.

    Raises :class:`ValueError` for no cases.
    """
    if not passed:
        raise ValueError(f"{name}: there is no case")
    right = sum(passed)
    within = binomtest(right, len(passed)).proportion_ci(method="wilson")
    step = max(1, len(failures) // MOST_SHOWN)
    return Capability(
        name=name,
        kind=kind,
        expects=expects,
        tried=len(passed),
        passed=right,
        interval=(float(within.low), float(within.high)),
        failures=tuple(failures[::step][:MOST_SHOWN]),
    )


def beside(found: Sequence[Capability], other: Sequence[Capability]) -> tuple[Capability, ...]:
    """``found`` with the pass rates of ``other``, another classifier's in the same tests."""
    rates = {one.name: one.rate for one in other}
    return tuple(one.model_copy(update={"against": rates.get(one.name)}) for one in found)
