"""Read configurations from TOML files, and check them against the schema key by key."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from valence.service.errors import ConfigurationError
from valence.training.config import toml
from valence.training.config.schema import Configuration

Model = TypeVar("Model", bound=BaseModel)


def load_configuration(path: Path) -> Configuration:
    """The configuration in the TOML file at ``path``.

    Raises :class:`ConfigurationError` that names the key and the remedy.
    """
    return load_model(path, Configuration)


def load_model(path: Path, kind: type[Model]) -> Model:
    """The TOML file at ``path`` as a ``kind``; raises :class:`ConfigurationError`."""
    content = toml.read_toml(path, published="training/config/presets/")
    return validate(content, kind, source=str(path))


def parse_configuration(content: dict[str, Any], *, source: str) -> Configuration:
    """``content``, which came from ``source``, as a configuration.

    Raises :class:`ConfigurationError`.
    """
    return validate(content, Configuration, source=source)


def validate(content: dict[str, Any], kind: type[Model], *, source: str) -> Model:
    """``content``, from ``source``, as a ``kind``; raises :class:`ConfigurationError`."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        faults = [_explain(detail, kind) for detail in error.errors(include_url=False)]
        raise ConfigurationError(f"{source}: " + "; ".join(faults)) from None


def check_key(location: tuple[str, ...], *, source: str) -> None:
    """Raise :class:`ConfigurationError` unless a configuration has the key at ``location``."""
    for depth in range(len(location)):
        if location[depth] not in _list_keys(location[:depth], Configuration):
            fault = _explain_unknown_key(location[: depth + 1], Configuration)
            raise ConfigurationError(f"{source}: {fault}")


def _explain(detail: Any, kind: type[BaseModel]) -> str:
    location = tuple(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return _explain_unknown_key(location, kind)
    value = "" if detail["type"] == "missing" else f" {detail['input']!r}"
    return f"{'.'.join(map(str, location))}{value}: {detail['msg']}".lstrip()


def _explain_unknown_key(location: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    known = _list_keys(location[:-1], kind)
    near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
    return f"unknown key {'.'.join(map(str, location))!r}; {hint}"


def _list_keys(section: tuple[int | str, ...], kind: type[BaseModel]) -> list[str]:
    """The keys of ``section`` of a ``kind``."""
    for name in section:
        annotation = kind.model_fields[str(name)].annotation
        # An optional section is a union; its keys are those of the section in it.
        options = (annotation, *get_args(annotation))
        kind = next(
            option
            for option in options
            if isinstance(option, type) and issubclass(option, BaseModel)
        )
    return list(kind.model_fields)
