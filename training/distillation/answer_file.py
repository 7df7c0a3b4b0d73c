"""What teachers answered about public texts, as data: probabilities by hashes of the texts.

A file of answers holds neither texts nor weights. Whoever has the texts finds the answers about
them, and learns from a teacher without tuning one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from valence.service.classifier import seal
from valence.service.classifier.manifest import CorpusRecord, Task, TeacherOrigin
from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import write_file
from valence.training.runtime import tensor_file

PUBLISHED = Path(__file__).parent / "answers"
"""The folder of the answers that Valence has, named after the presets that learn from them."""

SUFFIX = ".safetensors"
_PART = "answers"
_KEY_BYTES = 6  # two of a million texts share a key with a chance of 1 in 500
_STEPS = 255  # of a probability


class AnswerRecord(BaseModel):
    """Where the answers come from; the JSON file beside them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(description="Hash of the file of the answers.")
    labels: tuple[str, ...] = Field(description="In the order of the probabilities.")
    task: Task
    teachers: tuple[TeacherOrigin, ...] = Field(description="The answers are their mean.")
    metrics: dict[str, dict[str, float]] = Field(description="Of the teachers, on dev texts.")
    settings: dict[str, object] = Field(description="The section [distillation].")
    corpora: tuple[CorpusRecord, ...] = Field(description="What the texts are made of.")
    train_sha256: str = Field(description="Hash of the training texts and their labels.")
    dev_sha256: str = Field(description="Hash of the dev texts, which calibrate the teachers.")
    texts: dict[str, int] = Field(description="Number of texts with an answer, by kind.")
    command: str
    code: str = Field(description="Version of Valence, and commit.")
    packages: dict[str, str]
    hardware: str
    date: str


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """``shares`` ``(N, K)`` of N texts, whose ``keys`` ``(N,)`` are sorted; and the ``record``."""

    keys: NDArray[np.uint64]
    shares: NDArray[np.uint8]
    record: AnswerRecord

    @property
    def origins(self) -> tuple[TeacherOrigin, ...]:
        """The teachers."""
        return self.record.teachers

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The teachers' probabilities ``(N, K)``; NaN in the row of a text without an answer."""
        found = np.full((len(texts), len(self.record.labels)), np.nan)
        if not texts or not len(self.keys):
            return found
        wanted = hash_texts(texts)
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        known = self.keys[places] == wanted
        rows = self.shares[places[known]].astype(np.float64) / _STEPS
        if self.record.task == "single_label":
            rows /= rows.sum(axis=1, keepdims=True)
        found[known] = rows
        return found


def hash_texts(texts: Sequence[str]) -> NDArray[np.uint64]:
    """The keys ``(N,)`` of ``texts``."""
    digests = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts)
    return np.array(
        [int.from_bytes(digest[:_KEY_BYTES], "big") for digest in digests], dtype=np.uint64
    )


def write_tensors(path: Path, texts: Sequence[str], probabilities: NDArray[np.float64]) -> str:
    """Write the answers ``(N, K)`` about N different ``texts``; the hash of the file.

    The file does not depend on the order of the texts.
    """
    keys = hash_texts(texts)
    order = np.argsort(keys, kind="stable")
    octets = keys[order].astype(">u8").view(np.uint8).reshape(-1, 8)[:, -_KEY_BYTES:]
    shares = np.rint(probabilities[order] * _STEPS).astype(np.uint8)
    parts = {"keys": torch.from_numpy(octets.copy()), "shares": torch.from_numpy(shares)}
    tensor_file.write_tensors(path, {_PART: parts}, {})
    return seal.sha256(path)


def write_record(path: Path, record: AnswerRecord) -> None:
    """Write the JSON file beside the answers at ``path``."""
    write_file(path.with_suffix(".json"), record.model_dump_json(indent=2) + "\n")


def find_answers(name: str) -> Path:
    """The file of the answers ``name``: one of Valence, or a file of the user.

    Raises :class:`ConfigurationError`, which names those that Valence has.
    """
    for path in (PUBLISHED / f"{name}{SUFFIX}", Path(name)):
        if path.suffix == SUFFIX and path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in PUBLISHED.glob(f"*{SUFFIX}"))) or "none"
    raise ConfigurationError(
        f"distillation.answers {name!r}: no such file; give the path of a file that `valence "
        f"teach` wrote, or the name of one that Valence has ({known})"
    )


def read_answers(path: Path, *, labels: Sequence[str], task: Task) -> AnswerFile:
    """The answers at ``path``, for a classifier of ``labels``.

    Raises :class:`ConfigurationError` for damaged files and for other labels.
    """
    beside = path.with_suffix(".json")
    remedy = "write both files anew with `valence teach`"
    try:
        record = AnswerRecord.model_validate_json(beside.read_bytes())
        parts, _ = tensor_file.read_tensors(path, (_PART,))
        octets, shares = parts[_PART]["keys"].numpy(), parts[_PART]["shares"].numpy()
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        raise ConfigurationError(
            f"{beside}: {place}: {error.errors()[0]['msg']}; {remedy}"
        ) from None
    except FileNotFoundError as error:
        raise ConfigurationError(f"{error.filename}: no such file; {remedy}") from None
    except tensor_file.UNREADABLE:
        raise ConfigurationError(f"{path}: the file is damaged; {remedy}") from None
    if seal.sha256(path) != record.sha256:
        raise ConfigurationError(f"{path} is not the file that {beside.name} describes; {remedy}")
    if (record.labels, record.task) != (tuple(labels), task):
        raise ConfigurationError(
            f"{path} has answers of {record.task} {list(record.labels)}, and the classifier is "
            f"{task} {list(labels)}; leave distillation.answers out, or write answers for it with "
            "`valence teach`"
        )
    wide = np.zeros((len(octets), 8), dtype=np.uint8)
    wide[:, -_KEY_BYTES:] = octets
    return AnswerFile(wide.view(">u8").ravel().astype(np.uint64), shares, record)
