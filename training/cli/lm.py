"""``valence lm``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from valence.training.cli.options import (
    WORKSPACE,
    DeviceOption,
    FreshOption,
    SeedOption,
    WorkspaceOption,
    override_optimization,
    torch_device,
)
from valence.training.config.locations import find_configuration
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

CONFIGURATIONS = Path(__file__).parents[1] / "char_lm" / "configs"


def lm(
    configuration: Annotated[
        Path, typer.Argument(help="A configuration such as `news`, or a TOML file.")
    ],
    *,
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    fresh: FreshOption = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Train a character-level language model, which predicts the next character."""
    from valence.training.char_lm import config as configurations

    file = find_configuration(configuration, (CONFIGURATIONS,))
    chosen = override_optimization(configurations.read_configuration(file), seed=seed)
    from valence.training.char_lm import checkpoint, documents, loop, ngram
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
    encoded = [
        saved.alphabet.encode(documents.join_documents(part)) for part in (texts.train, texts.test)
    ]
    counted = ngram.measure_ngram_bits(*encoded, characters=len(saved.alphabet))
    reporter.say(f"a {ngram.ORDER}-gram model of the same text: {counted:.3f} bits a character")
    if chosen.expected is not None and reached > chosen.expected.bits:
        reporter.say(
            f"warning: {reached:.3f} bits a character on test, {file} expects "
            f"{chosen.expected.bits:.3f}"
        )
    typer.echo(chosen.name)
