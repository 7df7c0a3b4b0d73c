"""The report of an assessment, in Markdown and as self-contained HTML. It holds no texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from markupsafe import Markup
from valence.training.evaluation.assessment.assessment import Assessment
from valence.training.metrics.scores import Evaluation
from valence.training.report import plots
from valence.training.report.environment import make_environment

# characters of names that Markdown would read as markup
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")
METRIC_TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "macro_recall": "macro recall",
    "ece": "ECE",
    "brier": "Brier",
}


def render_markdown(assessment: Assessment, rows: Mapping[str, Evaluation], mistakes: str) -> str:
    """The report in Markdown; ``mistakes`` is the name of the file with the worst mistakes."""
    return _render("assessment.md.jinja", assessment, rows, mistakes, escaped=False)


def render_html(assessment: Assessment, rows: Mapping[str, Evaluation], mistakes: str) -> str:
    """The report as an HTML page, without scripts and requests."""
    return _render("assessment.html.jinja", assessment, rows, mistakes, escaped=True)


def _render(
    template: str,
    assessment: Assessment,
    rows: Mapping[str, Evaluation],
    mistakes: str,
    *,
    escaped: bool,
) -> str:
    environment = make_environment(escaped=escaped)
    plain: Callable[[object], str] = str
    # the plot is SVG made of numbers and fixed words only
    plot = plots.plot_reliability(assessment.evaluation) if escaped else ""
    reliability = Markup(plot)  # noqa: S704
    environment.filters["name"] = plain if escaped else _escape_name
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    environment.filters["number"] = lambda count: f"{count:,}"
    return environment.get_template(template).render(
        found=assessment,
        rows=rows,
        figures=METRIC_TITLES,
        mistakes=mistakes,
        behaviour=assessment.behaviour,
        multi=assessment.evaluation.task == "multi_label",
        reliability=reliability,
    )


def _escape_name(text: object) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
