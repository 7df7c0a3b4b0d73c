"""``python -m tests.trials.own_data FOLDER``: few labels of public texts, beside simpler models.

``FOLDER`` has a folder for each task, which holds a file called train, as `valence experiments`
reads it. Of its texts, so many are drawn as have labels, and 1,000 others judge, of the dev file if
there is one; a seed draws both, so all models have the same. Ours is `valence train --quality
QUALITY --no-test`, or a recipe by its name, served by the engine. Results are kept in the
workspace, so what was measured is not measured again. They go to ``docs/measured/own-data.md``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from valence.service.files.atomic_write import write_file
from valence.training.config import loader
from valence.training.config.columns import Columns
from valence.training.corpora import files as corpus_files
from valence.training.corpora.example import Example
from valence.training.data import autoconfig
from valence.training.evaluation import stored_model
from valence.training.experiments.tasks import files
from valence.training.experiments.tasks.task import load_tasks
from valence.training.metrics.scores import evaluate
from valence.training.pipeline import training_run
from valence.training.pipeline.selection import selection
from valence.training.pipeline.selection.recipes import QUALITIES, list_linear_recipes
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.trials.bench.measure import say
from tests.trials.own_data.peers import PEERS, Answers, Given, answer, list_missing_packages

PAGE = Path(__file__).parents[3] / "docs" / "measured" / "own-data.md"
_START, _END = "<!-- measured -->\n", "<!-- end -->"
_JUDGED = 1_000
_FIGURES = ("accuracy", "macro_f1", "ece", "seconds", "speed")
Record = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was not measured before, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--task", action="append", default=[])
    parser.add_argument("--labels", action="append", type=int, default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quality", action="append", default=[], help="or the name of a recipe")
    parser.add_argument(
        "--peer", action="append", choices=PEERS, help="no other, and none of ours but --quality"
    )
    parser.add_argument("--minutes", type=float, help="of the choice among recipes")
    parser.add_argument("--workspace", type=Path, default=Path(".valence/own-data"))
    asked = parser.parse_args(arguments)
    os.environ["BENTOML_HOME"] = str((asked.workspace / "bentoml").resolve())
    tasks = asked.task or ["trec6", "banking77", "tweeteval_sentiment", "sst2"]
    records = asked.workspace / "records"
    missing = list_missing_packages()
    for name, package in missing.items():
        say(f"{name} is left out: install the package {package} to measure it")
    peers = [name for name in asked.peer or PEERS if name not in missing]
    qualities = asked.quality or ([] if asked.peer else ["balanced"])
    ours = [f"valence, {one}{name_budget(asked.minutes)}" for one in qualities]
    for seed, task, count in product(range(asked.seeds), tasks, asked.labels or [64, 200, 1_000]):
        run = Run(Workspace(asked.workspace), Reporter(quiet=True))
        train, judged = draw_texts(asked.folder, task, count, seed, run)
        for name in (*peers, *ours):
            path = records / f"{task}-{count}-{seed}-{name.replace(' ', '_')}.json"
            if path.is_file():
                continue
            found = measure(name, train, judged, run, asked.minutes)
            if found is not None:
                record = {"task": task, "labels": count, "seed": seed, "model": name, **found}
                write_file(path, json.dumps(record, indent=2) + "\n")
                say(json.dumps(record))
        write_page([json.loads(path.read_text()) for path in sorted(records.glob("*.json"))])


def name_budget(minutes: float | None) -> str:
    """The end of a model's name that tells the time for the choice."""
    return "" if minutes is None else f", {minutes:g} minutes"


def draw_texts(
    folder: str, name: str, count: int, seed: int, run: Run
) -> tuple[list[Example], list[Example]]:
    """The labelled texts of a trial, and those that judge."""
    (task,) = load_tasks([name])
    found = files.find_task_files(task, folder, cache=run.workspace.corpora, say=run.reporter.say)
    table = Columns(found.text, found.label)

    def draw(patterns: Sequence[str]) -> list[Example]:
        examples = [
            example
            for path in corpus_files.find_files(patterns)
            for example in corpus_files.read_examples(path, table, corpus=path.name)
        ]
        order = np.random.default_rng(seed).permutation(len(examples))
        return [examples[row] for row in order.tolist()]

    others = draw(found.train)
    judged = draw(found.dev) if found.dev else others
    judged, seen = judged[:_JUDGED], {example.normal_form for example in judged[:_JUDGED]}
    return [example for example in others if example.normal_form not in seen][:count], judged


def measure(
    name: str,
    train: Sequence[Example],
    judged: Sequence[Example],
    run: Run,
    minutes: float | None,
) -> Record | None:
    """The figures of the model ``name``; None if the texts are too few for their labels."""
    labels = sorted({str(example.label) for example in (*train, *judged)})
    if len({example.label for example in train}) > len(train) / 2:
        return None
    texts = [example.text for example in judged]
    chosen = ""
    if name in PEERS:
        found = answer(name, Given(train, texts, labels, run.workspace.corpora))
    else:
        quality = name.removeprefix("valence, ").removesuffix(name_budget(minutes))
        found, chosen = train_ours(quality, train, texts, labels, run, minutes)
    truth = np.array([labels.index(str(example.label)) for example in judged])
    scores = evaluate(found.probabilities, truth, labels=labels)
    return {
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "ece": scores.ece,
        "seconds": found.seconds,
        "speed": found.speed,
        "chosen": chosen,
    }


def train_ours(
    quality: str,
    train: Sequence[Example],
    texts: Sequence[str],
    labels: Sequence[str],
    run: Run,
    minutes: float | None,
) -> tuple[Answers, str]:
    """What `valence train --no-test` makes of ``train``, and the line that says what was chosen."""
    started = time.process_time()
    path = run.workspace.root / "own.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([example.text, example.label] for example in train)
    written = autoconfig.write_configuration(
        [str(path)],
        Columns("text", "label"),
        name="own",
        workspace=run.workspace.root,
        reporter=run.reporter,
    )
    base = loader.load_configuration(written)
    whole = base.data.model_copy(update={"split": "stratified"})
    base = base.model_copy(update={"data": whole})
    if quality in QUALITIES:
        configuration = selection.choose_configuration(base, run, quality=quality, minutes=minutes)
    else:
        recipes = list_linear_recipes(base, "balanced", texts=len(train))
        configuration = next(one.settled for one in recipes if one.name == quality)
    trained = training_run.train_classifier(
        configuration, run, fresh=True, with_baselines=False, unchecked=True
    )
    seconds = time.process_time() - started
    classifier, engine = stored_model.load_stored_model(trained.tag, "auto")
    manifest = classifier.manifest
    begun = time.process_time()
    documents = [classifier.encode_head(text).ids for text in texts]
    found = stored_model.compute_probabilities(manifest, engine, documents, labels=manifest.labels)
    spent = time.process_time() - begun
    probabilities = np.zeros((len(texts), len(labels)))
    probabilities[:, [labels.index(label) for label in manifest.labels]] = found
    return Answers(probabilities, seconds, len(texts) / spent), next(iter(configuration.chosen), "")


def write_page(records: Sequence[Record]) -> None:
    """Put the table of ``records`` between the marks of the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_START)
    _, _, after = rest.partition(_END)
    table = "\n".join(draw_rows(records))
    write_file(PAGE, f"{before}{_START}\n{table}\n\n{_END}{after}")


def draw_rows(records: Sequence[Record]) -> Iterator[str]:
    """A table with a row for each task, number of labels and model: means of the seeds."""
    yield (
        "| task | labels | model | seeds | accuracy | ± | macro-F1 | ECE | CPU-seconds to train | "
        "texts per CPU-second |"
    )
    yield "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    groups: dict[tuple[str, int, str], list[Record]] = {}
    for record in records:
        key = (record["task"], record["labels"], record["model"])
        groups.setdefault(key, []).append(record)
    for (task, labels, model), found in sorted(groups.items(), key=lambda item: item[0]):
        yield _draw_row(f"| {task} | {labels:,} | {model} |", found)


def _draw_row(beginning: str, found: Sequence[Mapping[str, Any]]) -> str:
    mean = {name: fmean(record[name] for record in found) for name in _FIGURES}
    spread = stdev(record["accuracy"] for record in found) if len(found) > 1 else None
    return (
        f"{beginning} {len(found)} | {mean['accuracy']:.3f} | "
        f"{'' if spread is None else f'{spread:.3f}'} | {mean['macro_f1']:.3f} | "
        f"{mean['ece']:.3f} | {mean['seconds']:.0f} | {mean['speed']:,.0f} |"
    )


if __name__ == "__main__":
    main()
