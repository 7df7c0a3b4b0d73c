"""Does the gate distinguish worse, equal and better challengers?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from valence.training.corpora import catalog
from valence.training.corpora.example import Example
from valence.training.pipeline.gate.verdict import Verdict

from tests.trials.gate.rig import Rig

TEXTS = 6_000
RERUNS = 20
SETTINGS: dict[str, dict[str, object]] = {
    "text": {"max_tokens": 48},
    "words": {"vectors": None, "learned_size": 24},
    "network": {"hidden_size": 16},
    "optimization": {
        "epochs": 2,
        "patience": 2,
        "learning_rate": 0.01,
        "batch_tokens": 2_560,
        "warmup_steps": 20,
    },
}


class Row(NamedTuple):
    """The verdict on one challenger."""

    challenger: str
    wanted: str
    verdict: Verdict

    @property
    def held(self) -> bool:
        """Return whether the decision was right, with a reason that names the fault."""
        return self.verdict.decision == self.wanted


def run(root: Path, cache: Path, *, reruns: int = RERUNS) -> Iterator[Row]:
    """Yield the verdict on every challenger as soon as it is known."""
    examples = _texts(cache)
    rig = Rig(root, "films", SETTINGS)
    rig.write(examples)
    yield Row("the first version", "promoted", rig.retrain(0))

    rig.write(_flipped(examples, share=0.1))
    yield Row("10 % of the labels flipped", "kept", rig.retrain(0))
    rig.write(examples[::2])
    yield Row("half the data", "kept", rig.retrain(0))
    rig.write(examples)
    rig.train_unreadable(100)
    yield Row("words that no tokenizer yields", "kept", rig.retrain(100))
    small = Rig(root, "fewer-films", SETTINGS)
    small.write(examples[::2])
    yield Row("a first version of half the data", "promoted", small.retrain(0))
    small.write(examples)
    yield Row("all the data after half the data", "promoted", small.retrain(0))

    for seed in range(1, reruns + 1):
        yield Row(f"equal, seed {seed}", "kept", rig.retrain(seed))


def _texts(cache: Path) -> list[Example]:
    """Return film reviews of one sentence each, in shuffled order."""
    loaded = catalog.load_corpora(["vader"], cache=cache).examples
    found = [example for example in loaded if example.label != "neutral"]
    random.Random(0).shuffle(found)
    return found[:TEXTS]


def _flipped(examples: Sequence[Example], *, share: float) -> list[Example]:
    chance = random.Random(1)
    other = {"positive": "negative", "negative": "positive"}
    return [
        replace(example, label=other[example.labels[0]]) if chance.random() < share else example
        for example in examples
    ]
