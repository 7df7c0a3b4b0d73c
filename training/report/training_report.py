"""The training report: scores, baselines and origin of a classifier in one HTML file.

The file is self-contained: it has no script and makes no request. It is readable on paper, in light
mode and in dark mode.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup
from valence.service.classifier.manifest import Manifest
from valence.service.files.atomic_write import write_file
from valence.training.behaviour.capability import Capability
from valence.training.metrics.scores import Evaluation
from valence.training.report import plots
from valence.training.report.confusions import list_confusions
from valence.training.report.environment import make_environment
from valence.training.trainer.checkpoint import Epoch


def write_training_report(
    path: Path,
    *,
    manifest: Manifest,
    evaluations: Mapping[str, Evaluation],
    baselines: Mapping[str, Evaluation],
    history: Sequence[Epoch],
    behaviour: Sequence[Capability] = (),
) -> None:
    """Write the report on the classifier of ``manifest`` to ``path``.

    ``evaluations`` are by split. Details are shown for ``test``, or for the last split where there
    is no test. ``baselines``, by name, are scored on the same texts. ``baselines``, ``history`` and
    ``behaviour`` may be empty. The same input gives the same bytes.
    """
    main_split = "test" if "test" in evaluations else list(evaluations)[-1]
    main = evaluations[main_split]
    environment = make_environment(escaped=True)
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    page = environment.get_template("report.html.jinja").render(
        manifest=manifest,
        main=main,
        single=manifest.task == "single_label",
        row=_list_figures,
        pairs=list_confusions(main),
        main_split=main_split,
        evaluations=evaluations,
        baselines=baselines,
        history=history,
        behaviour=behaviour,
        # both plots are SVG made of numbers and fixed words only
        learning_curve=Markup(  # noqa: S704
            plots.plot_learning_curve(history, kept_epoch=manifest.training.epochs)
        )
        if history
        else None,
        reliability=Markup(plots.plot_reliability(main)),  # noqa: S704
    )
    write_file(path, page)


def _list_figures(name: str, split: str, scores: Evaluation) -> tuple[str, ...]:
    """A row of the comparison with the baselines."""
    figures = (scores.macro_f1, scores.macro_recall, scores.ece, scores.brier, scores.log_loss)
    return (
        name,
        split,
        f"{scores.count:,}",
        f"{scores.accuracy:.1%}",
        *(f"{figure:.4f}" for figure in figures),
    )
