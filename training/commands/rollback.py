"""``rollback``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.progress import Reporter


def rollback(
    name: Annotated[str, typer.Argument(help="a model of the store")],
) -> None:
    """Make the champion before this one the champion again; nothing is deleted."""
    from valence.training import store

    champion = store.rollback(name)
    Reporter().say(f"{name}:{champion.version} is the champion; a server started now serves it")
    typer.echo(f"{name}:{champion.version}")
