"""The Jinja environment for the templates of reports and model cards."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).parent / "templates"


def make_environment(*, escaped: bool) -> Environment:
    """The environment of ``templates/``; ``escaped`` is for HTML, not for Markdown.

    An undefined name in a template is an error. A Markdown template escapes names with a filter.
    The filters ``percent`` and ``number`` tell shares and counts.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=escaped,  # noqa: S701 - Markdown templates escape names with a filter
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not escaped,
        extensions=["jinja2.ext.do"],
    )
    environment.filters["percent"] = "{:.1%}".format
    environment.filters["number"] = "{:,}".format
    return environment
