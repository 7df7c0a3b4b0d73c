"""``python -m tests.trials.monitoring``: try the monitor on trained models.

It prints false alarms, the delay of alarms and estimated accuracies, and writes them to
``docs/measured/monitoring.md``. ``MODEL`` is a preset, or the TOML file that a stored model was
trained with (``BENTOML_HOME``). ``--other`` names labelled texts of another kind: JSON lines with
``text`` and ``label``. The exit code is 1 if a result is not what the page promises.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from valence.training.corpora import catalog
from valence.training.corpora.example import Example

from tests.trials.bench.measure import say
from tests.trials.monitoring import accuracy, drift
from tests.trials.monitoring.accuracy import Comparison
from tests.trials.monitoring.drift import Alarms, Delay
from tests.trials.monitoring.held_out import ServedModel

PAGE = Path(__file__).parents[3] / "docs" / "measured" / "monitoring.md"
_START, _END = "<!-- measured: {} -->\n", "<!-- end: {} -->"
# of another kind of text, for each preset: a corpus of the other one
OTHERS = {"sentiment": "bbc", "topic": "crowdflower"}


def main() -> None:
    """Run the trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["sentiment", "topic"], metavar="MODEL")
    parser.add_argument("--only", choices=("drift", "accuracy"))
    parser.add_argument("--workspace", type=Path, default=Path(".valence"))
    parser.add_argument("--other", type=Path, action="append", default=[])
    asked = parser.parse_args()
    models = [ServedModel(name, asked.workspace) for name in asked.models]
    held = True
    if asked.only != "accuracy":
        found = [drift.count_alarms(model, load_others(model, asked.workspace)) for model in models]
        write("drift", draw_alarms(found))
        held &= all(
            one.false_alarms <= drift.MOST_FALSE_ALARMS and all(d.soon for d in one.delays)
            for one in found
        )
    if asked.only != "drift":
        others = {f"{path.parent.name}/{path.name}": read_texts(path) for path in asked.other}
        compared = [
            accuracy.compare(
                model,
                {
                    name: texts
                    for name, texts in others.items()
                    if (model.find_truth(texts) >= 0).any()
                },
            )
            for model in models
        ]
        write("accuracy", draw_comparisons(compared))
        held &= all(abs(own.points) <= accuracy.MOST_POINTS for own, _ in compared)
    sys.exit(not held)


def load_others(model: ServedModel, workspace: Path) -> dict[str, Sequence[Example]]:
    """Texts of another domain; none for a model that is no preset."""
    corpus = OTHERS.get(model.name)
    if corpus is None:
        return {}
    loaded = catalog.load_corpora((corpus,), cache=workspace / "corpora")
    return {f"texts of the corpus {corpus}": loaded.examples[:3_000]}


def read_texts(path: Path) -> list[Example]:
    """The labelled texts in a file of JSON lines, which may be compressed by gzip."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open() as file:
        rows = [json.loads(line) for line in file]
    return [Example(row["text"], str(row["label"]), path.name) for row in rows]


def draw_alarms(found: Sequence[Alarms]) -> str:
    """Two tables of alarms."""
    lines = [
        "| model | reference | texts of a run | windows of a run | runs | with a false alarm |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one.model} | {one.reference:,} | {one.null_texts:,} | {one.null_windows} | "
        f"{drift.NULL_RUNS} | {one.false_alarms} |"
        for one in found
    ]
    lines += [
        "",
        "| model | drift | with an alarm | drifting texts before it, median | most | signals |",
        "|---|---|---:|---:|---:|---|",
    ]
    lines += [_draw_delay(one.model, delay) for one in found for delay in one.delays]
    return "\n".join(lines)


def _draw_delay(model: str, delay: Delay) -> str:
    told = sorted(texts for texts in delay.texts if texts is not None)
    middle, most = (f"{told[len(told) // 2]:,}", f"{told[-1]:,}") if told else ("", "")
    return (
        f"| {model} | {delay.drift} | {len(told)} of {len(delay.texts)} | {middle} | {most} | "
        f"{', '.join(delay.signals)} |"
    )


def draw_comparisons(compared: Sequence[tuple[Comparison, Sequence[Comparison]]]) -> str:
    """A table of accuracies."""
    lines = [
        "| model | texts | number | accuracy | estimate, 95 % interval | points | confidence |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one.model} | {one.texts} | {one.count:,} | {one.true:.1%} | {one.estimated:.1%}, "
        f"{one.low:.1%} to {one.high:.1%} | {one.points:+.1f} | {one.confidence:.1%} |"
        for own, others in compared
        for one in (own, *others)
    ]
    return "\n".join(lines)


def write(title: str, content: str) -> None:
    """Print ``content``, and put it between its marks on the page."""
    say(content)
    start, end = _START.format(title), _END.format(title)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(start)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{start}\n{content}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
