"""The best configuration of a search as a TOML file, and the trials of a search as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState
from rich.markup import escape
from rich.table import Table
from valence.service.files.atomic_write import write_file
from valence.training.config import toml
from valence.training.experiments.search.space import Space, get_value
from valence.training.experiments.search.study import Study
from valence.training.experiments.search.trial import EPOCHS

_HEADER = """\
# The best of {count} trials of study {study!r} ({file}): trial {number}, dev macro-F1 {value:.4f}.
# The best of many trials on the same dev texts looks slightly too good. Test texts were not used.
# Written by: {command}
{changes}
"""


def write_winner(out: Path, study: Study, space: Space, study_file: Path, command: str) -> None:
    """Write the best configuration so far to ``out``, if there is one."""
    best = study.best
    if best is None or best.value is None:
        return
    chosen = space.make_configuration(best.params)
    changes = [
        f"# {key} was {before}\n"
        for key in space.axes
        if (before := get_value(space.base, key)) != get_value(chosen, key)
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
    write_file(out, header + toml.format_toml(chosen.as_json()))


def make_table(trials: Sequence[FrozenTrial], space: Space) -> Table:
    """A row for each trial: complete trials by score, then pruned, then failed trials."""
    titles = [key.rpartition(".")[2] for key in space.axes]
    table = Table("trial", "dev macro-F1", "epochs", "seconds", *titles)
    order = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    for trial in sorted(trials, key=lambda past: (order.index(past.state), -(past.value or 0.0))):
        epochs = trial.user_attrs.get(EPOCHS, [])
        values = [axis.decode(trial.params[key]) for key, axis in space.axes.items()]
        table.add_row(
            str(trial.number),
            _format_score(trial),
            str(len(epochs)),
            f"{sum(epoch['seconds'] for epoch in epochs):.0f}",
            *(escape(str(value)) for value in values),
        )
    return table


def _format_score(trial: FrozenTrial) -> str:
    if trial.state is TrialState.FAIL:
        return "failed"
    return f"{trial.value:.4f}" + (" stopped" if trial.state is TrialState.PRUNED else "")
