"""A public task: its recipe as a TOML file, and the configuration that it makes of texts."""

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
"""The seed whose figure is the task's: chosen before any was seen."""


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """Files of train and, where the task has them, of dev texts; and their columns.

    ``unlabelled`` are files of texts without labels, whose column of texts is the same.
    """

    train: tuple[str, ...]
    dev: tuple[str, ...]
    text: str = "text"
    label: str = "label"
    unlabelled: tuple[str, ...] = ()


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Hub(_Section):
    """Where the Hugging Face Hub has the task, and its columns there."""

    name: str = Field(description="OWNER/NAME, or OWNER/NAME:CONFIG")
    text: str = "text"
    label: str = "label"


class Task(_Section):
    """A recipe: the sections of a configuration that do not depend on where texts lie."""

    name: str
    metric: Literal["accuracy", "macro_recall"]
    goal: float = Field(gt=0.0, lt=1.0, description="what the best LSTMs published reach, about")
    hub: Hub
    torchtext: str | None = Field(default=None, description="what torchtext calls it")
    text: Text = Text()
    words: Words = Words()
    network: Network = Network()
    regularization: Regularization = Regularization()
    optimization: Optimization = Optimization()
    distillation: Distillation | None = None
    unlabelled: tuple[str, ...] = Field(
        default=(),
        description="tasks, maybe this one, whose unlabelled texts are read",
    )

    @model_validator(mode="after")
    def _somebody_to_read_them(self) -> Task:
        schema.check_unlabelled_use(self.unlabelled, self.words, self.distillation)
        return self

    def score(self, evaluation: Evaluation) -> float:
        """The figure that the task is judged by, in [0, 1]."""
        return float(getattr(evaluation, self.metric))

    def configuration(self, found: TaskFiles, *, seed: int) -> Configuration:
        """The whole configuration for the texts that were ``found``, labels being theirs.

        A model of another seed than :data:`FIXED_SEED` has a name of its own, so that the task's
        name alone is always the model that the task's figure is of. A teacher has the recipe's seed
        whatever ``seed`` is, so that one teaches all.
        """
        table = Columns(text=found.text, label=found.label)
        examples = [
            example
            for path in files.find_files((*found.dev, *found.train))
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
        if found.unlabelled:
            content["unlabelled"] = {"files": list(found.unlabelled), "text": found.text}
        return loader.parse_configuration(
            {
                "name": self.name if seed == FIXED_SEED else f"{self.name}-seed{seed}",
                "labels": labels,
                "polarity": autoconfig.infer_polarity(labels),
                "data": {
                    "files": list(found.train),
                    "dev": list(found.dev),
                    "split": "hash" if found.dev else "stratified",
                    "text": found.text,
                    "label": found.label,
                },
                **content,
            },
            source=f"the task {self.name}",
        )


def names() -> tuple[str, ...]:
    """The tasks there are, those of few texts first, so that a mistake shows soon."""
    return ("trec6", "banking77", "clinc150", "tweeteval_sentiment", "sst5", "sst2", "imdb")


def load(wanted: Sequence[str]) -> tuple[Task, ...]:
    """The tasks called ``wanted``, all if there are none; raises :class:`ConfigurationError`."""
    unknown = [name for name in wanted if name not in names()]
    if unknown:
        raise ConfigurationError(f"no task {unknown[0]!r}; there are {', '.join(names())}")
    return tuple(
        loader.load_model(FOLDER / f"{name}.toml", Task)
        for name in names()
        if not wanted or name in wanted
    )
