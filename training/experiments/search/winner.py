"""The best configuration of a search as a file that ``train`` takes, and its trials as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState
from rich.markup import escape
from rich.table import Table
from valence.training.config import toml
from valence.training.experiments.search.space import Space, at
from valence.training.experiments.search.study import Study
from valence.training.experiments.search.trial import EPOCHS

_HEADER = """\
# The best of {count} trials of study {study!r} ({file}): trial {number}, dev macro-F1 {value:.4f}.
# The best of many on the same dev texts flatters itself a little; test texts were not looked at.
# Written by: {command}
{changes}
"""


def write(out: Path, study: Study, space: Space, study_file: Path, command: str) -> None:
    """Replace ``out`` by the best configuration so far, if there is one."""
    best = study.best
    if best is None or best.value is None:
        return
    chosen = space.configuration(best.params)
    changes = [
        f"# {key} was {before}\n"
        for key in space.axes
        if (before := at(space.base, key)) != at(chosen, key)
    ]
    header = _HEADER.format(
        count=len(study.trials),
        study=study.name,
        file=study_file,
        number=best.number,
        value=best.value,
        command=command,
        changes="".join(changes),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f"{out.name}.unfinished")
    unfinished.write_text(header + toml.format_toml(chosen.as_json()), encoding="utf-8")
    unfinished.replace(out)


def table(trials: Sequence[FrozenTrial], space: Space) -> Table:
    """A row a trial, the best first, then those stopped early, then those that failed."""
    titles = [key.rpartition(".")[2] for key in space.axes]
    shown = Table("trial", "dev macro-F1", "epochs", "seconds", *titles)
    order = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    for trial in sorted(trials, key=lambda one: (order.index(one.state), -(one.value or 0.0))):
        epochs = trial.user_attrs.get(EPOCHS, [])
        values = [axis.value(trial.params[key]) for key, axis in space.axes.items()]
        shown.add_row(
            str(trial.number),
            _figure(trial),
            str(len(epochs)),
            f"{sum(epoch['seconds'] for epoch in epochs):.0f}",
            *(escape(str(value)) for value in values),
        )
    return shown


def _figure(trial: FrozenTrial) -> str:
    if trial.state is TrialState.FAIL:
        return "failed"
    return f"{trial.value:.4f}" + (" stopped" if trial.state is TrialState.PRUNED else "")
