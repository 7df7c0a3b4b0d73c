"""``valence sample``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer
from valence.training.cli.options import WORKSPACE, CharacterModelArgument, WorkspaceOption
from valence.training.runtime.workspace import Workspace


def sample(
    model: CharacterModelArgument,
    *,
    prime: Annotated[str, typer.Option(help="Text that the sample continues.")] = "",
    length: Annotated[int, typer.Option(min=1, help="Characters to generate.")] = 500,
    temperature: Annotated[
        float,
        typer.Option(
            min=0.0, help="1: as learnt; lower: more careful; 0: the likeliest character."
        ),
    ] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="Seed; another seed gives another text.")] = 0,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Generate text with a character model."""
    from valence.training.char_lm import checkpoint, generation

    saved = checkpoint.load_checkpoint(
        checkpoint.checkpoint_path(Workspace(workspace).characters, model)
    )
    drawn = generation.generate_characters(
        saved.build_network(), saved.alphabet, prime=prime, temperature=temperature, seed=seed
    )
    typer.echo(prime, nl=False)
    for character in islice(drawn, length):
        typer.echo(character, nl=False)
    typer.echo()
