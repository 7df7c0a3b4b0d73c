"""``model.json``: all that is said about a classifier beside its weights and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator
from valence.service.classifier.architecture import Architecture

FORMAT_VERSION: Literal[1] = 1

Task = Literal["single_label", "multi_label"]
"""Whether a text has exactly one label, or any number of them, each decided alone."""

Misspelled = Literal["unknown", "nearest"]
"""How a word that is not known is read: as ``<unk>``, or as the known word a slip away from it."""

BehaviourKind = Literal["minimum functionality", "directional", "invariance"]
"""What a behaviour test looks at: the label, which way the polarity moves, or that both stay."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Normalization(_Part):
    """Which text normalization the word ids were trained with."""

    tokenizer: Literal["valence-english-1"] = "valence-english-1"
    misspelled: Misspelled = Field(
        default="unknown",
        description="how a word that is not in the vocabulary is read: as the unknown word, or as "
        "the most frequent one that is a slip of the keys away",
    )


class CorpusRecord(_Part):
    """A corpus the classifier was trained on, so that an answer leads back to its data."""

    name: str
    source: str = Field(description="where it came from: a package and version, or a file name")
    sha256: str = Field(description="of the file as fetched")
    texts: int = Field(ge=0, description="texts used, after duplicates were dropped")
    read: int | None = Field(default=None, ge=0, description="texts in the file")
    empty: int | None = Field(default=None, ge=0, description="dropped: without a word")
    duplicates: int | None = Field(
        default=None, ge=0, description="dropped: the same as another, of this or another corpus"
    )
    license: str = ""
    encoding: str | None = Field(
        default=None, description="of a file that said none, as it was read; of Parquet none"
    )
    encoding_guessed: bool = Field(
        default=False, description="whether other encodings fit the file as well"
    )


class VectorsRecord(_Part):
    """Word vectors that the network began with."""

    name: str
    source: str = Field(
        description="where they came from: a package and version, a file name, or one's own texts"
    )
    sha256: str = Field(description="of the file as fetched, or of these texts")
    license: str = ""


class TeacherOrigin(_Part):
    """One that learnt from the training texts first and then taught the classifier."""

    name: str
    source: str = Field(description="where it came from: a package and version, or a folder's name")
    sha256: str = Field(default="", description="of what was tuned, if it was not made anew")
    license: str = ""
    networks_sha256: tuple[str, ...] = Field(default=(), description="of the trained networks")


class TeacherRecord(_Part):
    """Who taught the classifier, and what; several are one by the mean of what they say."""

    teachers: tuple[TeacherOrigin, ...] = Field(min_length=1)
    metrics: dict[str, dict[str, float]] = Field(description="by split and name")
    texts: dict[str, int] = Field(description="taught: labelled, augmented and unlabelled ones")
    targets_sha256: str = Field(description="hash of the texts and what was to be said of them")

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        """The first artifacts hold a single one, its fields beside the others."""
        if not isinstance(value, dict) or "teachers" in value:
            return value
        of_one = {key: value[key] for key in TeacherOrigin.model_fields if key in value}
        rest = {key: value[key] for key in value if key not in of_one}
        return {"teachers": [of_one], **rest}


class BehaviourRecord(_Part):
    """How often the classifier did what a behaviour test expects (Ribeiro et al., ACL 2020)."""

    kind: BehaviourKind
    tried: int = Field(ge=1, description="cases")
    passed: int = Field(ge=0, description="of them")
    interval: tuple[float, float] = Field(
        description="the pass rate with 95 % confidence, were the cases drawn one by one (Wilson)"
    )

    @property
    def rate(self) -> float:
        """The share of the cases that passed."""
        return self.passed / self.tried


class Training(_Part):
    """How, from what and with what the classifier came to be."""

    corpora: tuple[CorpusRecord, ...]
    vectors: tuple[VectorsRecord, ...] = Field(
        default=(), description="side by side, before what was learnt from scratch"
    )
    teacher: TeacherRecord | None = None
    unlabelled: tuple[CorpusRecord, ...] = Field(
        default=(), description="read without labels, for word vectors or a teacher to label"
    )
    splits: dict[str, int] = Field(description="texts in train, dev and test")
    split_sha256: dict[str, str] = Field(description="hash of each split's texts and labels")
    label_counts: dict[str, dict[str, int]] = Field(
        default={}, description="texts of each label, by split"
    )
    configuration: dict[str, JsonValue]
    seed: int
    code_version: str = Field(description="commit of the code, with '+changes' if it was modified")
    packages: dict[str, str]
    hardware: str
    platform: str = Field(default="", description="operating system and architecture")
    started: str = Field(description="UTC, ISO 8601")
    seconds: float = Field(ge=0)
    peak_memory_bytes: int = Field(ge=0)
    epochs: int = Field(ge=0, description="epochs until the weights that were kept")

    @field_validator("vectors", mode="before")
    @classmethod
    def _one_or_none(cls, value: object) -> object:
        """The first artifacts hold an object, or null."""
        if value is None:
            return ()
        return tuple(value) if isinstance(value, list | tuple) else (value,)


class Manifest(_Part):
    """The whole of ``model.json``."""

    format_version: Literal[1] = FORMAT_VERSION
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    version: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    task: Task = "single_label"
    labels: tuple[str, ...] = Field(min_length=2, description="in the order of the logits")
    polarity: dict[str, float] | None = Field(
        default=None, description="a label's value in [-1, 1], where labels are a sentiment"
    )
    architecture: Architecture
    normalization: Normalization = Normalization()
    max_tokens: int = Field(ge=1, description="tokens read of a text; what follows is truncated")
    temperature: float = Field(
        gt=0,
        description="logits are divided by it before softmax, or sigmoid where labels are decided "
        "alone (Guo et al. 2017)",
    )
    thresholds: dict[str, float] = Field(
        default={},
        description="multi_label: a label is given at or past this probability",
    )
    metrics: dict[str, JsonValue] = Field(description="by split")
    intervals: dict[str, dict[str, tuple[float, float]]] = Field(
        default={}, description="by split and metric: where 95 of 100 bootstrap samples lie"
    )
    baselines: dict[str, dict[str, float]] = Field(
        default={}, description="by name: what other classifiers reach on the test texts"
    )
    behaviour: dict[str, BehaviourRecord] = Field(
        default={}, description="by capability: pass rates of behaviour tests"
    )
    training: Training

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        check_labels(self.labels, self.polarity)
        if len(self.labels) != self.architecture.labels:
            raise ValueError(
                f"{len(self.labels)} labels, but the architecture has {self.architecture.labels}"
            )
        _check_task(self.task, self.labels, self.polarity, self.thresholds)
        return self


def strip_paths(configuration: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A training's configuration, of each path in it the last part only.

    Where on a machine a file lay is nobody's business who asks a served model.
    """
    shown = dict(configuration)
    for section, key in (
        ("data", "files"),
        ("data", "dev"),
        ("words", "vectors"),
        ("unlabelled", "files"),
        ("distillation", "teacher"),
    ):
        part = shown.get(section)
        if isinstance(part, dict) and part.get(key) is not None:
            shown[section] = {**part, key: _last(part[key])}
    return shown


def _last(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_last(one) for one in value]
    return PurePath(value).name if isinstance(value, str) else value


def check_labels(labels: Sequence[str], polarity: Mapping[str, float] | None) -> None:
    """Raise ``ValueError`` unless labels differ and ``polarity``, if any, values just these."""
    if len(set(labels)) != len(labels):
        raise ValueError(f"labels {list(labels)} hold a label twice")
    if polarity is None:
        return
    if set(polarity) != set(labels):
        raise ValueError(f"polarity gives values to {list(polarity)}, not to {list(labels)}")
    if any(abs(value) > 1 for value in polarity.values()):
        raise ValueError(f"polarity values {list(polarity.values())} must lie in [-1, 1]")


def _check_task(
    task: Task,
    labels: Sequence[str],
    polarity: Mapping[str, float] | None,
    thresholds: Mapping[str, float],
) -> None:
    if task == "single_label":
        if thresholds:
            raise ValueError(f"thresholds {list(thresholds)} are for multi_label models alone")
        return
    if polarity is not None:
        raise ValueError("polarity is the mean over labels of which one is right: not multi_label")
    if set(thresholds) != set(labels):
        raise ValueError(f"thresholds are given to {list(thresholds)}, not to {list(labels)}")
    if not all(0 < value <= 1 for value in thresholds.values()):
        raise ValueError(f"thresholds {list(thresholds.values())} must lie in (0, 1]")
