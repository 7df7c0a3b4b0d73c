"""What every kind of source can do, and how the faults of its library are told."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from valence.service.errors import SourceError, SourceOutcome, ValenceError
from valence.service.registry.address import Address


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source holds of one model."""

    versions: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    """The state of each alias by its name: another state means that the alias may have moved."""


class AliasMoved(Exception):
    """Another process has written the file of an alias since its mark was taken."""


class Source(Protocol):
    """A tree of sealed versions and of aliases; every method may raise any error of a library."""

    address: Address

    def list_models(self) -> tuple[str, ...]:
        """The names of all models, in order; none where the kind cannot list them."""
        ...

    def look(self, name: str) -> Listing:
        """What the source holds of the model ``name``; an empty listing for an unknown name."""
        ...

    def read_alias(self, name: str, alias: str, *, limit: int) -> bytes:
        """At most ``limit`` bytes of the file of an alias."""
        ...

    def measure(self, name: str, version: str, files: Sequence[str]) -> dict[str, int]:
        """The size of each of ``files`` of a version, in bytes; missing files are left out."""
        ...

    def open(self, name: str, version: str, file: str) -> AbstractContextManager[IO[bytes]]:
        """One file of a version, to be read in pieces."""
        ...

    def write_version(self, name: str, version: str, folder: Path, files: Sequence[str]) -> None:
        """Write ``files`` of ``folder`` in this order; the last one makes the version whole."""
        ...

    def mark_alias(self, name: str, alias: str) -> str | None:
        """What changes whenever the file of an alias is written; None without a file."""
        ...

    def write_alias(self, name: str, alias: str, content: bytes, *, mark: str | None) -> None:
        """Write the file of an alias in one step, if it has ``mark`` still.

        Raises :class:`AliasMoved` otherwise. Only a registry compares and writes in two steps.
        """
        ...


@contextmanager
def name_place(place: str) -> Iterator[None]:
    """Raise what fails in a ``with`` block as :class:`SourceError` about ``place``.

    Of an error of a library only the kind is told: its message could quote credentials.
    """
    try:
        yield
    except ValenceError:
        raise
    except Exception as error:
        raise SourceError(f"{place}: {_describe(error)}", outcome=_find_outcome(error)) from None


# errors of this machine, not of the source
_OF_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def _find_outcome(error: Exception) -> SourceOutcome:
    return "missing" if isinstance(error, FileNotFoundError) else "unreachable"


def _describe(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "missing at the source; push the version again"
    if isinstance(error, OSError) and error.errno in _OF_DISK:
        return f"the disk of the model store: {os.strerror(error.errno)}; free some space there"
    status = getattr(getattr(error, "response", None), "status_code", None)
    told = type(error).__name__ + (f", status {status}" if isinstance(status, int) else "")
    if isinstance(error, PermissionError) or status in (401, 403):
        return f"the source refused access ({told}); look at the credentials of this process"
    return (
        f"the source could not be read ({told}); look whether it can be reached from here, and at "
        "the credentials of this process"
    )
