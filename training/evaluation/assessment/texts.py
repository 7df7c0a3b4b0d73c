"""The texts that a model is judged on: of a file, their labels those that the model knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path

from valence.service.classifier.manifest import Manifest
from valence.service.errors import ConfigurationError
from valence.service.files.tables import Rows, require_format
from valence.training.config.columns import Columns
from valence.training.corpora import files
from valence.training.corpora.example import Example
from valence.training.data.split import assign_split
from valence.training.runtime.progress import Reporter

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Texts:
    """Labelled texts under a name; ``columns`` hold a value for each text, to slice by."""

    name: str
    examples: tuple[Example, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which texts of the files to judge, and what their labels are called by the model.

    ``mapping`` is from the file's labels to the model's; to "" the texts are left out.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    slices: Sequence[str] = ()
    trained_on_too: bool = False


def parse_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """``5=positive`` for each label; raises :class:`ConfigurationError` for what is none."""
    found: dict[str, str] = {}
    for pair in pairs:
        theirs, separator, ours = (part.strip() for part in pair.rpartition("="))
        if not separator or not theirs or found.setdefault(theirs, ours) != ours:
            raise ConfigurationError(
                f"--map {pair!r}: give a label of the file and, once, the model's for it, as "
                "5=positive; 3= leaves texts of that label out"
            )
    return found


def read(
    patterns: Sequence[str],
    table: Columns,
    manifest: Manifest,
    *,
    choice: Choice,
    reporter: Reporter,
    cache: Path | None = None,
) -> Texts:
    """The texts of the files of ``patterns``, duplicates and all: a served model meets them too.

    Of a file that the model was trained on only the texts that its training held out for the test,
    unless ``choice`` says otherwise. Raises :class:`ConfigurationError` for labels that the model
    does not know and ``choice`` maps to none it does, and where no text is left.
    """
    unknown = sorted(set(choice.mapping.values()) - {"", *manifest.labels})
    if unknown:
        raise ConfigurationError(
            f"--map: {manifest.name} has no label {unknown[0]!r}; it has "
            f"{', '.join(manifest.labels)}"
        )
    trained_on = {corpus.sha256 for corpus in manifest.training.corpora}
    paths = files.find_files(patterns, cache)
    examples: list[Example] = []
    columns: dict[str, list[str]] = {name: [] for name in choice.slices}
    foreign: Counter[str] = Counter()
    left_out = 0
    for path, name in zip(paths, files.name_files(paths), strict=True):
        known, encoding = files.resolve_encoding(path, table)
        if encoding is not None and encoding.guessed:
            reporter.say(encoding.guess_warning(f"{name} is"))
        held_out_only = not choice.trained_on_too and files.sha256(path) in trained_on
        if held_out_only and not manifest.training.splits.get("test"):
            raise ConfigurationError(
                f"{path}: {manifest.name} was made with this file, and holds no test texts out: "
                f"`valence evaluate {manifest.name}` judges its dev texts; --all judges all of "
                "the file"
            )
        seen = skipped = 0
        # two readings of one file, which agree on what a row is
        values_of = _columns(path, known, choice.slices) if choice.slices else repeat(())
        rows = zip(
            files.read_examples(path, known, corpus=name), values_of, strict=bool(choice.slices)
        )
        for example, values in rows:
            seen += 1
            if held_out_only and assign_split(example) != "test":
                skipped += 1
                continue
            labels = [choice.mapping.get(label, label) for label in example.labels]
            if "" in labels:
                left_out += 1
                continue
            foreign.update(label for label in labels if label not in manifest.labels)
            label = labels[0] if table.task == "single_label" else tuple(dict.fromkeys(labels))
            examples.append(replace(example, label=label))
            for column, value in zip(choice.slices, values, strict=True):
                columns[column].append(value)
        if held_out_only:
            reporter.say(
                f"{name}: {manifest.name} was trained on this file; judged are the "
                f"{seen - skipped:,} of its {seen:,} texts that were held out for the test "
                "(--all judges all)"
            )
    if foreign:
        raise ConfigurationError(_unknown_labels(foreign, manifest))
    if left_out:
        reporter.say(f"{left_out:,} texts are left out, as --map says")
    if not examples:
        raise ConfigurationError(f"{', '.join(patterns)}: no text is left to judge {manifest.name}")
    title = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    return Texts(title, tuple(examples), {name: tuple(v) for name, v in columns.items()})


def _columns(path: Path, table: Columns, wanted: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The values of ``wanted`` in each row of the file, as text."""
    rows = Rows(path, require_format(path), encoding=table.encoding, columns=tuple(wanted))
    with closing(rows):
        for row in rows:
            if row.fault:
                raise ConfigurationError(f"{path}, {row.place}: {row.fault}")
            values = (row.values[name] for name in wanted)
            yield tuple("" if value is None else str(value) for value in values)


def _unknown_labels(foreign: Counter[str], manifest: Manifest) -> str:
    most = foreign.most_common(_MOST_NAMED)
    named = ", ".join(f"{label!r} ({count:,} texts)" for label, count in most)
    more = f" and {len(foreign) - len(most):,} more" if len(foreign) > len(most) else ""
    example = most[0][0]
    return (
        f"{manifest.name} does not know the labels {named}{more}; it knows "
        f"{', '.join(manifest.labels)}. Say which is which, as --map "
        f"'{example}={manifest.labels[-1]}', or leave its texts out: --map '{example}='"
    )
