"""``model.json``: everything about a classifier except its weights and its words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator
from valence.service.classifier.architecture import MAX_LABELS, Architecture
from valence.service.classifier.labels import check_labels, check_task
from valence.service.classifier.tokenizer import ENGLISH, Rules

FORMAT_VERSION: Literal[1] = 1

# Fitted temperatures are between 0.05 and 20. With a temperature in these bounds, a finite logit
# has a finite quotient.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.01, 100.0
MAX_TOKENS = 1_000_000

Task = Literal["single_label", "multi_label"]
"""Whether a text has exactly one label, or any number of labels, each decided alone."""

Misspelled = Literal["unknown", "nearest"]
"""How a model reads an unknown word: as ``<unk>``, or as a known word that is one typo away."""

EmojiWords = Literal["written", "named"]
"""How a model reads an emoji: as the word that is written, or as a word known by its name.

A named emoji is the same word in every skin tone, and an emoticon means the same as an emoji.
"""

BehaviourKind = Literal["minimum functionality", "directional", "invariance"]
"""What a behaviour test checks: the label, the direction of the polarity, or that both stay."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Normalization(_Part):
    """The text normalization of the training, which serving repeats."""

    tokenizer: Rules = Field(
        default=ENGLISH,
        description="The rules that cut a text into tokens. Those of the first artifacts, "
        "valence-english-1, cut a whole phrase as one word where a script has no spaces; "
        "valence-scripts-1 cut such a phrase letter by letter.",
    )
    misspelled: Misspelled = Field(
        default="unknown",
        description="How the model reads a word outside the vocabulary: as the unknown word, or as "
        "the most frequent known word that is one typo away.",
    )
    emoji: EmojiWords = Field(
        default="written",
        description="How the model reads an emoji: as the word that is written, or, if it is "
        "named, as one word in every skin tone and for emoticons too.",
    )


class CorpusRecord(_Part):
    """A corpus of the training."""

    name: str
    source: str = Field(description="The origin: a package and its version, or a file name.")
    sha256: str = Field(description="Hash of the fetched file.")
    texts: int = Field(ge=0, description="Number of texts used, without the dropped ones.")
    read: int | None = Field(default=None, ge=0, description="Number of texts in the file.")
    empty: int | None = Field(
        default=None, ge=0, description="Number of texts dropped because they do not have a word."
    )
    duplicates: int | None = Field(
        default=None,
        ge=0,
        description="Number of texts dropped because this or another corpus has the same text.",
    )
    license: str = ""
    encoding: str | None = Field(
        default=None,
        description="The detected encoding; null for Parquet and for a configured encoding.",
    )
    encoding_guessed: bool = Field(
        default=False, description="Whether other encodings fit the file equally well."
    )


class VectorsRecord(_Part):
    """Word vectors that initialized the embedding."""

    name: str
    source: str = Field(
        description="The origin: a package and its version, a file name, or the user's own texts."
    )
    sha256: str = Field(description="Hash of the fetched file, or of these texts.")
    license: str = ""
    known: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of the words of the vocabulary that have a vector; null for an encoder, "
        "which makes one for any word.",
    )


class TeacherOrigin(_Part):
    """A teacher of the classifier (knowledge distillation)."""

    name: str
    source: str = Field(
        description="The origin: a package and its version, or the name of a folder."
    )
    sha256: str = Field(
        default="", description="Hash of the fine-tuned model; empty if trained from scratch."
    )
    license: str = ""
    networks_sha256: tuple[str, ...] = Field(
        default=(), description="Hashes of the trained networks."
    )


class TeacherRecord(_Part):
    """The teachers of the classifier. Its targets are the mean of the teachers' outputs."""

    teachers: tuple[TeacherOrigin, ...] = Field(min_length=1)
    metrics: dict[str, dict[str, float]] = Field(
        description="Metrics of the teachers, by split and name."
    )
    texts: dict[str, int] = Field(
        description="Number of labelled, augmented and unlabelled texts with targets."
    )
    targets_sha256: str = Field(description="Hash of the texts and their targets.")

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        """Read the first artifacts, which have the fields of a single teacher here."""
        if not isinstance(value, dict) or "teachers" in value:
            return value
        of_one = {key: value[key] for key in TeacherOrigin.model_fields if key in value}
        rest = {key: value[key] for key in value if key not in of_one}
        return {"teachers": [of_one], **rest}


class OutsideTexts(_Part):
    """Texts of one kind that belong to none of the labels, and how many the model finds."""

    texts: int = Field(ge=1, description="Number of texts.")
    found: int = Field(ge=0, description="Number of texts whose score reaches the threshold.")

    @model_validator(mode="after")
    def _at_most_all(self) -> OutsideTexts:
        if self.found > self.texts:
            raise ValueError(f"{self.found} of {self.texts} texts are found")
        return self


class Outside(_Part):
    """How the model tells texts that belong to none of its labels.

    The score of a text is the sigmoid of the last logit. It is calibrated on texts of which one
    half belongs to a label.
    """

    threshold: float = Field(
        gt=0, lt=1, description="From this score on, a text belongs to none of the labels."
    )
    auroc: float = Field(
        ge=0,
        le=1,
        description="Probability that a text outside the labels has a higher score than a text "
        "that has a label.",
    )
    ece: float = Field(ge=0, le=1, description="Expected calibration error of the score.")
    inside: OutsideTexts = Field(description="Texts that have a label, and those lost so.")
    kinds: dict[str, OutsideTexts] = Field(
        min_length=1, max_length=64, description="Texts outside the labels, by kind."
    )
    fitted: int = Field(ge=1, description="Number of texts outside the labels that were learnt.")


class Sentences(_Part):
    """How the model reads long texts: each sentence alone, then the weighted mean.

    See :mod:`valence.service.classifier.sentence_reading`.
    """

    longer_than: int = Field(
        ge=1, le=MAX_TOKENS, description="Texts of more tokens are read sentence by sentence."
    )
    sharpness: float = Field(
        gt=0,
        le=10,
        description="The exponent of the weighted mean of the probabilities. Above 1, the text is "
        "surer than the mean of its sentences.",
    )


class BehaviourRecord(_Part):
    """How often the classifier passed a behaviour test (Ribeiro et al., ACL 2020)."""

    kind: BehaviourKind
    tried: int = Field(ge=1, description="Number of cases.")
    passed: int = Field(ge=0, description="Number of passed cases.")
    interval: tuple[float, float] = Field(
        description="95 % interval of the pass rate (Wilson), if cases were drawn independently."
    )

    @property
    def rate(self) -> float:
        """The share of passed cases."""
        return self.passed / self.tried


class Training(_Part):
    """The record of the training: data, configuration, code and hardware."""

    corpora: tuple[CorpusRecord, ...]
    vectors: tuple[VectorsRecord, ...] = Field(
        default=(),
        description="Word vectors side by side in the embedding, before those learnt from scratch.",
    )
    teacher: TeacherRecord | None = None
    unlabelled: tuple[CorpusRecord, ...] = Field(
        default=(),
        description="Corpora without labels, for word vectors or for the teacher to label.",
    )
    splits: dict[str, int] = Field(description="Number of texts in train, dev and test.")
    split_sha256: dict[str, str] = Field(description="Hash of the texts and labels of each split.")
    language: str | None = Field(
        default=None,
        description="Language of most texts by ISO 639-1, as detected; null if it is not known.",
    )
    label_counts: dict[str, dict[str, int]] = Field(
        default={}, description="Number of texts of each label, by split."
    )
    configuration: dict[str, JsonValue]
    seed: int
    code_version: str = Field(description="Commit of the code, with '+changes' if it was modified.")
    packages: dict[str, str]
    hardware: str
    platform: str = Field(default="", description="Operating system and architecture.")
    started: str = Field(description="Start of the training, UTC, ISO 8601.")
    seconds: float = Field(ge=0)
    peak_memory_bytes: int = Field(ge=0)
    epochs: int = Field(ge=0, description="Number of epochs up to the best weights.")

    @field_validator("vectors", mode="before")
    @classmethod
    def _one_or_none(cls, value: object) -> object:
        """Read the first artifacts, which have an object or null here."""
        if value is None:
            return ()
        return tuple(value) if isinstance(value, list | tuple) else (value,)


class Manifest(_Part):
    """The whole of ``model.json``."""

    format_version: Literal[1] = FORMAT_VERSION
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    version: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    task: Task = "single_label"
    labels: tuple[str, ...] = Field(
        min_length=2,
        max_length=MAX_LABELS,
        description="The labels in the order of the logits.",
    )
    polarity: dict[str, float] | None = Field(
        default=None,
        description="The value of each label in [-1, 1], if the labels are a sentiment.",
    )
    architecture: Architecture
    normalization: Normalization = Normalization()
    max_tokens: int = Field(
        ge=1, le=MAX_TOKENS, description="Number of tokens that the model reads at once."
    )
    temperature: float = Field(
        ge=MIN_TEMPERATURE,
        le=MAX_TEMPERATURE,
        description="The divisor of the logits before softmax, or before sigmoid of a multi-label "
        "model (Guo et al. 2017).",
    )
    thresholds: dict[str, float] = Field(
        default={},
        description="multi_label: the model gives a label from this probability on.",
    )
    outside: Outside | None = Field(
        default=None,
        description="How texts that belong to none of the labels are told; null for a model that "
        "does not tell them.",
    )
    sentences: Sentences | None = Field(
        default=None,
        description="How long texts are read sentence by sentence; null for a model that reads "
        "each text as a whole.",
    )
    metrics: dict[str, JsonValue] = Field(description="Metrics by split.")
    intervals: dict[str, dict[str, tuple[float, float]]] = Field(
        default={}, description="95 % bootstrap intervals by split and metric."
    )
    baselines: dict[str, dict[str, float]] = Field(
        default={}, description="Metrics of other classifiers on the test texts, by name."
    )
    behaviour: dict[str, BehaviourRecord] = Field(
        default={}, description="Results of behaviour tests, by capability."
    )
    training: Training

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        check_labels(self.labels, self.polarity)
        if len(self.labels) != self.architecture.labels:
            raise ValueError(
                f"{len(self.labels)} labels, but the architecture has {self.architecture.labels}"
            )
        if (self.outside is not None) != self.architecture.outside:
            raise ValueError(
                "outside describes the last logit of the architecture: give both, or neither"
            )
        check_task(self.task, self.labels, self.polarity, self.thresholds)
        if self.sentences is not None and (self.polarity is None or self.outside is not None):
            raise ValueError(
                "sentences weigh by their polarity: give the labels a polarity, and no outside"
            )
        return self


def strip_paths(configuration: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A copy of ``configuration`` with file names in place of paths.

    Clients of a served model must not learn the folders of the training machine.
    """
    shown = dict(configuration)
    for section, key in (
        ("data", "files"),
        ("data", "dev"),
        ("words", "vectors"),
        ("unlabelled", "files"),
        ("outside", "files"),
        ("distillation", "teacher"),
        ("distillation", "answers"),
    ):
        part = shown.get(section)
        if isinstance(part, dict) and part.get(key) is not None:
            shown[section] = {**part, key: _file_name(part[key])}
    return shown


def _file_name(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_file_name(item) for item in value]
    return PurePath(value).name if isinstance(value, str) else value
