"""``rollback``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.runtime.progress import Reporter


def rollback(
    name: Annotated[str, typer.Argument(help="a model of the store")],
) -> None:
    """Make the champion before this one the champion again; nothing is deleted."""
    from valence.training.registry import store

    champion = store.roll_back(name)
    Reporter().say(f"{name}:{champion.version} is the champion; a server started now serves it")
    typer.echo(f"{name}:{champion.version}")
