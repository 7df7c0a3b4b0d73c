"""``valence pull``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.service.settings import Settings
from valence.training.cli.options import SourceArgument
from valence.training.runtime.progress import Reporter


def pull(
    tag: Annotated[
        str,
        typer.Argument(
            help="NAME (what its aliases name, else its latest version) or NAME:VERSION."
        ),
    ],
    source: SourceArgument,
    *,
    max_bytes: Annotated[
        int, typer.Option(min=1024, help="Maximum size of a version, asked before the download.")
    ] = Settings.model_fields["model_max_bytes"].default,
) -> None:
    """Copy a model of a source, with its aliases, into the store, verified; nothing is deleted."""
    from valence.service.registry import bento_store
    from valence.service.registry.address import Address
    from valence.service.registry.tag import Tag
    from valence.service.sources.kinds import open_source
    from valence.service.sources.replica import Replica

    address = Address.parse(source)
    bento_store.folder().mkdir(parents=True, exist_ok=True)
    name, version, _ = Tag.parse(tag)
    replica = Replica(open_source(address), max_bytes=max_bytes, mirror=False)
    change = replica.refresh(name, version, verify=True)
    for version in change.versions:
        Reporter().say(f"{name}:{version} was copied from {address}")
    if not change.versions:
        Reporter().say(f"the store holds what {address} names already")
    for version in change.versions:
        typer.echo(f"{name}:{version}")
    Reporter().say(f"next: `valence serve --model {name}`")
