"""A public task: its recipe in a TOML file, and the configuration for its texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from valence.service.errors import ConfigurationError
from valence.training.config import loader, schema
from valence.training.config.columns import Columns
from valence.training.config.schema import (
    Configuration,
    Distillation,
    Network,
    Optimization,
    Regularization,
    Text,
    Words,
)
from valence.training.corpora import files
from valence.training.data import autoconfig
from valence.training.metrics.scores import Evaluation

FOLDER = Path(__file__).parent / "configs"
FIXED_SEED = 0
"""The seed of the score of a task, fixed before any result was known."""


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """The files of train texts and, if any, dev texts, with the names of their columns.

    ``unlabelled`` are files of texts without labels, with the same text column.
    """

    train: tuple[str, ...]
    dev: tuple[str, ...]
    text: str = "text"
    label: str = "label"
    unlabelled: tuple[str, ...] = ()


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Hub(_Section):
    """The data set of the task on the Hugging Face Hub, with its columns."""

    name: str = Field(description="OWNER/NAME, or OWNER/NAME:CONFIG")
    text: str = "text"
    label: str = "label"


class Task(_Section):
    """A recipe: the sections of a configuration that do not depend on the location of the texts."""

    name: str
    metric: Literal["accuracy", "macro_recall"]
    goal: float = Field(gt=0.0, lt=1.0, description="about the best published score of an LSTM")
    hub: Hub
    torchtext: str | None = Field(default=None, description="the name of the task in torchtext")
    text: Text = Text()
    words: Words = Words()
    network: Network = Network()
    regularization: Regularization = Regularization()
    optimization: Optimization = Optimization()
    distillation: Distillation | None = None
    unlabelled: tuple[str, ...] = Field(
        default=(),
        description="tasks whose unlabelled texts are read; may include this task",
    )

    @model_validator(mode="after")
    def _check_unlabelled_is_read(self) -> Task:
        schema.check_unlabelled_use(self.unlabelled, self.words, self.distillation)
        return self

    def score(self, evaluation: Evaluation) -> float:
        """The score of the task in [0, 1]: its metric in ``evaluation``."""
        return float(getattr(evaluation, self.metric))

    def make_configuration(self, task_files: TaskFiles, *, seed: int) -> Configuration:
        """The configuration for ``task_files``, with the labels of these files.

        With :data:`FIXED_SEED` the model has the name of the task; with another seed the name has a
        suffix. The teacher always has the seed of the recipe, so that all seeds share a teacher.
        """
        table = Columns(text=task_files.text, label=task_files.label)
        examples = [
            example
            for path in files.find_files((*task_files.dev, *task_files.train))
            for example in files.read_examples(
                path, files.resolve_encoding(path, table).table, corpus=path.name
            )
        ]
        labels = autoconfig.collect_labels(examples, table)
        sections = ("text", "words", "network", "regularization", "optimization")
        content: dict[str, Any] = {
            name: getattr(self, name).model_dump(mode="json") for name in sections
        }
        content["optimization"]["seed"] = seed
        if self.distillation is not None:
            content["distillation"] = self.distillation.model_dump(mode="json")
        if task_files.unlabelled:
            content["unlabelled"] = {"files": list(task_files.unlabelled), "text": task_files.text}
        return loader.parse_configuration(
            {
                "name": self.name if seed == FIXED_SEED else f"{self.name}-seed{seed}",
                "labels": labels,
                "polarity": autoconfig.infer_polarity(labels),
                "data": {
                    "files": list(task_files.train),
                    "dev": list(task_files.dev),
                    "split": "hash" if task_files.dev else "stratified",
                    "text": task_files.text,
                    "label": task_files.label,
                },
                **content,
            },
            source=f"the task {self.name}",
        )


def list_task_names() -> tuple[str, ...]:
    """The names of all tasks, small tasks first, so that mistakes show early."""
    return ("trec6", "banking77", "clinc150", "tweeteval_sentiment", "sst5", "sst2", "imdb")


def load_tasks(names: Sequence[str]) -> tuple[Task, ...]:
    """The tasks in ``names``, or all tasks for empty ``names``.

    Raises :class:`ConfigurationError` for an unknown name.
    """
    known = list_task_names()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(
            f"there is no task {unknown[0]!r}; known tasks are {', '.join(known)}"
        )
    return tuple(
        loader.load_model(FOLDER / f"{name}.toml", Task)
        for name in known
        if not names or name in names
    )
