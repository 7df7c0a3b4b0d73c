"""``promote``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.runtime.progress import Reporter


def promote(
    tag: Annotated[str, typer.Argument(help="NAME:VERSION, of the model store")],
) -> None:
    """Make a version the champion of its model: the one that is served, whatever is trained."""
    from valence.training.registry import store

    champion = store.promote_version(tag)
    name = tag.partition(":")[0]
    Reporter().say(f"{name}:{champion.version} is the champion; a server started now serves it")
    typer.echo(f"{name}:{champion.version}")
