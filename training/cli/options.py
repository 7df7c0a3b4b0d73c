"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from valence.service.errors import ConfigurationError
from valence.service.files import dialects
from valence.service.files.encodings import AUTO
from valence.training.config.columns import Columns
from valence.training.config.locations import PRESETS, find_configuration, find_near_name
from valence.training.runtime.progress import Reporter

if TYPE_CHECKING:
    import torch
    from valence.training.char_lm.config import CharacterConfiguration
    from valence.training.config.schema import Configuration

Configured = TypeVar("Configured", "Configuration", "CharacterConfiguration")
WORKSPACE = Path(".valence")
FEEDBACK = "feedback"
"""In the place of a file: the true labels that the feedback database keeps with their texts."""

ConfigurationArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A preset such as `sentiment`, a TOML file, or a file of labelled texts.",
        show_default=False,
    ),
]
ModelArgument = Annotated[
    str,
    typer.Argument(
        help="A model of the store: NAME (its champion, else its latest version), NAME:VERSION or "
        "NAME@ALIAS."
    ),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        help="A folder, s3://BUCKET/PATH, gs://BUCKET/PATH, hf:OWNER/NAME or oci://HOST/PATH."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the figures as JSON to standard output.")
]
AtSourceOption = Annotated[
    str | None,
    typer.Option(
        "--source",
        help="Change the champion there, as in `valence push`, and not in the store.",
        show_default=False,
    ),
]
CharacterModelArgument = Annotated[
    str, typer.Argument(help="A character model that `valence lm` trained, by its name.")
]
EncodingOption = Annotated[
    str,
    typer.Option(
        help="Encoding of the files of --data, such as cp1252; auto: recognized file by file."
    ),
]
QuotingOption = Annotated[
    str,
    typer.Option(
        help="How CSV and TSV files of --data have a quotation mark within a text: double or "
        "backslash; none: quotation marks enclose no texts; auto: recognized file by file.",
    ),
]
TrackOption = Annotated[
    bool, typer.Option(help="Record the run in MLflow and TensorBoard, if they are installed.")
]
EngineOption = Annotated[
    str,
    typer.Option(help="Inference engine, as VALENCE_ENGINE names it; auto: the one that serves."),
]
WorkspaceOption = Annotated[
    Path, typer.Option(help="Folder of fetched corpora, interrupted runs and reports.")
]
SeedOption = Annotated[
    int | None, typer.Option(min=0, help="Seed, instead of the configured one.", show_default=False)
]
DeviceOption = Annotated[
    str, typer.Option(help="cpu, cuda, cuda:N, or auto: a GPU if there is one.")
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Start over instead of continuing an interrupted run.")
]
UncheckedOption = Annotated[
    bool, typer.Option("--unchecked", help="Go on whatever the data checks find.")
]


@dataclass(frozen=True, slots=True)
class DataOptions:
    """A user's own labelled texts, and the name of the model that is trained on them."""

    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Labelled texts of your own: a file (CSV, TSV, JSON, Parquet, Excel, fastText), a "
            "folder, a glob, or `feedback`: the texts of the feedback database. May be repeated.",
            show_default=False,
        ),
    ] = None
    text: Annotated[str, typer.Option(help="Column that holds the text.")] = "text"
    label: Annotated[str, typer.Option(help="Column that holds the label.")] = "label"
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="A text has any number of labels.")
    ] = False
    separator: Annotated[
        str, typer.Option(help="Separator of the labels, if they are one string.")
    ] = "|"
    encoding: EncodingOption = AUTO
    quoting: QuotingOption = dialects.AUTO
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the model; without it the name of the file.", show_default=False
        ),
    ] = None

    def with_argument(self, argument: Path | None) -> tuple[Path | None, DataOptions]:
        """``argument`` as a configuration, or as data: a file that is not TOML."""
        if argument is None or argument.suffix == ".toml" or not argument.is_file():
            return argument, self
        if self.data:
            raise ConfigurationError(f"give {argument} or --data, not both")
        return None, replace(self, data=[str(argument)])

    def find_configuration(
        self, configuration: Path | None, *, workspace: Path, reporter: Reporter
    ) -> Path:
        """The file of ``configuration``, or the file that is written for ``data``.

        Raises :class:`ConfigurationError` for both and for neither of them.
        """
        configuration, given = self.with_argument(configuration)
        if given.data:
            if configuration is not None:
                raise ConfigurationError("give a configuration or --data, not both")
            if FEEDBACK in given.data and not Path(FEEDBACK).exists():
                given = given._export_feedback(workspace)
            from valence.training.data import autoconfig

            return autoconfig.write_configuration(
                given.data or (),
                Columns(
                    self.text,
                    self.label,
                    self.encoding,
                    task="multi_label" if self.multi_label else "single_label",
                    label_separator=self.separator,
                    quoting=self.quoting,
                ),
                name=given.name,
                workspace=workspace,
                reporter=reporter,
            )
        if configuration is None:
            raise ConfigurationError(
                "give a configuration, such as `sentiment`, or texts of your own: "
                "--data reviews.csv --text COLUMN --label COLUMN"
            )
        return find_configuration(configuration, (PRESETS, workspace / "configs"))

    def _export_feedback(self, workspace: Path) -> DataOptions:
        """These options with a file in ``workspace`` in place of the feedback database."""
        from valence.service.feedback.record import Selection
        from valence.training.active_learning.feedback_texts import write_texts
        from valence.training.cli.feedback_store import open_store

        with open_store("") as store:
            records = list(store.read(Selection(self.name or "")))
        name, path = write_texts(records, workspace / "feedback", text=self.text, label=self.label)
        files = [str(path) if one == FEEDBACK else one for one in self.data or ()]
        return replace(self, data=files, name=name)


def override_optimization(configuration: Configured, **values: int | None) -> Configured:
    """``configuration`` with the values of the command line; None leaves a value as it is."""
    changes = {key: value for key, value in values.items() if value is not None}
    optimization = configuration.optimization.model_copy(update=changes)
    return configuration.model_copy(update={"optimization": optimization})


def warn_of_near_name(name: str, reporter: Reporter) -> None:
    """Report a new name that is probably a misspelling of that of a preset or a stored model."""
    from valence.training.registry import store

    near = find_near_name(name, {*store.list_names(), *(path.stem for path in PRESETS.iterdir())})
    if near is not None:
        reporter.say(
            f"warning: {name!r} is the name of a new model, near to {near!r}; if you mean "
            f"{near!r}, start again with that name"
        )


def torch_device(name: str) -> torch.device:
    """The device that ``--device`` names.

    Raises :class:`ConfigurationError` for another name, and for a CUDA device that torch lacks.
    """
    import torch
    from valence.training.runtime import distributed

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        device = torch.device(chosen)
    except RuntimeError:
        raise ConfigurationError(f"--device {name!r}: give cpu, cuda, cuda:N or auto") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(f"--device {name!r}: torch sees no CUDA device here; use cpu")
    return distributed.local_device(device)
