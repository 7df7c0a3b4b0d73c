"""``valence train``."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from valence.training.cli import tables
from valence.training.cli.options import (
    WORKSPACE,
    ConfigurationArgument,
    DataOptions,
    DeviceOption,
    FreshOption,
    SeedOption,
    TrackOption,
    UncheckedOption,
    WorkspaceOption,
    override_optimization,
    torch_device,
    warn_of_near_name,
)
from valence.training.cli.parameters import expand_options
from valence.training.runtime import distributed
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

if TYPE_CHECKING:
    from valence.training.config.schema import Expected
    from valence.training.metrics.scores import Evaluation
    from valence.training.pipeline.training_run import Trained


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How a training runs."""

    seed: SeedOption = None
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps, instead of the configured number, if texts are streamed.",
            show_default=False,
        ),
    ] = None
    device: DeviceOption = "auto"
    fresh: FreshOption = False
    baselines: Annotated[
        bool, typer.Option(help="Score a linear model (and VADER) on the same texts too.")
    ] = True
    track: TrackOption = True
    unchecked: UncheckedOption = False
    workspace: WorkspaceOption = WORKSPACE


@expand_options
def train(
    configuration: ConfigurationArgument = None, *, data: DataOptions, options: TrainOptions
) -> None:
    """Train a classifier and put it into the model store.

    Under torchrun all its processes train one classifier together.
    """
    from valence.training.config import loader

    reporter = Reporter(quiet=not distributed.is_first())
    with distributed.process_group():
        file = distributed.broadcast_from_first(
            lambda: data.find_configuration(
                configuration, workspace=options.workspace, reporter=reporter
            )
        )
        chosen = override_optimization(
            loader.load_configuration(file), seed=options.seed, steps=options.steps
        )
        # after everything that may be wrong: torch takes seconds to import
        from valence.training.pipeline import training_run
        from valence.training.tracking.tracker import UNTRACKED, track_run

        warn_of_near_name(chosen.name, reporter)
        track = options.track and distributed.is_first()
        with (
            track_run(options.workspace, reporter) if track else nullcontext(UNTRACKED) as tracking
        ):
            trained = training_run.train_classifier(
                chosen,
                Run(Workspace(options.workspace), reporter, torch_device(options.device)),
                fresh=options.fresh,
                with_baselines=options.baselines,
                tracking=tracking,
                unchecked=options.unchecked,
            )
    if not distributed.is_first():
        return
    _print_scores(trained, reporter)
    for shortfall in find_shortfalls(chosen.expected, trained.evaluations.get("test")):
        reporter.say(f"warning: {shortfall}, short of what {file} expects")
    _print_champion(chosen.name, trained.tag, reporter)
    typer.echo(trained.tag)


def _print_scores(trained: Trained, reporter: Reporter) -> None:
    rows = {f"{trained.tag} ({split})": scores for split, scores in trained.evaluations.items()}
    judged = trained.judged
    rows |= {f"{name} ({judged})": scores for name, scores in trained.baselines.items()}
    reporter.console.print(tables.scores(rows))
    record = trained.manifest.training
    memory = record.peak_memory_bytes / 2**20
    reporter.say(f"trained in {record.seconds:.0f} s, peak memory {memory:,.0f} MiB")


def _print_champion(name: str, tag: str, reporter: Reporter) -> None:
    from valence.training.registry import store

    champion = store.read_champion(name)
    if champion is not None:
        reporter.say(
            f"{name}:{champion.version} is the champion and is still what is served; "
            f"`valence promote {tag}` makes the new version the champion, `valence retrain` does "
            "so only if the new version is better"
        )


def find_shortfalls(expected: Expected | None, test: Evaluation | None) -> list[str]:
    """The published figures of a configuration that ``test`` does not reach, as sentences."""
    if expected is None or test is None:
        return []
    reached = getattr(test, expected.metric)
    shortfalls = []
    if reached < expected.test:
        shortfalls.append(f"{expected.metric} {reached:.4f} on test is below {expected.test:.4f}")
    if test.ece > expected.ece:
        shortfalls.append(f"ECE {test.ece:.4f} on test is above {expected.ece:.4f}")
    return shortfalls
