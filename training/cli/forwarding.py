"""Commands of the service: the command line passes their arguments on unread."""

from __future__ import annotations

import typer

SETTINGS = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    # `--help` is the command's own
    "help_option_names": [],
}
"""How typer must read such a command: not at all."""


def score(context: typer.Context) -> None:
    """Score a file of texts without a server; an interrupted run continues."""
    from valence.service.score.__main__ import main

    main(context.args)


def keys(context: typer.Context) -> None:
    """Make API keys: `valence keys new NAME`."""
    from valence.service.keys.__main__ import main

    raise typer.Exit(main(context.args))


def bento(context: typer.Context) -> None:
    """Package the service with the models that it would serve, as `bentoml build` does."""
    from valence.service.registry.bento import main

    main(context.args)
