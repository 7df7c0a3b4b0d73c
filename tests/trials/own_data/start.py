"""``python -m tests.trials.own_data.start FOLDER``: a model from the names of labels, judged.

``FOLDER`` is as for ``python -m tests.trials.own_data``. The train texts of a task go to
`valence start` without their labels; the names of the labels are all that it has. The texts that
it draws get their true labels, as by a person, and the same command trains. The dev texts judge
the model, the label whose name is nearest to a text, and the labels that `valence start` proposes.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from valence.training.config.schema import MINILM
from valence.training.corpora.example import Example
from valence.training.embeddings.encoder_model import Encoder
from valence.training.embeddings.sentence_encoder import encode_texts
from valence.training.evaluation import stored_model
from valence.training.labelling.label_names import read_labels
from valence.training.labelling.prototypes import compare_names, normalize
from valence.training.metrics.predictions import Floats
from valence.training.metrics.scores import evaluate
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.trials.bench.measure import say
from tests.trials.own_data.__main__ import draw_texts

_NAME = "started"


def main() -> None:
    """Train from the names of the labels, and print what the dev texts say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--task", default="clinc150")
    parser.add_argument("--confirmed", type=int, default=200)
    parser.add_argument("--texts", type=int, default=15_000, help="without labels")
    parser.add_argument("--workspace", type=Path, default=Path(".valence/own-data"))
    asked = parser.parse_args()
    os.environ["BENTOML_HOME"] = str((asked.workspace / "bentoml").resolve())
    run = Run(Workspace(asked.workspace), Reporter(quiet=True))
    texts, judged = draw_texts(asked.folder, asked.task, asked.texts, 0, run)
    names = sorted({str(example.label) for example in texts})
    folder = asked.workspace / "start"
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "texts.csv", ["text"], [[example.text] for example in texts])
    (folder / "labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    started, before = time.monotonic(), os.times()
    call_start(folder, asked)
    confirm(folder / "confirm.csv", texts)
    call_start(folder, asked)
    after = os.times()
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    say(f"{(time.monotonic() - started) / 60:.1f} minutes, {spent / 60:.1f} of a processor")
    classifier, engine = stored_model.load_stored_model(_NAME, "auto")
    found = [classifier.manifest.labels.index(str(one.label)) for one in judged]
    documents = [classifier.encode_head(example.text).ids for example in judged]
    answers = stored_model.compute_probabilities(
        classifier.manifest, engine, documents, labels=classifier.manifest.labels
    )
    report("`valence start`", answers, found, classifier.manifest.labels)
    truth = [names.index(str(example.label)) for example in judged]
    report("nearest name", compare(folder / "labels.txt", judged, run), truth, names)


def call_start(folder: Path, asked: argparse.Namespace) -> None:
    """`valence start`, in a process of its own."""
    command = [sys.executable, "-m", "valence.training", "start", str(folder / "texts.csv")]
    command += ["--labels", str(folder / "labels.txt"), "--count", str(asked.confirmed)]
    command += ["--confirmed", str(folder / "confirm.csv"), "--name", _NAME, "--no-track"]
    subprocess.run([*command, "--workspace", str(asked.workspace)], check=True)


def confirm(path: Path, texts: Sequence[Example]) -> None:
    """Give the texts of ``path`` their true labels, as a person would."""
    labels = {example.text: str(example.label) for example in texts}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    right = sum(labels[text] == label for text, label in rows)
    say(f"{right} of {len(rows)} proposed labels are confirmed as they are")
    write_rows(path, ["text", "label"], [[text, labels[text]] for text, _ in rows])


def compare(names: Path, judged: Sequence[Example], run: Run) -> Floats:
    """The shares ``(N, K)`` of the labels in the texts ``judged``, by the labels' names alone."""
    described = [label.description for label in read_labels(str(names))]
    vectors = normalize(
        encode_texts(
            Encoder(MINILM),
            [*described, *(example.text for example in judged)],
            cache=run.workspace.corpora,
        )
    )
    return compare_names(vectors[len(described) :], vectors[: len(described)])


def report(name: str, answers: Floats, truth: Sequence[int], labels: Sequence[str]) -> None:
    """Print the figures of ``name``."""
    scores = evaluate(np.asarray(answers), np.array(truth), labels=list(labels))
    say(
        f"{name}: accuracy {scores.accuracy:.3f}, macro-F1 {scores.macro_f1:.3f}, ECE "
        f"{scores.ece:.3f} on {len(truth):,} texts"
    )


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write ``rows`` as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
