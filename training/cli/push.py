"""``valence push``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.cli.options import ModelArgument, SourceArgument
from valence.training.runtime.progress import Reporter


def push(
    tag: ModelArgument,
    source: SourceArgument,
    *,
    promote: Annotated[
        bool,
        typer.Option(
            "--promote", help="Make the version the champion there, which services then serve."
        ),
    ] = False,
) -> None:
    """Copy a version of the store to a source of models; it appears there whole."""
    from valence.service.sources.publication import push_version
    from valence.training.registry import source_champion, store

    folder = store.find_model(tag)
    pushed = f"{folder.parent.name}:{folder.name}"
    opened = source_champion.open_address(source)
    new = push_version(opened, folder)
    Reporter().say(f"{pushed} {'is now' if new else 'was already'} at {opened.address}")
    if promote:
        source_champion.promote_version(opened, pushed)
        Reporter().say(f"{pushed} is the champion; services that follow {opened.address} serve it")
    typer.echo(pushed)
    if not promote:
        Reporter().say(f"next: `valence promote {pushed} --source {opened.address}`")
