"""What each training of a task came to, kept so that none is made twice."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from valence.training.config.schema import Configuration
from valence.training.corpora import files
from valence.training.runtime.hashing import sha256_of_json


class Record(BaseModel):
    """One training, of one seed.

    ``recipe`` names all that the result depends on but the seed and the code: settings and data;
    ``data`` the data alone.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    seed: int
    recipe: str
    data: str
    tag: str
    train: int  # texts
    dev: int
    own_dev: bool  # dev was cut from train
    score: float
    baseline: float  # the linear model's on the same data
    minutes: float
    hardware: str
    code_version: str


def recipe_of(configuration: Configuration) -> tuple[str, str]:
    """The names of ``configuration`` without its seed, and of its data."""
    data = configuration.data
    contents = [_hashes(patterns) for patterns in (data.files, data.dev) if patterns]
    settings = configuration.as_json()
    settings.pop("name")
    # where the files lie does not matter
    columns = {"text": data.text, "label": data.label, "split": data.split}
    settings["data"] = {}
    if configuration.unlabelled is not None:
        settings["unlabelled"] = {
            **configuration.unlabelled.model_dump(mode="json"),
            "files": _hashes(configuration.unlabelled.files),
        }
    settings["optimization"] = {
        **configuration.optimization.model_dump(mode="json"),
        "seed": None,
    }
    of_data = _digest([contents, columns])
    return _digest([settings, of_data]), of_data


def _hashes(patterns: Sequence[str]) -> list[JsonValue]:
    """Of the files that ``patterns`` name."""
    return [files.sha256(path) for path in files.find_files(patterns)]


def read(folder: Path, task: str) -> dict[int, Record]:
    """The records of a task, by seed; one that is damaged counts as none."""
    found = {}
    for path in sorted((folder / task).glob("seed-*.json")):
        try:
            record = Record.model_validate_json(path.read_bytes())
        except ValidationError:
            continue
        found[record.seed] = record
    return found


def write(folder: Path, record: Record) -> None:
    """Replace the record of the task and seed, whole or not at all."""
    path = folder / record.task / f"seed-{record.seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)


def baseline_of(records: Mapping[int, Record], data: str) -> float | None:
    """The linear model's score on these data, if one was trained."""
    return next((one.baseline for one in records.values() if one.data == data), None)


def _digest(content: object) -> str:
    return sha256_of_json(content)[:16]
