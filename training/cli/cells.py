"""``valence cells``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from valence.service.files.atomic_write import require_path
from valence.training.cli.options import WORKSPACE, CharacterModelArgument, WorkspaceOption
from valence.training.runtime.progress import Reporter
from valence.training.runtime.workspace import Workspace


def cells(
    model: CharacterModelArgument,
    *,
    characters: Annotated[
        int,
        typer.Option(min=1_000, help="Characters of the dev and of the test text that are read."),
    ] = 200_000,
    shown: Annotated[
        int, typer.Option(min=1, help="Characters that the picture shows for each unit.")
    ] = 1_000,
    units: Annotated[int, typer.Option(min=1, help="Units that the picture shows.")] = 12,
    output: Annotated[
        Path | None, typer.Option(help="File of the picture.", show_default="beside the model")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Find units of a character model that a person can interpret, and colour text by them."""
    from valence.training.char_lm import checkpoint, documents, features, heatmap
    from valence.training.char_lm import interpretable_units as finder

    reporter = Reporter()
    places = Workspace(workspace)
    output = output or places.characters / f"{model}-cells.html"
    require_path(output)
    saved = checkpoint.load_checkpoint(checkpoint.checkpoint_path(places.characters, model))
    network = saved.build_network()
    texts = documents.load_documents(
        saved.configuration.data, cache=places.corpora, progress=reporter.say
    )
    found = finder.find_units(
        network, saved.alphabet, dev=texts.dev, test=texts.test, characters=characters
    )
    table = Table("feature", "layer", "unit", "correlation", "where it was chosen", "AUC")
    for one in found:
        table.add_row(
            one.feature,
            str(one.layer),
            str(one.unit),
            f"{one.correlation:.3f}",
            f"{one.chosen_correlation:.3f}",
            "" if one.auc is None else f"{one.auc:.3f}",
        )
    reporter.console.print(table)
    read = documents.take_documents(texts.test, characters)
    text, values = documents.join_documents(read), features.compute_features(read)
    pictures = []
    for one in found[:units]:
        part = finder.find_passage(values[one.feature], shown)
        place = (one.layer - 1) * network.hidden_size + one.unit
        held = finder.compute_activations(network, saved.alphabet, text[: part.stop], [place])
        pictures.append((one, heatmap.split_spans(text[part], held[part, 0])))
    heatmap.write_heatmap(output, name=model, units=pictures)
    typer.echo(output)
