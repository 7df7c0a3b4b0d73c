"""``valence promote``."""

from __future__ import annotations

from typing import Annotated

import typer
from valence.service.errors import ConfigurationError
from valence.training.cli.options import AtSourceOption
from valence.training.cli.parameters import expand_options
from valence.training.cli.retrain import KEPT
from valence.training.cli.shadow import ShadowOptions, read_report
from valence.training.runtime.progress import Reporter


@expand_options
def promote(
    tag: Annotated[str, typer.Argument(help="A version of the store: NAME:VERSION.")],
    *,
    source: AtSourceOption = None,
    shadow: ShadowOptions,
) -> None:
    """Make a version the champion of its model: the version that is served.

    With --shadow-from, only if shadow scoring speaks for it; the exit code is 3 if it does not.
    """
    from valence.training.registry import source_champion, store

    if shadow.shadow_from:
        if source is not None:
            raise ConfigurationError(
                "--shadow-from compares with the champion of this store, and --source promotes at "
                "another place; look at `valence shadow report`, then promote without --shadow-from"
            )
        _require_evidence(tag, shadow)
    if source is None:
        champion, place = store.promote_version(tag), "of this store"
    else:
        opened = source_champion.open_address(source)
        champion, place = (
            source_champion.promote_version(opened, tag),
            f"that follow {opened.address}",
        )
    name = tag.partition(":")[0]
    Reporter().say(f"{name}:{champion.version} is the champion; servers {place} serve it")
    typer.echo(f"{name}:{champion.version}")


def _require_evidence(tag: str, shadow: ShadowOptions) -> None:
    """End with the code of a kept champion unless ``tag`` passes the checks of the evidence."""
    from valence.training.pipeline.gate.shadow import check_evidence
    from valence.training.registry import store

    name, _, version = tag.partition(":")
    served = store.find_model(name).name
    report = read_report(name, shadow.shadow_from or (), shadow.key_file)
    checks = check_evidence(report.find(served, version), shadow.make_rules())
    reasons = [check.reason for check in checks if check.passed is False]
    if reasons:
        typer.echo(f"kept: {name}:{served} stays, {tag} is not promoted: {'; '.join(reasons)}")
        raise typer.Exit(KEPT)
