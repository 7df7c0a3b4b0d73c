"""A heat map of a unit over a text: a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from valence.service.files.atomic_write import write_file
from valence.training.char_lm.interpretable_units import InterpretableUnit

# steps between 0 and 1; neighbouring characters of the same step are one HTML element
_STEPS = 8


class Span(NamedTuple):
    """Characters of one colour; ``level`` is the rounded value of the unit, in [-1, 1]."""

    text: str
    level: float


def write_heatmap(
    path: Path,
    *,
    name: str,
    units: Sequence[tuple[InterpretableUnit, Sequence[Span]]],
) -> None:
    """Write a page to ``path`` that shows each of ``units`` with the text that it colours."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("cells.html.jinja").render(name=name, units=units)
    write_file(path, page)


def split_spans(text: str, values: NDArray[np.float32]) -> list[Span]:
    """``text`` in parts of one colour each, by the ``values`` ``(characters,)`` of a unit."""
    levels = np.round(values * _STEPS) / _STEPS
    pairs = zip(text, levels.tolist(), strict=True)
    return [
        Span("".join(character for character, _ in group), level)
        for level, group in groupby(pairs, key=lambda pair: pair[1])
    ]
