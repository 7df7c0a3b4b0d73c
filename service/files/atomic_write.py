"""Write a file whole or not at all, even if the process or the machine stops meanwhile.

The content goes into an unfinished file, which takes the place of the file at the end. An error
deletes the unfinished file. A process that is killed leaves it; the next process that writes the
same file deletes it once it is an hour old.
"""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from valence.service.errors import ConfigurationError

_FOLDER = ".unfinished-"
# what is written takes seconds, or changes all the time
_LEFTOVER_SECONDS = 3_600


@contextmanager
def replace_file(
    path: Path, *, sync: bool = True, unfinished: Path | None = None
) -> Iterator[Path]:
    """Give a path to write to in a ``with`` block; what is there at its end becomes ``path``.

    ``sync`` is whether it must survive a stop of the machine. A caller that lets no other process
    write ``path`` may name the ``unfinished`` file, in the same file system. If ``path`` is a link,
    the file that it names is replaced. Raises :class:`OSError`, and ``path`` is as it was then.
    """
    path = path.resolve()
    chosen = unfinished or path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        chosen.parent.mkdir(parents=True, exist_ok=True)
        if unfinished is None:
            _delete_leftovers(path.parent, f".{glob.escape(path.name)}.*.unfinished")
        yield chosen
        if sync:
            with chosen.open("rb") as file:
                os.fsync(file.fileno())
        chosen.replace(path)
    except BaseException as error:
        with suppress(OSError):
            chosen.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(chosen)):
            # the file that the user knows
            error.filename = str(path)
        raise


def require_path(path: Path) -> None:
    """Raise :class:`ConfigurationError` for a ``path`` that no file can have."""
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device or a pipe"
        raise ConfigurationError(f"{path} is {what}; give the path of a file to write")


def write_file(path: Path, content: str | bytes, *, unfinished: Path | None = None) -> None:
    """Replace ``path`` by ``content``, a text in UTF-8; raises as :func:`replace_file` does."""
    with replace_file(path, unfinished=unfinished) as chosen, chosen.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def make_unfinished_folder(parent: Path) -> Iterator[Path]:
    """A folder in ``parent`` for files that are renamed when they are whole.

    The end of the ``with`` block deletes it; a killed process leaves it, as it leaves a file.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _delete_leftovers(parent, f"{_FOLDER}*")
    with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=parent) as folder:
        yield Path(folder)


def _delete_leftovers(folder: Path, pattern: str) -> None:
    for leftover in folder.glob(pattern):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
