"""Score a file in parts, which survive an interruption, and join the parts at the end.

A part has a fixed number of rows. It is written beside the output and renamed when it is complete.
A run that finds parts of the same input, model and options skips their rows. A part does not depend
on the run or the process that wrote it, so the output is the same with and without interruptions,
and with any number of jobs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import replace_file, require_path
from valence.service.files.compression import is_gzipped
from valence.service.files.lock import hold_lock
from valence.service.files.state import describe_state
from valence.service.score.jobs import JobPool, Jobs, PartWriter
from valence.service.score.journal import Journal
from valence.service.score.options import Options
from valence.service.score.parts import plan_layout
from valence.service.score.sources import Part, RowPart, Source, TablePart, open_source
from valence.service.score.tally import Tally, read_tally
from valence.service.score.texts import TextScorer

_READ_BYTES = 1 << 20


def read_engine_name(out: Path) -> str | None:
    """The engine of an interrupted run into ``out``; only this engine can resume the run."""
    return Journal(out.resolve()).read().get("engine")


def delete_parts(out: Path) -> None:
    """Delete the parts of an interrupted run into ``out``."""
    out = out.resolve()
    with hold_lock(out, work=f"scoring into {out}"):
        Journal(out).delete()


def require_paths(source: Path, out: Path) -> None:
    """Raise :class:`ConfigurationError` for paths that cannot be the input and the output."""
    if not source.exists():
        raise ConfigurationError(f"{source} does not exist")
    if not source.is_file():
        what = "a folder" if source.is_dir() else "a device or a pipe"
        raise ConfigurationError(
            f"{source} is {what}; give the path of a file, which is read more than once"
        )
    if not out.parent.is_dir():
        raise ConfigurationError(f"{out}: the folder {out.parent} does not exist; make it first")
    require_path(out)
    if out.exists() and out.samefile(source):
        raise ConfigurationError(f"{out} is the input; write to another file")


def score_file(
    source: Path,
    out: Path,
    *,
    scorer: TextScorer,
    options: Options,
    jobs: Jobs | None = None,
    advance: Callable[[int, float], None] = lambda _rows, _share: None,
) -> Tally:
    """Write the rows of ``source`` with their scores to ``out``; returns what was found in them.

    With ``jobs``, whose recipe is that of ``scorer``, several processes score. After each part the
    function calls ``advance`` with the number of rows and the share of the input done so far.

    Raises :class:`ConfigurationError` for files that cannot be read with ``options`` or written, if
    the folder of parts has parts of another input, model or options, if another process writes
    ``out``, and if jobs die again and again; ``OSError`` if the system cannot write, after which
    the same call resumes. Until the end ``out`` is as it was.
    """
    require_paths(source, out)
    # the file that a link names is replaced, and not the link
    out = out.resolve()
    with hold_lock(out, work=f"scoring into {out}"):
        before = describe_state(source.stat())
        identity = _identify(source, scorer, options)
        journal = Journal(out)
        journal.require(identity)
        with closing(open_source(source, options)) as opened:
            opened.require_column(options.text_column)
            layout = plan_layout(
                opened, scorer, source, form=options.out_format, prefix=options.prefix
            )
            writing = (
                nullcontext(PartWriter(scorer, layout, options.text_column))
                if jobs is None
                else jobs.open(layout, options.text_column)
            )
            with writing as writer:
                run = _Run(opened, writer, journal, identity)
                tally, parts = run.write_parts(advance)
        if describe_state(source.stat()) != before:
            raise ConfigurationError(
                f"{source} changed while it was scored; start over with --fresh when it is complete"
            )
        with replace_file(out, unfinished=journal.folder / "joined") as joined:
            layout.join(parts, joined, gz=is_gzipped(out))
        journal.delete()
    return tally


@dataclass(frozen=True)
class _Run:
    source: Source
    writer: PartWriter | JobPool
    journal: Journal
    identity: Mapping[str, Any]

    def write_parts(self, advance: Callable[[int, float], None]) -> tuple[Tally, Sequence[Path]]:
        """Write the parts that are not there; returns what was found in the rows, and all parts."""
        parts: list[Path] = []
        tally = Tally()
        for part in self.source.read_parts():
            path = self.journal.find_part(len(parts))
            parts.append(path)
            for rows in (len(part),) if path.exists() else self._write(path, part):
                tally.rows += rows
                advance(tally.rows, self.source.share)
        if not parts:
            parts.append(self.journal.find_part(0))
            schema = self.source.schema
            empty = RowPart(()) if schema is None else TablePart(schema.empty_table())
            tally.rows += sum(self._write(parts[0], empty))
        for rows in self.writer.finish():
            tally.rows += rows
            advance(tally.rows, self.source.share)
        for path in parts:
            tally.add(read_tally(path))
        return tally, parts

    def _write(self, path: Path, part: Part) -> Iterator[int]:
        self.journal.begin(self.identity)
        return self.writer.write(path, part)


def _identify(source: Path, scorer: TextScorer, options: Options) -> dict[str, Any]:
    digest = hashlib.sha256()
    try:
        with source.open("rb") as file:
            while data := file.read(_READ_BYTES):
                digest.update(data)
    except OSError as error:
        raise ConfigurationError(f"{source}: cannot be read: {error.strerror}") from None
    manifest = scorer.classifier.manifest
    return {
        "input": digest.hexdigest(),
        "model": f"{manifest.name}:{manifest.version}",
        "engine": scorer.engine.name,
        **asdict(options),
        **asdict(scorer.options),
    }
