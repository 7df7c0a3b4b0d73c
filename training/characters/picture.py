"""Text coloured by one unit: an HTML page that is whole in itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from valence.training.characters.cells import Found

# one after the other with the same colour are one element
_STEPS = 8


class Run(NamedTuple):
    """Characters of one colour: ``level`` from -1 to 1, the unit's output in steps."""

    text: str
    level: float


def write(
    path: Path,
    *,
    name: str,
    text: str,
    units: Sequence[tuple[Found, NDArray[np.float32]]],
) -> None:
    """Write ``text`` once for each of ``units``, coloured by its outputs ``(characters,)``."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("cells.html.jinja").render(
        name=name, units=[(found, _runs(text, values)) for found, values in units]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _runs(text: str, values: NDArray[np.float32]) -> list[Run]:
    levels = np.round(values * _STEPS) / _STEPS
    pairs = zip(text, levels.tolist(), strict=True)
    return [
        Run("".join(character for character, _ in group), level)
        for level, group in groupby(pairs, key=lambda pair: pair[1])
    ]
