"""The texts of an assessment: texts of files, with labels that the model knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path

from valence.service.classifier.manifest import Manifest
from valence.service.errors import ConfigurationError
from valence.service.files.formats import require_format
from valence.service.files.rows import Rows
from valence.training.config.columns import Columns
from valence.training.corpora import files
from valence.training.corpora.example import Example
from valence.training.data.split import assign_split
from valence.training.runtime.progress import Reporter

_MAX_NAMED = 20


@dataclass(frozen=True, slots=True)
class EvaluationTexts:
    """Labelled texts under a name; ``columns`` hold a value for each text, for slices."""

    name: str
    examples: tuple[Example, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextSelection:
    """The selection of texts from the files, and the mapping of their labels.

    ``mapping`` maps labels of the file to labels of the model. Texts of a label that is mapped to
    "" are left out. ``slices`` are columns. With ``trained_on_too``, training texts are used too.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    slices: Sequence[str] = ()
    trained_on_too: bool = False


def parse_label_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """The mapping of pairs such as ``5=positive``. Raises :class:`ConfigurationError`."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        file_label, separator, model_label = (part.strip() for part in pair.rpartition("="))
        known = mapping.setdefault(file_label, model_label)
        if not separator or not file_label or known != model_label:
            raise ConfigurationError(
                f"--map {pair!r}: give a label of the file and one label of the model, as in "
                "5=positive; 3= leaves out the texts of the label 3"
            )
    return mapping


def read_evaluation_texts(
    patterns: Sequence[str],
    table: Columns,
    manifest: Manifest,
    *,
    selection: TextSelection,
    reporter: Reporter,
    cache: Path | None = None,
) -> EvaluationTexts:
    """The texts of the files of ``patterns``, with duplicates, as a served model gets them.

    For a file that the model was trained on, only the test texts of the training are read, unless
    ``selection`` includes training texts. Raises :class:`ConfigurationError` for labels that the
    model does not know and that are not mapped, and if no text is left.
    """
    unknown = sorted(set(selection.mapping.values()) - {"", *manifest.labels})
    if unknown:
        raise ConfigurationError(
            f"--map: {manifest.name} has no label {unknown[0]!r}; it has "
            f"{', '.join(manifest.labels)}"
        )
    trained_on = {corpus.sha256 for corpus in manifest.training.corpora}
    paths = files.find_files(patterns, cache)
    examples: list[Example] = []
    columns: dict[str, list[str]] = {name: [] for name in selection.slices}
    foreign: Counter[str] = Counter()
    left_out = 0
    for path, name in zip(paths, files.name_files(paths), strict=True):
        known, encoding = files.resolve_encoding(path, table)
        if encoding is not None and encoding.guessed:
            reporter.say(encoding.guess_warning(f"{name} is"))
        held_out_only = not selection.trained_on_too and files.sha256(path) in trained_on
        if held_out_only and not manifest.training.splits.get("test"):
            raise ConfigurationError(
                f"{path}: {manifest.name} was trained on this file without test texts. "
                f"`valence evaluate {manifest.name}` evaluates the dev texts; --all evaluates all "
                "texts of the file"
            )
        seen = skipped = 0
        # the file is read twice, for texts and for columns; both readers split rows alike
        row_values = (
            _read_columns(path, known, selection.slices) if selection.slices else repeat(())
        )
        rows = zip(
            files.read_examples(path, known, corpus=name), row_values, strict=bool(selection.slices)
        )
        for example, values in rows:
            seen += 1
            if held_out_only and assign_split(example) != "test":
                skipped += 1
                continue
            labels = [selection.mapping.get(label, label) for label in example.labels]
            if "" in labels:
                left_out += 1
                continue
            foreign.update(label for label in labels if label not in manifest.labels)
            label = labels[0] if table.task == "single_label" else tuple(dict.fromkeys(labels))
            examples.append(replace(example, label=label))
            for column, value in zip(selection.slices, values, strict=True):
                columns[column].append(value)
        if held_out_only:
            reporter.say(
                f"{name}: {manifest.name} was trained on this file; evaluated are the "
                f"{seen - skipped:,} of {seen:,} texts that were held out for the test "
                "(--all evaluates all texts)"
            )
    if foreign:
        raise ConfigurationError(_explain_unknown_labels(foreign, manifest))
    if left_out:
        reporter.say(f"{left_out:,} texts are left out because of --map")
    if not examples:
        raise ConfigurationError(
            f"{', '.join(patterns)}: no text is left to evaluate {manifest.name} on"
        )
    title = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    return EvaluationTexts(title, tuple(examples), {name: tuple(v) for name, v in columns.items()})


def _read_columns(path: Path, table: Columns, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The values of the columns ``names`` in each row of the file, as strings."""
    rows = Rows(
        path,
        require_format(path),
        encoding=table.encoding,
        quoting=table.quoting,
        columns=tuple(names),
    )
    with closing(rows):
        for row in rows:
            if row.fault:
                raise ConfigurationError(f"{path}, {row.place}: {row.fault}")
            values = (row.values[name] for name in names)
            yield tuple("" if value is None else str(value) for value in values)


def _explain_unknown_labels(foreign: Counter[str], manifest: Manifest) -> str:
    rows = sum(foreign.values())
    if len(foreign) > max(_MAX_NAMED, rows / 2):
        # these are texts, which a message does not quote
        return (
            f"the column of the label has {len(foreign):,} different values in {rows:,} rows; "
            f"name the column with the labels, such as {manifest.labels[0]}, by --label"
        )
    frequent = foreign.most_common(_MAX_NAMED)
    named = ", ".join(f"{label!r} ({count:,} texts)" for label, count in frequent)
    more = f" and {len(foreign) - len(frequent):,} more" if len(foreign) > len(frequent) else ""
    example = frequent[0][0]
    return (
        f"{manifest.name} does not know the labels {named}{more}; it knows "
        f"{', '.join(manifest.labels)}. Map labels, as in --map "
        f"'{example}={manifest.labels[-1]}', or leave out texts, as in --map '{example}='"
    )
