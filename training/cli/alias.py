"""``valence alias``: names for versions that operators move."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.runtime.progress import Reporter

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

_TagArgument = Annotated[
    str, typer.Argument(metavar="NAME@ALIAS", help="The alias, such as reviews@blue.")
]


@app.callback()
def alias() -> None:
    """Name versions of a model: NAME@ALIAS is what running servers then answer with."""


@app.command("set")
def set_alias(
    tag: _TagArgument,
    version: Annotated[
        str, typer.Argument(help="A version of the store, or @OTHER: that of another alias now.")
    ],
) -> None:
    """Let an alias name a version; running servers load it, check it and serve it."""
    from valence.training.registry import store

    name = tag.partition("@")[0]
    found = store.set_alias(tag, version.removeprefix(f"{name}:"))
    Reporter().say(f"{tag} is {name}:{found.version}; servers of {name} with this store serve it")
    typer.echo(f"{name}:{found.version}")


@app.command("list")
def list_aliases(
    name: Annotated[
        str | None,
        typer.Argument(help="A model of the store; all models without it.", show_default=False),
    ] = None,
) -> None:
    """List the aliases of a model, or of all models: the alias, its version, when it was set."""
    from valence.training.registry import store

    for model in store.list_names() if name is None else [name]:
        for found, content in store.list_aliases(model).items():
            since = content.changes[-1].at if content.changes else ""
            typer.echo("\t".join((f"{model}@{found}", f"{model}:{content.version}", since)))


@app.command("delete")
def delete_alias(tag: _TagArgument) -> None:
    """Delete an alias; the version that it named stays in the store."""
    from valence.training.registry import store

    before = store.delete_alias(tag)
    name = tag.partition("@")[0]
    Reporter().say(f"{tag} is deleted; it was {name}:{before.version}")
