"""An assessment for people: Markdown, and HTML that is whole in itself; neither holds a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from markupsafe import Markup
from valence.training.evaluation.assessment.assessment import Assessment
from valence.training.metrics.scores import Evaluation
from valence.training.report import plots
from valence.training.report.environment import make_environment

# what Markdown would read as its own, in names that others gave
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")
FIGURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "macro_recall": "macro recall",
    "ece": "ECE",
    "brier": "Brier",
}


def markdown(found: Assessment, rows: Mapping[str, Evaluation], mistakes: str) -> str:
    """The assessment as Markdown; ``mistakes`` is the file that lists them."""
    return _render("assessment.md.jinja", found, rows, mistakes, escaped=False)


def html(found: Assessment, rows: Mapping[str, Evaluation], mistakes: str) -> str:
    """The assessment as a page without script or request."""
    return _render("assessment.html.jinja", found, rows, mistakes, escaped=True)


def _render(
    template: str,
    found: Assessment,
    rows: Mapping[str, Evaluation],
    mistakes: str,
    *,
    escaped: bool,
) -> str:
    environment = make_environment(escaped=escaped)
    plain: Callable[[object], str] = str
    environment.filters["name"] = plain if escaped else _name
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    environment.filters["number"] = lambda count: f"{count:,}"
    return environment.get_template(template).render(
        found=found,
        rows=rows,
        figures=FIGURES,
        mistakes=mistakes,
        behaviour=found.behaviour,
        multi=found.evaluation.task == "multi_label",
        # SVG that this program drew, of numbers and fixed words alone
        reliability=Markup(plots.plot_reliability(found.evaluation)) if escaped else "",  # noqa: S704
    )


def _name(text: object) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
