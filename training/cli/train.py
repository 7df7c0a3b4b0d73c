"""``valence train``."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from valence.service.errors import ConfigurationError
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
    from valence.training.config.schema import Configuration, Expected
    from valence.training.metrics.scores import Evaluation
    from valence.training.pipeline.selection.recipes import Quality
    from valence.training.pipeline.training_run import Trained


@dataclass(frozen=True, slots=True)
class QualityOptions:
    """Which recipes are tried for texts of one's own, and for how long."""

    quality: Annotated[
        str | None,
        typer.Option(
            help="For --data: fast (a linear model), balanced (the better of a linear model, a "
            "network and their sum) or best (networks that teachers have taught, too).",
            show_default="balanced",
        ),
    ] = None
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Begin no further trial of a recipe after so many minutes.",
            show_default=False,
        ),
    ] = None
    unlabelled: Annotated[
        list[str] | None,
        typer.Option(
            help="Texts without labels, in a column of the same name as --text: an encoder that "
            "learns from --data labels them for the model. May be repeated.",
            show_default=False,
        ),
    ] = None
    class_weights: Annotated[
        str,
        typer.Option(
            help="balanced: the texts of each label weigh the same together, so that rare labels "
            "are found more often; none: all texts weigh the same."
        ),
    ] = "none"
    test: Annotated[
        bool,
        typer.Option(
            help="Keep a tenth of the texts for the test. Without, all are learnt from, for test "
            "texts that are elsewhere."
        ),
    ] = True


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
    configuration: ConfigurationArgument = None,
    *,
    data: DataOptions,
    quality: QualityOptions,
    options: TrainOptions,
) -> None:
    """Train a classifier and put it into the model store.

    Under torchrun all its processes train one classifier together.
    """
    from valence.training.config import loader

    reporter = Reporter(quiet=not distributed.is_first())
    configuration, data = data.with_argument(configuration)
    chosen_quality = check_quality(quality, is_data=bool(data.data))
    with distributed.process_group():
        file = distributed.broadcast_from_first(
            lambda: data.find_configuration(
                configuration, workspace=options.workspace, reporter=reporter
            )
        )
        chosen = override_optimization(
            loader.load_configuration(file), seed=options.seed, steps=options.steps
        )
        if chosen_quality is not None:
            chosen = _adapt_to_data(chosen, data, quality)
        # after everything that may be wrong: torch takes seconds to import
        from valence.training.pipeline import training_run
        from valence.training.tracking.tracker import UNTRACKED, track_run

        warn_of_near_name(chosen.name, reporter)
        run = Run(Workspace(options.workspace), reporter, torch_device(options.device))
        if chosen_quality is not None and distributed.world_size() == 1:
            from valence.training.pipeline.selection import selection

            chosen = selection.choose_configuration(
                chosen, run, quality=chosen_quality, minutes=quality.minutes
            )
            selection.write_choice(file, chosen)
        track = options.track and distributed.is_first()
        with (
            track_run(options.workspace, reporter) if track else nullcontext(UNTRACKED) as tracking
        ):
            trained = training_run.train_classifier(
                chosen,
                run,
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
    reporter.say(f"next: `valence evaluate {chosen.name}`, `valence serve --model {chosen.name}`")


def _adapt_to_data(
    chosen: Configuration, data: DataOptions, quality: QualityOptions
) -> Configuration:
    """``chosen`` with what the command line says of the data.

    Raises :class:`ConfigurationError` for what the data do not allow.
    """
    from valence.training.config import loader
    from valence.training.config.schema import UnlabelledTexts

    content = chosen.as_json()
    changes = {"class_weights": quality.class_weights}
    if not quality.test:
        changes["split"] = "stratified"
    content["data"] = {**chosen.data.model_dump(mode="json"), **changes}
    chosen = loader.parse_configuration(content, source="the command line")
    if quality.unlabelled:
        # for the recipes that have a teacher
        others = UnlabelledTexts(
            files=tuple(quality.unlabelled), text=data.text, encoding=data.encoding
        )
        chosen = chosen.model_copy(update={"unlabelled": others})
    return chosen


def check_quality(options: QualityOptions, *, is_data: bool) -> Quality | None:
    """The quality that is asked for; None for a configuration, which is trained as it is.

    Raises :class:`ConfigurationError` for another word, and for a configuration with a quality.
    """
    from valence.training.pipeline.selection.recipes import QUALITIES

    given = options.quality
    if given is not None and given not in QUALITIES:
        raise ConfigurationError(f"--quality {given!r}: give {', '.join(QUALITIES)}")
    if is_data:
        return next((one for one in QUALITIES if one == given), "balanced")
    if options != QualityOptions():
        raise ConfigurationError(
            "--quality, --minutes, --unlabelled, --class-weights and --no-test are for --data; a "
            "configuration has its settings, so leave them out"
        )
    return None


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
