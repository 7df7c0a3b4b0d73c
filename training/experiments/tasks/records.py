"""The results of trainings of tasks, kept so that no training is repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from valence.service.files.atomic_write import write_file
from valence.training.config.schema import Configuration
from valence.training.corpora import files
from valence.training.runtime.hashing import sha256_of_json


class Record(BaseModel):
    """The result of one training with one seed.

    ``recipe`` identifies the settings and the data, without the seed and the code. ``data``
    identifies the data.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    seed: int
    recipe: str
    data: str
    tag: str
    train: int  # texts
    dev: int
    own_dev: bool  # dev texts were split from train
    score: float
    baseline: float  # score of the linear model on the same data
    minutes: float
    hardware: str
    code_version: str


def identify_recipe(configuration: Configuration) -> tuple[str, str]:
    """The identifiers of ``configuration`` without its seed, and of its data."""
    data = configuration.data
    contents = [_hash_files(patterns) for patterns in (data.files, data.dev) if patterns]
    settings = configuration.as_json()
    settings.pop("name")
    # the location of the files does not matter
    columns = {"text": data.text, "label": data.label, "split": data.split}
    settings["data"] = {}
    if configuration.unlabelled is not None:
        settings["unlabelled"] = {
            **configuration.unlabelled.model_dump(mode="json"),
            "files": _hash_files(configuration.unlabelled.files),
        }
    settings["optimization"] = {
        **configuration.optimization.model_dump(mode="json"),
        "seed": None,
    }
    data_id = _digest([contents, columns])
    return _digest([settings, data_id]), data_id


def _hash_files(patterns: Sequence[str]) -> list[JsonValue]:
    """The hashes of the files of ``patterns``."""
    return [files.sha256(path) for path in files.find_files(patterns)]


def read_records(folder: Path, task: str) -> dict[int, Record]:
    """The records of a task by seed; damaged records are ignored."""
    records = {}
    for path in sorted((folder / task).glob("seed-*.json")):
        try:
            record = Record.model_validate_json(path.read_bytes())
        except ValidationError:
            continue
        records[record.seed] = record
    return records


def write_record(folder: Path, record: Record) -> None:
    """Replace the record of the task and seed atomically."""
    path = folder / record.task / f"seed-{record.seed}.json"
    write_file(path, record.model_dump_json(indent=2) + "\n")


def find_baseline(records: Mapping[int, Record], data: str) -> float | None:
    """The score of the linear model on ``data``, if a record has it."""
    return next((record.baseline for record in records.values() if record.data == data), None)


def _digest(content: object) -> str:
    return sha256_of_json(content)[:16]
