"""``valence show``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from valence.service.classifier.licences import find_restrictions
from valence.service.errors import ConfigurationError
from valence.training.cli.options import ModelArgument

if TYPE_CHECKING:
    from valence.service.classifier.manifest import Manifest


def show(
    model: ModelArgument,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="The whole manifest of the artifact.")
    ] = False,
    card: Annotated[bool, typer.Option("--card", help="The model card, as Markdown.")] = False,
    configuration: Annotated[
        bool,
        typer.Option(
            "--configuration", help="The configuration that `valence train` makes it again from."
        ),
    ] = False,
) -> None:
    """Show the data, configuration, code and machine that a model came from, and its scores."""
    from valence.service.classifier import seal
    from valence.training.registry import store
    from valence.training.report import model_card

    if as_json + card + configuration > 1:
        raise ConfigurationError("--json, --card, --configuration: give one of them")
    folder = store.find_model(model)
    manifest = seal.verify(folder)
    if as_json:
        typer.echo(manifest.model_dump_json(indent=2))
    elif card:
        typer.echo(model_card.render_model_card(manifest), nl=False)
    elif configuration:
        typer.echo(model_card.format_configuration(manifest, paths=True), nl=False)
    else:
        for line in _make_lines(manifest):
            typer.echo(line)
        typer.echo(f"files         {folder}")


def _make_lines(manifest: Manifest) -> list[str]:
    """One fact a line, the first questions first."""
    training = manifest.training
    told = [
        ("model", f"{manifest.name}:{manifest.version}"),
        ("task", f"{manifest.task}: {', '.join(manifest.labels)}"),
        ("trained", f"{training.started}, in {training.seconds:,.0f} s, {training.epochs} epochs"),
    ]
    told += [("for some uses", line) for line in find_restrictions(training)]
    for corpus in training.corpora:
        read = "" if corpus.read is None else f" of {corpus.read:,}"
        license_ = corpus.license or "licence not stated"
        told += [
            ("data", f"{corpus.name}: {corpus.texts:,}{read} texts, {corpus.source}, {license_}"),
            ("", f"sha256 {corpus.sha256}"),
        ]
    for vectors in training.vectors:
        told += [("vectors", f"{vectors.name}: {vectors.source}"), ("", f"sha256 {vectors.sha256}")]
    if training.teacher is not None:
        taught = "; ".join(f"{kind} {count:,}" for kind, count in training.teacher.texts.items())
        for teacher in training.teacher.teachers:
            told += [
                ("teacher", f"{teacher.name}: {teacher.source}"),
                *([("", f"sha256 {teacher.sha256}")] if teacher.sha256 else []),
                *(("  trained", f"sha256 {hash_}") for hash_ in teacher.networks_sha256),
            ]
        told += [
            ("  taught", taught),
            *(
                (f"  on {of}", _figures(found, {}))
                for of, found in training.teacher.metrics.items()
            ),
        ]
    for split, texts in training.splits.items():
        counts = training.label_counts.get(split, {})
        labels = "; ".join(f"{label} {count:,}" for label, count in counts.items())
        told += [
            (split, f"{texts:,} texts" + (f": {labels}" if labels else "")),
            ("", f"sha256 {training.split_sha256.get(split, 'not recorded')}"),
        ]
    for split, metrics in manifest.metrics.items():
        if isinstance(metrics, Mapping):
            told.append((f"on {split}", _figures(metrics, manifest.intervals.get(split, {}))))
    told += [(f"  {name}", _figures(scores, {})) for name, scores in manifest.baselines.items()]
    told += [
        ("behaviour", f"{name}: {one.rate:.1%} of {one.tried:,}")
        for name, one in manifest.behaviour.items()
    ]
    packages = ", ".join(f"{name} {version}" for name, version in training.packages.items())
    told += [
        ("temperature", f"{manifest.temperature:.4f}"),
        ("seed", str(training.seed)),
        ("code", training.code_version),
        ("packages", packages),
        ("hardware", training.hardware),
        ("platform", training.platform or "not recorded"),
        ("peak memory", f"{training.peak_memory_bytes / 2**20:,.0f} MiB"),
    ]
    return [f"{key:<13} {value}" for key, value in told]


def _figures(metrics: Mapping[str, object], intervals: Mapping[str, tuple[float, float]]) -> str:
    names = {
        "accuracy": "accuracy",
        "macro_f1": "macro-F1",
        "ece": "ECE",
        "brier": "Brier",
        "log_loss": "log loss",
    }
    found = []
    for key, name in names.items():
        value = metrics.get(key)
        if isinstance(value, float):
            within = intervals.get(key)
            around = f" ({within[0]:.4f} to {within[1]:.4f})" if within else ""
            found.append(f"{name} {value:.4f}{around}")
    return ", ".join(found) or "no figures"
