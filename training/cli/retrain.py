"""``valence retrain``."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from valence.service.errors import ConfigurationError
from valence.training.cli import tables
from valence.training.cli.options import (
    WORKSPACE,
    ConfigurationArgument,
    DataOptions,
    DeviceOption,
    EngineOption,
    SeedOption,
    TrackOption,
    WorkspaceOption,
    override_optimization,
    torch_device,
    warn_of_near_name,
)
from valence.training.cli.parameters import expand_options
from valence.training.cli.shadow import ShadowOptions, read_key
from valence.training.monitoring.need import Need, Reason, judge_need
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

KEPT = 3
"""The exit code of a run that kept the champion."""


@dataclass(frozen=True, slots=True)
class RetrainOptions:
    """How a challenger is trained and judged."""

    seed: SeedOption = None
    device: DeviceOption = "auto"
    engine: EngineOption = "auto"
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Confidence that the new model is better.")
    ] = 0.99
    kept_exit_code: Annotated[
        int,
        typer.Option(
            min=0,
            max=255,
            help="Exit code if the champion is kept; 0 where any other code counts as a fault.",
        ),
    ] = KEPT
    push: Annotated[
        str | None,
        typer.Option(
            help="A source of models, as in `valence push`: a version that is promoted is copied "
            "there, and promoted there too.",
            show_default=False,
        ),
    ] = None
    track: TrackOption = True
    workspace: WorkspaceOption = WORKSPACE
    shadow_hours: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=720.0,
            help="Have servers score the texts of clients with the challenger for so long before "
            "it is promoted; needs --shadow-from.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class NeedOptions:
    """What servers must have seen before a challenger is trained at all."""

    when: Annotated[
        Reason | None,
        typer.Option(
            help="Train only if the servers of --monitor have seen drift, or an estimated accuracy "
            "below that of the training.",
            show_default=False,
        ),
    ] = None
    monitor: Annotated[
        list[str] | None,
        typer.Option(
            help="Monitor of the servers: a URL such as http://valence:3000/v1/monitor, of which "
            "every address is asked, or a file with an answer. May be repeated.",
            show_default=False,
        ),
    ] = None
    when_points: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=100.0,
            help="Points that the estimated accuracy must have fallen by, for --when accuracy.",
        ),
    ] = 2.0

    def judge(self, name: str, *, key_file: Path | None) -> Need | None:
        """The need of a new version of the model ``name``; None if nothing is asked.

        The first version of a model is always needed. Raises :class:`ConfigurationError`.
        """
        if (self.when is None) != (not self.monitor):
            raise ConfigurationError(
                "--when and --monitor go together: the reason to train, and the servers that saw it"
            )
        if self.when is None or not self.monitor:
            return None
        from valence.training.pipeline.retraining import find_served

        served = find_served(name)
        if served is None:
            return None
        return judge_need(
            served, self.when, self.monitor, key=read_key(key_file), points=self.when_points
        )


@expand_options
def retrain(
    configuration: ConfigurationArgument = None,
    *,
    data: DataOptions,
    options: RetrainOptions,
    shadow: ShadowOptions,
    need: NeedOptions,
) -> None:
    """Train a challenger; promote it if it is better than the champion and no group pays for it.

    The exit code is 0 if the challenger was promoted, 3 (or --kept-exit-code) if the champion was
    kept or --when saw no reason to train, and another if there is no verdict. In a log only the
    verdict is written.
    """
    from valence.training.config import loader

    reporter = Reporter(quiet_in_logs=True)
    file = data.find_configuration(configuration, workspace=options.workspace, reporter=reporter)
    chosen = override_optimization(loader.load_configuration(file), seed=options.seed)
    # torch takes seconds to import
    from valence.training.pipeline import retraining
    from valence.training.pipeline.gate.shadow_trial import ShadowTrial
    from valence.training.registry import source_champion, store
    from valence.training.tracking.tracker import UNTRACKED, track_run

    trial = None
    if options.shadow_hours is not None and shadow.shadow_from:
        trial = ShadowTrial(
            options.shadow_hours, tuple(shadow.shadow_from), read_key(shadow.key_file)
        )
    elif options.shadow_hours is not None or shadow.shadow_from:
        raise ConfigurationError(
            "--shadow-hours and --shadow-from go together: how long the challenger is tried, and "
            "the metrics of the servers that try it"
        )
    found = need.judge(chosen.name, key_file=shadow.key_file)
    if found is not None:
        typer.echo(f"{'trained' if found.needed else 'not trained'}: {found.why}")
        if not found.needed:
            raise typer.Exit(options.kept_exit_code)
    # before a training that would be for nothing
    source = source_champion.open_address(options.push) if options.push else None
    warn_of_near_name(chosen.name, reporter)
    tracker = track_run(options.workspace, reporter) if options.track else nullcontext(UNTRACKED)
    with tracker as tracking:
        verdict, path = retraining.retrain_model(
            chosen,
            Run(Workspace(options.workspace), reporter, torch_device(options.device)),
            rules=shadow.make_rules(confidence=options.confidence),
            engine=options.engine,
            tracking=tracking,
            trial=trial,
        )
    if reporter.console.is_terminal:
        reporter.console.print(tables.verdict(verdict))
    typer.echo(verdict.summarize())
    typer.echo(f"{path}, and {path.with_suffix('.md').name} to read")
    if source is not None and verdict.decision != "kept":
        pushed = source_champion.publish_version(source, store.find_model(chosen.name))
        reporter.say(f"{pushed} is the champion at {source.address} too")
    if verdict.decision == "kept":
        raise typer.Exit(options.kept_exit_code)
    reporter.say(f"next: `valence serve --model {chosen.name}`")
