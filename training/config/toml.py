"""Read and write TOML files of configurations."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from valence.service.errors import ConfigurationError


def read_toml(path: Path, *, published: str) -> dict[str, Any]:
    """The content of the file at ``path``; raises :class:`ConfigurationError`.

    ``published`` is the folder that the error for a missing file names.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: no such file; the published ones are in {published}"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None


def format_toml(configuration: Mapping[str, Any]) -> str:
    """The JSON values of a configuration as a TOML file that ``train`` reads.

    TOML has no null: a null is left out and so becomes the default, except for ``vectors``, where
    an empty string stands for no vectors.
    """
    return tomli_w.dumps(_without_null(configuration)).rstrip() + "\n"


def _without_null(content: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            kept[key] = _without_null(value)
        elif value is not None or key == "vectors":
            kept[key] = "" if value is None else value
    return kept
