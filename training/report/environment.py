"""The templates of reports and cards, and how they are rendered."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).parent / "templates"


def make_environment(*, escaped: bool) -> Environment:
    """The environment of ``templates/``: ``escaped`` for HTML, not for Markdown.

    A name that a template lacks is an error. A Markdown template escapes names by a filter.
    """
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=escaped,  # noqa: S701 - Markdown templates escape names by a filter
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not escaped,
    )
