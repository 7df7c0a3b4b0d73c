"""``train``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from valence.service.files.encodings import AUTO
from valence.training.cli import tables
from valence.training.cli.options import (
    WORKSPACE,
    ConfigurationFile,
    DataOption,
    DeviceOption,
    EncodingOption,
    LabelOption,
    MultiLabelOption,
    NameOption,
    SeedOption,
    SeparatorOption,
    TextOption,
    TrackOption,
    WorkspaceOption,
    configuration_file,
    torch_device,
    with_optimization,
)
from valence.training.runtime import distributed
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

if TYPE_CHECKING:
    from valence.training.config.schema import Expected
    from valence.training.metrics.scores import Evaluation


def train(
    configuration: ConfigurationFile = None,
    *,
    data: DataOption = None,
    text: TextOption = "text",
    label: LabelOption = "label",
    multi_label: MultiLabelOption = False,
    separator: SeparatorOption = "|",
    encoding: EncodingOption = AUTO,
    name: NameOption = None,
    seed: SeedOption = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="instead of those configured, where texts are streamed"),
    ] = None,
    device: DeviceOption = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="start over instead of continuing an interrupted run")
    ] = False,
    baselines: Annotated[
        bool, typer.Option(help="score a linear model (and VADER) on the same texts too")
    ] = True,
    track: TrackOption = True,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="train whatever the checks find in the data")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Train the classifier a configuration describes and put it into the model store.

    Under torchrun, all its processes train it together.
    """
    from valence.training.config import schema as configurations

    reporter = Reporter(quiet=not distributed.is_first())
    with distributed.together():
        given = configuration
        configuration = distributed.from_first(
            lambda: configuration_file(
                given,
                data,
                text=text,
                label=label,
                multi_label=multi_label,
                separator=separator,
                encoding=encoding,
                name=name,
                workspace=workspace,
                reporter=reporter,
            )
        )
        chosen = with_optimization(configurations.load(configuration), seed=seed, steps=steps)
        # after what may be wrong: torch takes seconds to import
        from valence.training.pipeline import training_run
        from valence.training.registry import store
        from valence.training.tracking.tracker import UNTRACKED, tracked

        track = track and distributed.is_first()
        with tracked(workspace, reporter) if track else nullcontext(UNTRACKED) as tracking:
            trained = training_run.train(
                chosen,
                Run(Workspace(workspace), reporter, torch_device(device)),
                fresh=fresh,
                with_baselines=baselines,
                tracking=tracking,
                unchecked=unchecked,
            )
    if not distributed.is_first():
        return
    rows = {f"{trained.tag} ({name})": value for name, value in trained.evaluations.items()}
    judged = trained.judged
    rows |= {f"{name} ({judged})": value for name, value in trained.baselines.items()}
    reporter.console.print(tables.scores(rows))
    record = trained.manifest.training
    reporter.say(
        f"trained in {record.seconds:.0f} s, peak memory "
        f"{record.peak_memory_bytes / 2**20:,.0f} MiB"
    )
    for shortfall in shortfalls(chosen.expected, trained.evaluations.get("test")):
        reporter.say(f"warning: {shortfall}, short of what {configuration} expects")
    champion = store.current(chosen.name)
    if champion is not None:
        reporter.say(
            f"{chosen.name}:{champion.version} is the champion and stays what is served; "
            f"`make promote TAG={trained.tag}` makes this one it, `make retrain` only if it is "
            "better"
        )
    typer.echo(trained.tag)


def shortfalls(expected: Expected | None, test: Evaluation | None) -> list[str]:
    """Where a run fell short of its configuration's published figures."""
    if expected is None or test is None:
        return []
    reached = getattr(test, expected.metric)
    found = []
    if reached < expected.test:
        found.append(f"{expected.metric} {reached:.4f} on test is below {expected.test:.4f}")
    if test.ece > expected.ece:
        found.append(f"ECE {test.ece:.4f} on test is above {expected.ece:.4f}")
    return found
