"""``valence shadow``: what shadow scoring has found out about a challenger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from valence.service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from valence.training.pipeline.gate.rules import Rules
    from valence.training.shadow.evidence import Evidence, Report

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

_SourcesOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Metrics of the servers that score the challenger too: a URL such as "
        "http://valence:3000/metrics, of which every address is asked, or a file with an answer. "
        "May be repeated.",
        show_default=False,
    ),
]
_KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        help="File with an API key of the scope metrics, if the servers want one.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class ShadowOptions:
    """What shadow scoring must have found out before a version is promoted."""

    shadow_from: _SourcesOption = None
    key_file: _KeyFileOption = None
    shadow_texts: Annotated[
        int, typer.Option(min=1, help="Fewest texts that both versions must have scored.")
    ] = 1_000
    shadow_agreement: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Smallest share of them with the same label.")
    ] = 0.75

    def make_rules(self, **limits: float) -> Rules:
        """The rules of the gate with these limits, and with ``limits``."""
        from valence.training.pipeline.gate.rules import Rules

        return Rules.model_validate(
            {
                "shadow_texts": self.shadow_texts,
                "shadow_agreement": self.shadow_agreement,
                **limits,
            }
        )


@app.callback()
def shadow() -> None:
    """Show how a challenger differs from the version that answers (VALENCE_SHADOW)."""


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="A served model, by its name.")],
    *,
    sources: Annotated[
        list[str],
        typer.Option(
            "--from",
            help="Metrics of a server: a URL, of which every address is asked, or a file with an "
            "answer. May be repeated; the counts are added.",
        ),
    ] = ["http://127.0.0.1:3000/metrics"],  # noqa: B006 - typer copies it
    key_file: _KeyFileOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON.")] = False,
) -> None:
    """Tell agreement, shift of the labels and time, for each challenger of a model."""
    found = read_report(name, sources, key_file)
    if as_json:
        typer.echo(json.dumps(found.model_dump(), indent=2))
        return
    for pair in found.pairs:
        for line in _make_lines(pair):
            typer.echo(line)
    if not found.pairs:
        typer.echo(f"{name}: no text was scored twice; {describe_setting(found)}")


def read_report(name: str, sources: Sequence[str], key_file: Path | None) -> Report:
    """What the servers behind ``sources`` have counted about challengers of ``name``."""
    from valence.training.shadow.evidence import sum_evidence
    from valence.training.shadow.sources import read_metrics

    return sum_evidence(name, read_metrics(sources, key=read_key(key_file)))


def read_key(path: Path | None) -> str:
    """The API key in the file at ``path``, or none; raises :class:`ConfigurationError`."""
    if path is None:
        return ""
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}") from None
    if not key.isprintable() or " " in key or not key:
        raise ConfigurationError(f"{path} holds no API key alone; write the key as its only line")
    return key


def describe_setting(found: Report) -> str:
    """Whether the servers have a challenger to score, in a clause."""
    if found.share is None:
        return f"set VALENCE_SHADOW={found.model}=challenger:0.1 for the servers"
    return (
        f"{found.share:.0%} of the requests are to be: is there another version "
        f"{found.model}@challenger, and is there room?"
    )


def _make_lines(pair: Evidence) -> Iterator[str]:
    yield f"{pair.model}: {pair.version} answered, {pair.challenger} scored the same texts"
    servers = f"{pair.servers} server{'s' * (pair.servers != 1)}"
    told = [
        ("texts", f"{pair.texts:,} of {servers}; {pair.dropped:,} dropped, {pair.failed:,} failed")
    ]
    if pair.agreement is not None and pair.agreement_interval is not None:
        low, high = pair.agreement_interval
        told.append(("agreement", f"{pair.agreement:.2%} (95 % interval {low:.2%} to {high:.2%})"))
    if pair.label_shift is not None:
        told.append(("label shift", f"{pair.label_shift:.2%} of the texts"))
        for label in sorted(pair.served_labels.keys() | pair.challenger_labels.keys()):
            before, after = (
                labels.get(label, 0) / pair.texts
                for labels in (pair.served_labels, pair.challenger_labels)
            )
            told.append(("", f"{label} {before:.2%}, by the challenger {after:.2%}"))
    if pair.probability_difference is not None:
        told.append(("probability", f"differs by {pair.probability_difference:.4f} in the mean"))
    if pair.time_ratio is not None:
        told.append(("engine time", f"{pair.time_ratio:.2f} times that of the version served"))
    for key, value in told:
        yield f"  {key:<12} {value}"
