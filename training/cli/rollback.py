"""``valence rollback``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.cli.options import AtSourceOption
from valence.training.runtime.progress import Reporter


def rollback(
    name: Annotated[str, typer.Argument(help="A model of the store, by its name.")],
    *,
    source: AtSourceOption = None,
) -> None:
    """Make the previous champion the champion again; nothing is deleted."""
    from valence.training.registry import source_champion, store

    if source is None:
        champion, place = store.roll_back(name), "of this store"
    else:
        opened = source_champion.open_address(source)
        champion, place = source_champion.roll_back(opened, name), f"that follow {opened.address}"
    Reporter().say(f"{name}:{champion.version} is the champion; servers {place} serve it")
    typer.echo(f"{name}:{champion.version}")
