"""The report of an assessment, in Markdown and as self-contained HTML.

It holds no texts, unless the page is asked to quote the worst mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from markupsafe import Markup
from valence.training.evaluation.assessment.assessment import Assessment
from valence.training.metrics.scores import Evaluation
from valence.training.report import plots
from valence.training.report.confusions import list_confusions
from valence.training.report.environment import make_environment

# characters of names that Markdown would read as markup
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")
_MISTAKES_SHOWN = 20
METRIC_TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "macro_recall": "macro recall",
    "ece": "ECE",
    "brier": "Brier",
}


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The worst mistakes, and the name of the file that has them with their texts.

    ``with_texts`` is whether the page quotes texts too.
    """

    file: str
    worst: Sequence[Mapping[str, Any]] = ()
    with_texts: bool = False


def render_markdown(assessment: Assessment, rows: Mapping[str, Evaluation], mistakes: str) -> str:
    """The report in Markdown; ``mistakes`` is the name of the file with the worst mistakes."""
    environment = make_environment(escaped=False)
    environment.filters["name"] = _escape_name
    return _render(environment, "assessment.md.jinja", assessment, rows=rows, mistakes=mistakes)


def render_html(assessment: Assessment, rows: Mapping[str, Evaluation], mistakes: Mistakes) -> str:
    """The report as an HTML page, without scripts and requests."""
    name, _, version = assessment.model.partition(":")
    return _render(
        make_environment(escaped=True),
        "assessment.html.jinja",
        assessment,
        # a version has some 30 characters, and the page names it at its top
        rows={title.replace(assessment.model, name): value for title, value in rows.items()},
        mistakes=mistakes.file,
        worst=mistakes.worst[:_MISTAKES_SHOWN],
        texts=mistakes.with_texts,
        name=name,
        version=version,
        verdict=list(tell_verdict(assessment)),
        pairs=list_confusions(assessment.evaluation),
        # the plot is SVG made of numbers and fixed words only
        reliability=Markup(plots.plot_reliability(assessment.evaluation)),  # noqa: S704
    )


def tell_verdict(assessment: Assessment) -> Iterator[str]:
    """What a reader wants to know first, a sentence or two a line."""
    found = assessment.evaluation
    low, high = assessment.intervals["accuracy"]
    right = "exactly the right labels" if found.task == "multi_label" else "the right label"
    yield f"{found.accuracy:.1%} of {found.count:,} texts get {right}."
    recorded = assessment.recorded_accuracy
    if recorded is not None and low <= recorded <= high:
        yield f"Chance explains the difference from its own held-out texts ({recorded:.1%})."
    elif recorded is not None:
        points = abs(found.accuracy - recorded) * 100
        side = "above" if found.accuracy > recorded else "below"
        yield f"That is {points:.1f} points {side} its own held-out texts ({recorded:.1%})."
    label, weakest = min(
        ((label, one) for label, one in found.by_label.items() if one.support),
        key=lambda item: item[1].f1,
        default=("", None),
    )
    if weakest is not None:
        yield f"The weakest label is {label}: F1 {weakest.f1:.3f}, of {weakest.support:,} texts."
    if assessment.comparison is not None:
        change = assessment.comparison.changes["macro_f1"]
        if change.low <= 0 <= change.high:
            yield "Chance explains the difference from the other model in macro-F1."
        else:
            side = "better" if change.value > 0 else "worse"
            yield f"It is {side} than the other model by {abs(change.value):.3f} in macro-F1."


def _render(environment: Environment, template: str, assessment: Assessment, **more: object) -> str:
    return environment.get_template(template).render(
        found=assessment,
        figures=METRIC_TITLES,
        behaviour=assessment.behaviour,
        multi=assessment.evaluation.task == "multi_label",
        **more,
    )


def _escape_name(text: object) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
