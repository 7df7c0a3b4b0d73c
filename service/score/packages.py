"""The packages of engines of data, each an extra of Valence."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from valence.service.errors import ConfigurationError


def import_engine(module: str, *, extra: str, what: str) -> Any:
    """Import a ``module`` of an engine for ``what``.

    Raises :class:`ConfigurationError` that names the ``extra`` if its package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{what} needs {error.name}, which is not installed: pip install 'valence[{extra}]'"
        ) from None
