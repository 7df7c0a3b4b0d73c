"""The options of a scoring, under the rules of the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from valence.service.classifier.result import MinConfidence, TopK, Unreadable
from valence.service.classifier.truncation import Truncation
from valence.service.errors import ConfigurationError
from valence.service.files import dialects
from valence.service.files.encodings import AUTO
from valence.service.machine import cores

_Number = TypeVar("_Number", int, float)
_TOP_K: TypeAdapter[int] = TypeAdapter(TopK)
_MIN_CONFIDENCE: TypeAdapter[float] = TypeAdapter(MinConfidence)


def parse_top_k(text: str) -> int:
    """A number of labels; raises :class:`ConfigurationError` for one that the API refuses."""
    return _parse(_TOP_K, text, "a whole number of labels from 1 on")


def parse_min_confidence(text: str) -> float:
    """A probability; raises :class:`ConfigurationError` for one that the API refuses."""
    return _parse(_MIN_CONFIDENCE, text, "a probability from 0 to 1, such as 0.8")


def parse_jobs(text: str) -> int:
    """A number of jobs; raises :class:`ConfigurationError` for another one than 1 or more."""
    try:
        return cores.parse_processes(text)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _parse(rule: TypeAdapter[_Number], text: str, wanted: str) -> _Number:
    try:
        return rule.validate_python(text)
    except ValidationError:
        raise ConfigurationError(f"{text!r} is not {wanted}") from None


@dataclass(frozen=True)
class ScoreOptions:
    """How texts are scored, as in the API; ``top_k`` 0 means the scores of all labels."""

    truncation: Truncation = "head"
    top_k: int = 0
    min_confidence: MinConfidence = 0.0
    unreadable: Unreadable = "uncertain"


@dataclass(frozen=True)
class Options:
    """The options of a run. Only a run with the same options resumes an interrupted run."""

    text_column: str
    in_format: str
    out_format: str
    encoding: str = AUTO
    quoting: str = dialects.AUTO
    prefix: str = ""
    part_rows: int = 4_096
    """Rows of a part: scoring them takes some tenths of a second."""
    part_characters: int = 4_000_000
    """A part with more characters ends earlier, since all its rows are in memory together."""
