"""The usual request, one sentence without options, in two revisions of this repository.

``A`` is compared with the work tree, ``A..B`` with ``B``: the second form gives the cost of the
commits between them, whatever came later.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.trials.bench import load, serving, texts
from tests.trials.bench.load import Job, Result
from tests.trials.bench.measure import Options, interleave, median, say
from tests.trials.bench.processes import BenchError, Server, server_cpu
from tests.trials.bench.report import Goal, Section, Table

_WANTED = 1.02
_CONNECTIONS = (1, 16, 64)
# the smallest work for an engine: the rest is the request path
_WORD = "good"


def run(options: Options) -> Section:
    """Serve both revisions from the same models, and send requests alternately."""
    if options.against is None:
        raise BenchError("which revision to compare with? make bench ONLY=revision AGAINST=HEAD~1")
    requests = {
        "one word": [serving.VALENCE.one(_WORD)],
        "one sentence": [serving.VALENCE.one(text) for text in texts.sentences(2_000)],
    }
    taken: dict[tuple[str, int, str], list[Result]] = defaultdict(list)
    with compared(options.against) as (before, after):
        for number in range(options.rounds):
            say(f"  servers {number + 1} of {options.rounds}")
            # the memory layout of a process matters as much as the code: start new processes
            both = {"here": after, "there": before}
            order = sorted(both, reverse=bool(number % 2))
            one = _round({name: both[name] for name in order}, requests, options)
            for key, results in one.items():
                taken[key].extend(results)
    rows, goals = [], []
    for kind in requests:
        for connections in _CONNECTIONS:
            new, old = (
                [1e6 / result.per_cpu_second for result in taken[kind, connections, name]]
                for name in ("here", "there")
            )
            # ratios of adjacent measurements: other load on the machine affects both sides
            ratio = median([a / b for a, b in zip(new, old, strict=True)])
            title = f"{kind}, {connections} connections"
            rows.append([title, f"{median(old):.0f}", f"{median(new):.0f}", f"{ratio:.3f}"])
            goals.append(Goal(f"{title}: here over there", _WANTED, ratio, at_least=False))
    text = (
        "CPU time of the server per `POST /v1/classify` of one text without options. "
        f"Here: {after.name}. There: {before.name}. Both serve the same models, each with its own "
        "engine; for one word nearly all time is the request path. Figures are the median of "
        f"{options.rounds} pairs of newly started servers."
    )
    head = ["request", "there (us)", "here (us)", "ratio"]
    return Section("Beside another revision", text, [Table(head, rows)], goals)


def _round(
    revisions: Mapping[str, Revision], requests: Mapping[str, Sequence[bytes]], options: Options
) -> dict[tuple[str, int, str], list[Result]]:
    """Serve each revision once, and send requests to all alternately."""
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(
                serving.serve(serving.VALENCE, cpus={server_cpu()}, folder=revision.folder)
            )
            for name, revision in revisions.items()
        }

        def asking(
            server: Server, asked: Sequence[bytes], connections: int
        ) -> Callable[[], Result]:
            job = Job(
                server.port,
                asked,
                connections=connections,
                seconds=options.seconds,
                pids=server.pids(),
            )
            return lambda: load.run(job)

        return interleave(
            {
                (kind, connections, name): asking(server, asked, connections)
                for kind, asked in requests.items()
                for connections in _CONNECTIONS
                for name, server in servers.items()
            },
            rounds=1,
        )


class Revision(NamedTuple):
    """A commit or the work tree, and its folder."""

    name: str
    folder: Path


@contextlib.contextmanager
def compared(asked: str) -> Iterator[tuple[Revision, Revision]]:
    """Yield both sides of ``A`` or ``A..B``; they exist until the context ends."""
    there, _, here = asked.partition("..")
    with contextlib.ExitStack() as stack:
        before = Revision(name_of(there), stack.enter_context(checked_out(there)))
        if here:
            after = Revision(name_of(here), stack.enter_context(checked_out(here)))
        else:
            changed = " with changes" if _git("status", "--porcelain", "-uno") else ""
            after = Revision(name_of("HEAD") + changed, Path.cwd())
        yield before, after


def name_of(revision: str) -> str:
    """Return the short hash of a commit in backticks; raises :class:`BenchError` if it is
    unknown.
    """
    return (
        f"`{_git('rev-parse', '--short', '--verify', '--end-of-options', revision + '^{commit}')}`"
    )


@contextlib.contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Yield a work tree of ``revision`` with its extension built; it exists until the
    context ends.
    """
    commit = name_of(revision).strip("`")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / commit
        _git("worktree", "add", "--quiet", "--detach", str(folder), commit)
        try:
            say(f"  building {commit}")
            _run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], folder)
            _lay_out(folder)
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _lay_out(folder: Path) -> None:
    """Put the packages of ``folder`` under the names that they are imported by, as a build does.

    They go before those of this environment. Revisions older than these names import ``service``,
    which is found in ``folder`` too.
    """
    package = folder / "valence"
    package.mkdir()
    for name in ("service", "training"):
        (package / name).symlink_to(folder / name)
    root = folder / "service" / "python" / "__init__.py"
    if root.exists():
        (package / root.name).symlink_to(root)
    else:
        (package / root.name).touch()


def _git(*arguments: str) -> str:
    return _run(["git", *arguments], Path.cwd())


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise BenchError(f"{' '.join(command)} failed:\n{error.stderr[-2000:]}") from None
    return done.stdout.strip()
