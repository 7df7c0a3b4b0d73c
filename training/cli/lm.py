"""``lm``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from valence.training.cli.options import (
    WORKSPACE,
    DeviceOption,
    SeedOption,
    WorkspaceOption,
    torch_device,
    with_optimization,
)
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace


def lm(
    configuration: Annotated[
        Path, typer.Argument(help="a file like training/char_lm/configs/*.toml")
    ],
    *,
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="start over instead of continuing an interrupted run")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Train a character-level language model: which character comes next?"""
    from valence.training.char_lm import config as configurations

    chosen = with_optimization(configurations.read_configuration(configuration), seed=seed)
    from valence.training.char_lm import checkpoint, documents, loop
    from valence.training.trainer.checkpoint import hold_run

    reporter = Reporter()
    places = Workspace(workspace)
    texts = documents.load_documents(chosen.data, cache=places.corpora, progress=reporter.say)
    reporter.say(
        " / ".join(
            f"{len(documents.join_documents(part)):,}"
            for part in (texts.train, texts.dev, texts.test)
        )
        + " characters in train / dev / test"
    )
    target = checkpoint.checkpoint_path(places.characters, chosen.name)
    with hold_run(target):
        saved = loop.train_model(
            chosen,
            texts,
            target=target,
            run=Run(places, reporter, torch_device(device)),
            fresh=fresh,
        )
    reached = saved.test_bits or 0.0
    reporter.say(
        f"test: {reached:.3f} bits a character, perplexity {2**reached:.2f} per character; {target}"
    )
    if chosen.expected is not None and reached > chosen.expected.bits:
        reporter.say(
            f"warning: {reached:.3f} bits a character on test, {configuration} expects "
            f"{chosen.expected.bits:.3f}"
        )
    typer.echo(chosen.name)
