"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from valence.service.errors import ConfigurationError
from valence.training.progress import Reporter

if TYPE_CHECKING:
    import torch
    from valence.training.characters.configuration import CharacterConfiguration
    from valence.training.configuration import Configuration

Configured = TypeVar("Configured", "Configuration", "CharacterConfiguration")
ConfigurationFile = Annotated[
    Path | None, typer.Argument(help="a file like training/configs/*.toml; or give --data")
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="labelled texts of your own, instead: a CSV, TSV, JSONL or Parquet file, a folder or "
        "a glob; may be repeated",
    ),
]
TextOption = Annotated[str, typer.Option("--text", help="the column of --data that holds the text")]
LabelOption = Annotated[str, typer.Option("--label", help="the column that holds the label")]
MultiLabelOption = Annotated[
    bool, typer.Option("--multi-label", help="a text of --data has any number of labels")
]
SeparatorOption = Annotated[
    str, typer.Option("--separator", help="between them, where they are one string and no list")
]
EncodingOption = Annotated[
    str, typer.Option("--encoding", help="of --data, such as cp1252; auto: each file tells")
]
NameOption = Annotated[
    str | None,
    typer.Option("--name", help="of the model; by default after the file of --data"),
]
TrackOption = Annotated[
    bool, typer.Option(help="tell MLflow and TensorBoard of the run, where they are installed")
]
Model = Annotated[
    str,
    typer.Argument(
        help="a model in the store: NAME (its champion, else its latest version) or NAME:VERSION"
    ),
]
CharacterModelName = Annotated[str, typer.Argument(help="a model that `lm` trained, by name")]
EngineOption = Annotated[
    str, typer.Option("--engine", help="as VALENCE_ENGINE says it; by default the one that serves")
]
WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", help="where fetched corpora and interrupted runs are kept"),
]
WORKSPACE = Path(".valence")
SeedOption = Annotated[int | None, typer.Option(min=0, help="instead of the configured one")]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one")]


def configuration_file(
    configuration: Path | None,
    data: list[str] | None,
    *,
    text: str,
    label: str,
    multi_label: bool,
    separator: str,
    encoding: str,
    name: str | None,
    workspace: Path,
    reporter: Reporter,
) -> Path:
    """The configuration that was given, or the one chosen for ``--data`` and written down."""
    if data:
        if configuration is not None:
            raise ConfigurationError("give a configuration or --data, not both")
        from valence.training import own_data

        return own_data.configure(
            data,
            text=text,
            label=label,
            separator=separator,
            encoding=encoding,
            name=name,
            multi_label=multi_label,
            workspace=workspace,
            reporter=reporter,
        )
    if configuration is None:
        raise ConfigurationError(
            "give a configuration, like training/configs/sentiment.toml, or "
            "texts of your own: --data reviews.csv --text COLUMN --label COLUMN"
        )
    return configuration


def with_optimization(configuration: Configured, **said: int | None) -> Configured:
    """``configuration`` with what was said on the command line instead; None was not."""
    changes = {key: value for key, value in said.items() if value is not None}
    optimization = configuration.optimization.model_copy(update=changes)
    return configuration.model_copy(update={"optimization": optimization})


def torch_device(name: str) -> torch.device:
    """The device that ``--device`` names; a CUDA device must be there."""
    import torch
    from valence.training import ranks

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        device = torch.device(chosen)
    except RuntimeError:
        raise ConfigurationError(f"--device {name!r}: give cpu, cuda, cuda:N or auto") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(f"--device {name!r}: torch sees no CUDA device here; use cpu")
    return ranks.device_of(device)
