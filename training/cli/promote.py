"""``valence promote``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.cli.options import AtSourceOption
from valence.training.runtime.progress import Reporter


def promote(
    tag: Annotated[str, typer.Argument(help="A version of the store: NAME:VERSION.")],
    *,
    source: AtSourceOption = None,
) -> None:
    """Make a version the champion of its model: the version that is served."""
    from valence.training.registry import source_champion, store

    if source is None:
        champion, place = store.promote_version(tag), "of this store"
    else:
        opened = source_champion.open_address(source)
        champion, place = (
            source_champion.promote_version(opened, tag),
            f"that follow {opened.address}",
        )
    name = tag.partition(":")[0]
    Reporter().say(f"{name}:{champion.version} is the champion; servers {place} serve it")
    typer.echo(f"{name}:{champion.version}")
