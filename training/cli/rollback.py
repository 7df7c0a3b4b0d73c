"""``valence rollback``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.runtime.progress import Reporter


def rollback(
    name: Annotated[str, typer.Argument(help="A model of the store, by its name.")],
) -> None:
    """Make the previous champion the champion again; nothing is deleted."""
    from valence.training.registry import store

    champion = store.roll_back(name)
    Reporter().say(f"{name}:{champion.version} is the champion; servers of this store serve it")
    typer.echo(f"{name}:{champion.version}")
