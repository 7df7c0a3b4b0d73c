"""``valence promote``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.runtime.progress import Reporter


def promote(
    tag: Annotated[str, typer.Argument(help="A version of the store: NAME:VERSION.")],
) -> None:
    """Make a version the champion of its model: the version that is served."""
    from valence.training.registry import store

    champion = store.promote_version(tag)
    name = tag.partition(":")[0]
    Reporter().say(f"{name}:{champion.version} is the champion; servers of this store serve it")
    typer.echo(f"{name}:{champion.version}")
