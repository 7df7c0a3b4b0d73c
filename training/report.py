"""One HTML file that shows how good a classifier is, against what, and where it came from.

It is whole in itself: no script, no request, readable on paper, in light and in dark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from valence.service.classifier.manifest import Manifest
from valence.training import plots
from valence.training.behaviour.result import Capability
from valence.training.checkpoint import Epoch
from valence.training.evaluation import Evaluation


def write(
    path: Path,
    *,
    manifest: Manifest,
    evaluations: Mapping[str, Evaluation],
    baselines: Mapping[str, Evaluation],
    history: Sequence[Epoch],
    behaviour: Sequence[Capability] = (),
) -> None:
    """Write the report on the classifier of ``manifest`` to ``path``.

    ``evaluations`` are by split; details are shown of ``test``, or of the last one without it.
    ``baselines``, by name, are on the same texts; they, ``history`` and ``behaviour`` may be empty.
    The same input gives the same bytes.
    """
    main_split = "test" if "test" in evaluations else list(evaluations)[-1]
    main = evaluations[main_split]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: f"{share:.1%}".replace("%", "\u202f%")
    environment.filters["number"] = lambda count: f"{count:,}".replace(",", "\u202f")
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    page = environment.get_template("report.html.jinja").render(
        manifest=manifest,
        main=main,
        single=manifest.task == "single_label",
        main_split=main_split,
        evaluations=evaluations,
        baselines=baselines,
        history=history,
        behaviour=behaviour,
        # the two are SVG that this program drew, of numbers and fixed words alone
        learning_curve=Markup(  # noqa: S704
            plots.learning_curve(history, kept_epoch=manifest.training.epochs)
        )
        if history
        else None,
        reliability=Markup(plots.reliability(main)),  # noqa: S704
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
