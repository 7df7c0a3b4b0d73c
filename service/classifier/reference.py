"""The reference of a model: how it answers texts like those of its training.

Training counts the answers to the held-out texts by classes of each signal: the label, the
confidence, the length, the unknown words, the language. A service counts its answers by the same
classes, so that both can be compared. The reference has counts and no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ArtifactError

FILE = "reference.json"
"""In the folder of the report, which every version of Valence reads as a part of the artifact."""
PROFILE = "profile.json"
"""The profile of all texts of the training, which older artifacts have too."""

OTHER = "(other)"
"""The class of all labels, or languages, that have no class of their own."""
UNTOLD = "(untold)"
"""The class of the texts whose language is not known for sure."""
# Upper bounds of the classes; the last class of each has no bound.
CONFIDENCES = (
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999,
)  # fmt: skip
LENGTHS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)
UNKNOWN_SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
# Labels and languages with a class of their own: a report of thousands tells nobody anything.
MAX_LABELS, MAX_LANGUAGES = 100, 20

_MAX_BYTES = 2**20
_MAX_CLASSES = 128

Counts = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=_MAX_CLASSES)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NamedCounts(_Part):
    """Texts by name; all other names are the last class."""

    names: Annotated[tuple[str, ...], Field(min_length=1, max_length=_MAX_CLASSES)]
    texts: Counts

    @model_validator(mode="after")
    def _require_pairs(self) -> Self:
        if len(self.texts) != len(self.names):
            raise ValueError(f"{len(self.texts)} counts of {len(self.names)} names")
        return self


class RangeCounts(_Part):
    """Texts by ranges of a number; ``bounds`` are the upper bounds of all ranges but the last."""

    bounds: Annotated[tuple[float, ...], Field(max_length=_MAX_CLASSES)]
    texts: Counts

    @model_validator(mode="after")
    def _require_ranges(self) -> Self:
        if len(self.texts) != len(self.bounds) + 1 or sorted(set(self.bounds)) != list(self.bounds):
            raise ValueError(f"{len(self.texts)} counts of ranges up to {self.bounds}")
        return self


class ConfidenceCounts(RangeCounts):
    """Texts by the probability that their label is right, and how many labels are right."""

    right: Counts

    @model_validator(mode="after")
    def _require_right(self) -> Self:
        if len(self.right) != len(self.texts) or any(np.subtract(self.texts, self.right) < 0):
            raise ValueError("the right labels of a class are at most its texts")
        return self


class Reference(_Part):
    """The counts of each signal; None for a signal that was not counted."""

    labels: NamedCounts
    confidence: ConfidenceCounts
    lengths: RangeCounts | None = None
    unknown_words: RangeCounts | None = None
    languages: NamedCounts | None = None

    @property
    def texts(self) -> int:
        """The texts whose labels were counted."""
        return sum(self.labels.texts)

    @property
    def accuracy(self) -> float:
        """The share of these texts whose label is right."""
        return sum(self.confidence.right) / max(sum(self.confidence.texts), 1)


def count_names(found: Sequence[str], *, limit: int) -> NamedCounts:
    """Count ``found``: the ``limit`` commonest names have a class each, all others one."""
    names, counts = np.unique(np.array(found, dtype=object).astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    own, rest = order[:limit], order[limit:]
    return NamedCounts(
        names=(*map(str, names[own]), OTHER),
        texts=(*map(int, counts[own]), int(counts[rest].sum())),
    )


def count_ranges(values: NDArray[Any], bounds: Sequence[float]) -> tuple[int, ...]:
    """The number of ``values`` in each range; a value that is a bound is below it."""
    classes = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)
    return tuple(map(int, classes))


def write(path: Path, reference: Reference) -> None:
    """Write ``reference`` to ``path``."""
    path.write_text(reference.model_dump_json(exclude_none=True) + "\n", encoding="utf-8")


def read(folder: Path, manifest: Manifest) -> Reference | None:
    """The reference in ``folder``, that of the report of the model.

    Older artifacts have none. Then the labels and the confidence come from the scores in
    ``manifest``, and the lengths from the profile of all texts of the training. None for an
    artifact without these. Raises :class:`ArtifactError` for a damaged file.
    """
    path = folder / FILE
    try:
        return Reference.model_validate_json(_read_bytes(path))
    except FileNotFoundError:
        return _infer_reference(folder, manifest)
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ArtifactError(f"{path}: no reference ({said}); train the model again") from None


def _read_bytes(path: Path) -> bytes:
    if path.stat().st_size > _MAX_BYTES:
        raise ArtifactError(f"{path}: more than {_MAX_BYTES:,} bytes; train the model again")
    return path.read_bytes()


class _Bin(BaseModel):
    high: float
    count: int
    accuracy: float


class _Scores(BaseModel):
    """What an evaluation in a manifest says about labels and confidence."""

    confusion: Annotated[tuple[tuple[int, ...], ...], Field(min_length=1)]
    reliability: Annotated[tuple[_Bin, ...], Field(min_length=1)]


class _Profile(BaseModel):
    lengths: tuple[int, ...]


def _infer_reference(folder: Path, manifest: Manifest) -> Reference | None:
    if manifest.task != "single_label":
        return None
    try:
        scores = _Scores.model_validate(manifest.metrics.get("test") or manifest.metrics.get("dev"))
        predicted = np.array(scores.confusion).sum(axis=0)
        return Reference(
            labels=_select_labels(manifest.labels, predicted),
            confidence=ConfidenceCounts(
                bounds=tuple(one.high for one in scores.reliability[:-1]),
                texts=tuple(one.count for one in scores.reliability),
                right=tuple(round(one.count * one.accuracy) for one in scores.reliability),
            ),
            lengths=_read_lengths(folder / PROFILE),
        )
    except ValueError:
        return None


def _select_labels(labels: Sequence[str], texts: NDArray[np.int64]) -> NamedCounts:
    order = np.argsort(-texts, kind="stable")
    own = order[:MAX_LABELS].tolist()
    return NamedCounts(
        names=(*(labels[index] for index in own), OTHER),
        texts=(*(int(texts[index]) for index in own), int(texts[order[MAX_LABELS:]].sum())),
    )


def _read_lengths(path: Path) -> RangeCounts | None:
    try:
        return RangeCounts(
            bounds=LENGTHS, texts=_Profile.model_validate_json(_read_bytes(path)).lengths
        )
    except (FileNotFoundError, ValueError):
        return None
