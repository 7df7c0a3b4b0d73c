"""The folder that the pages for browsers are read from, as a test chooses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from valence.service.api import pages


@contextmanager
def pages_in(folder: Path) -> Iterator[None]:
    """Read the files of the pages from ``folder``, and none that was read before."""
    pages._read_file.cache_clear()
    with mock.patch.multiple(pages, _WEB=folder, _SWAGGER=folder):
        try:
            yield
        finally:
            pages._read_file.cache_clear()
