"""``kill -9`` at random moments of retraining: the champion answers, the store is valid, runs
resume.

A run is a forked process, so that the moments are in the work and not in the imports before it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import bentoml
from valence.service.classifier import artifact
from valence.service.classifier.result import format_judgement
from valence.training.evaluation import stored_model
from valence.training.registry import store
from valence.training.runtime.progress import Reporter

from tests.training.conftest import toy_examples
from tests.trials.gate.rig import Rig

KILLS = 50
SETTINGS: dict[str, dict[str, object]] = {
    "text": {"max_tokens": 20, "minimum_count": 1},
    "words": {"vectors": None, "learned_size": 10},
    "network": {"hidden_size": 6},
    "optimization": {
        "epochs": 3,
        "patience": 3,
        "learning_rate": 0.01,
        "batch_tokens": 300,
        "warmup_steps": 3,
    },
}
_ASKED = ["The film was lovely.", "The song was dreadful to me.", ""]


class Outcome(NamedTuple):
    """Results of all kills."""

    kills: int
    finished_first: int
    """Number of runs that had ended before the signal."""
    during: Counter[str]
    """Counts of the last messages of killed runs, by their first words."""
    lost: list[str]
    """Faults; an empty list is right."""
    completed: int
    versions: int


class _FileReporter(Reporter):
    """Write the last message to a file, which the parent reads."""

    def __init__(self, path: Path) -> None:
        super().__init__(quiet_in_logs=True)
        self._path = path

    def say(self, message: str) -> None:
        self._path.write_text(message)


def run(root: Path, *, kills: int = KILLS, seed: int = 0) -> Iterator[Outcome]:
    """Kill this many runs, complete the run after each kill, and yield the results after each."""
    rig = Rig(root, "killed", SETTINGS)
    rig.write(toy_examples())
    said = root / "said"
    rig.retrain(0)
    chance = random.Random(seed)
    started = time.monotonic()
    _wait(_fork(lambda: rig.retrain(1, _FileReporter(said))))
    lasts = time.monotonic() - started
    during: Counter[str] = Counter()
    lost: list[str] = []
    finished_first = completed = 0
    for kill in range(kills):
        champion, answers = store.find_model("killed"), _answers()
        said.write_text("starting")
        process = _fork(lambda kill=kill: rig.retrain(2 + kill, _FileReporter(said)))
        time.sleep(chance.uniform(0, lasts))
        os.kill(process, signal.SIGKILL)
        if _wait(process) != -signal.SIGKILL:
            finished_first += 1
        else:
            during[" ".join(said.read_text().split()[:1])] += 1
            if store.find_model("killed") != champion or _answers() != answers:
                lost.append(f"kill {kill}: another champion answers")
        lost += [f"kill {kill}: {fault}" for fault in _faults()]
        code = _wait(_fork(lambda kill=kill: rig.retrain(2 + kill, _FileReporter(said))))
        completed += code == 0
        lost += [f"after kill {kill}: {fault}" for fault in _faults()]
        versions = len(store.list_versions("killed"))
        yield Outcome(kill + 1, finished_first, during, lost, completed, versions)


def _answers() -> list[dict[str, object]]:
    # the measured fastest path of the native engine may differ from one measurement to the next
    classifier, engine = stored_model.load_stored_model("killed", "reference")
    documents = [classifier.encode_head(text) for text in _ASKED]
    predictions = classifier.predict(engine.logits([document.ids for document in documents]))
    labels = classifier.manifest.labels
    return [
        format_judgement(labels, prediction, document.usage)
        for prediction, document in zip(predictions, documents, strict=True)
    ]


def _faults() -> list[str]:
    """Return versions that BentoML lists and that fail to load."""
    found: list[str] = []
    for model in bentoml.models.list():
        try:
            artifact.load(Path(model.path))
        except Exception as error:  # any exception is a fault of the store
            found.append(f"{model.tag}: {error}")
    return found


def _fork(work: Callable[[], object]) -> int:
    process = os.fork()
    if process:
        return process
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def _wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
