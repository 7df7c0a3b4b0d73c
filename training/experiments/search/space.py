"""The space that is searched: keys of a configuration, each with the values it may take.

A TOML file with the sections of a configuration; a key has ``choices``, or ``low`` and ``high``
(both may be taken) with ``log`` or ``step``. Whether numbers are whole follows from the key.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from valence.service.errors import ConfigurationError
from valence.training.config import loader, toml
from valence.training.config.schema import SELF, Configuration

Suggested = str | int | float | bool | None
"""A value as Optuna keeps it."""

_SAME_CLASSIFIER = "it says what the classifier is, not how good"
_FIXED = {
    "name": _SAME_CLASSIFIER,
    "task": _SAME_CLASSIFIER,
    "labels": _SAME_CLASSIFIER,
    "polarity": _SAME_CLASSIFIER,
    "expected": "it says what a finished configuration reaches",
    "data": "trials are compared on the same texts, so of [data] only targets is",
    "distillation": "all trials learn from one teacher, which is tuned before",
    "optimization.seed": "the best of several seeds is luck",
    "optimization.evaluate_every": "trials are compared after equal steps",
}
_SEARCHED = "data.targets"
# what of a suggested number is used, so that the winner can be read
_DIGITS = 3
_Number = Annotated[float, Field(strict=True)]


class _Declared(BaseModel):
    """What a space says of a key."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    choices: tuple[JsonValue, ...] | None = None
    low: _Number | None = None
    high: _Number | None = None
    log: bool = False
    step: _Number | None = Field(default=None, gt=0.0)

    @model_validator(mode="after")
    def _one_kind(self) -> _Declared:
        given = self.model_fields_set
        if "choices" in given and len(given) > 1:
            raise ValueError("choices stand alone; leave out low, high, log and step")
        if "choices" not in given and not {"low", "high"} <= given:
            raise ValueError("say choices = [...], or low = ... and high = ...")
        return self


@dataclass(frozen=True, slots=True)
class Choices:
    """Any of some values, which have no order."""

    values: tuple[JsonValue, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise ValueError(f"{list(self.values)} are no choice; give two values or more")
        if len({json.dumps(value) for value in self.values}) < len(self.values):
            raise ValueError(f"{list(self.values)} hold a value twice")

    @property
    def distribution(self) -> BaseDistribution:
        """As Optuna draws from it."""
        return CategoricalDistribution([_label(value) for value in self.values])

    def value(self, suggested: Suggested) -> JsonValue:
        """What the configuration gets."""
        return next(value for value in self.values if _label(value) == suggested)

    def suggested(self, value: JsonValue) -> Suggested:
        """What stands for ``value``; raises :class:`ValueError` if it is no choice."""
        return _label(self.values[self.values.index(value)])


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from ``low`` to ``high``, both among them; whole ones if these are ``int``."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"the range from {self.low:g} to {self.high:g} is empty")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low:g}: log = true needs one above 0")
        if self.step is None:
            return
        if self.log:
            raise ValueError("log and step exclude each other; leave one out")
        if self._whole and not float(self.step).is_integer():
            raise ValueError(f"step {self.step:g}: the values are whole numbers")
        if not self._on_a_step(self.high):
            last = self.low + self.step * math.floor((self.high - self.low) / self.step)
            raise ValueError(
                f"high {self.high:g} is no whole number of steps above low; {last:g} or "
                f"{last + self.step:g} are"
            )

    @property
    def distribution(self) -> BaseDistribution:
        """As Optuna draws from it."""
        if self._whole:
            step = int(self.step or 1)
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=step)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def value(self, suggested: Suggested) -> JsonValue:
        """What the configuration gets: of numbers that are not whole, three digits."""
        if not isinstance(suggested, float):
            return suggested
        return min(max(float(f"{suggested:.{_DIGITS}g}"), self.low), self.high)

    def suggested(self, value: JsonValue) -> Suggested:
        """What stands for ``value``; raises :class:`ValueError` if it is outside."""
        if not (
            isinstance(value, int | float)
            and self.low <= value <= self.high
            and self._on_a_step(value)
        ):
            raise ValueError(f"{value!r} is outside")
        return value

    @property
    def _whole(self) -> bool:
        return isinstance(self.low, int)

    def _on_a_step(self, value: float) -> bool:
        steps = (value - self.low) / (self.step or 1)
        return self.step is None or math.isclose(steps, round(steps), abs_tol=1e-9)


class Incompatible(ConfigurationError):
    """Values that a configuration would take, but not together."""


@dataclass(frozen=True, slots=True)
class Space:
    """Every combination of what keys (``section.key``) may be, around a ``base``."""

    base: Configuration
    axes: Mapping[str, Choices | Range]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """As Optuna draws from them, by key."""
        return {key: axis.distribution for key, axis in self.axes.items()}

    def configuration(self, suggested: Mapping[str, Suggested]) -> Configuration:
        """The configuration that a trial is of; raises :class:`Incompatible`."""
        values = {key: axis.value(suggested[key]) for key, axis in self.axes.items()}
        try:
            return _changed(self.base, values, source="these values together")
        except ConfigurationError as error:
            raise Incompatible(str(error)) from None

    def start(self) -> dict[str, Suggested] | None:
        """What suggests the base itself; None if that lies outside."""
        try:
            return {key: axis.suggested(at(self.base, key)) for key, axis in self.axes.items()}
        except ValueError:
            return None

    def as_json(self) -> dict[str, JsonValue]:
        """What was declared, as plain JSON values."""
        return {key: asdict(axis) for key, axis in self.axes.items()}


def load(path: Path, base: Configuration) -> Space:
    """The space that the TOML file at ``path`` declares around ``base``.

    Raises :class:`ConfigurationError` for keys that a configuration lacks, or that are not to be
    searched, for empty ranges, for values that the configuration would not take, and for a ``base``
    that teaches itself.
    """
    if base.distillation is not None and SELF in base.distillation.teacher:
        raise ConfigurationError(
            f"distillation.teacher {SELF!r} is another one for every trial; leave it out of the "
            "search, and name it in the configuration that wins"
        )
    axes: dict[str, Choices | Range] = {}
    for section, keys in toml.read_toml(
        path, published="training/experiments/search/spaces/"
    ).items():
        _check(section, path)
        if not isinstance(keys, dict):
            raise ConfigurationError(
                f"{path}: {section!r} is a section; write its keys under [{section}]"
            )
        for key, declared in keys.items():
            whole_key = f"{section}.{key}"
            _check(whole_key, path)
            axes[whole_key] = _axis(whole_key, declared, base, source=f"{path}: {whole_key}")
    if not axes:
        raise ConfigurationError(
            f"{path} declares nothing to search; name keys of a configuration, like hidden_size = "
            "{ low = 32, high = 128, step = 32 } under [network]"
        )
    return Space(base, axes)


def _check(key: str, path: Path) -> None:
    """Raise :class:`ConfigurationError` unless the key or section is there and may be searched."""
    loader.check_key(tuple(key.split(".")), source=str(path))
    if key != _SEARCHED and not _SEARCHED.startswith(f"{key}."):
        reason = _FIXED.get(key) or _FIXED.get(key.partition(".")[0])
        if reason:
            raise ConfigurationError(f"{path}: {key!r} is not searched: {reason}")


def _axis(key: str, content: Any, base: Configuration, *, source: str) -> Choices | Range:
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{source} = {content!r}: say {{ choices = [...] }} or {{ low = ..., high = ... }}"
        )
    declared = loader.validate(content, _Declared, source=source)

    def taken(value: JsonValue) -> JsonValue:
        """``value`` as the configuration has it, which refuses what it would not take."""
        return at(_changed(base, {key: value}, source=source), key)

    try:
        if declared.choices is not None:
            return Choices(tuple(taken(value) for value in declared.choices))
        low, high = taken(declared.low), taken(declared.high)
        if isinstance(low, bool) or not (
            isinstance(low, int | float) and isinstance(high, type(low))
        ):
            raise ValueError("its values are no numbers; say choices = [...]")
        return Range(low, high, log=declared.log, step=declared.step)
    except ValueError as error:
        raise ConfigurationError(f"{source}: {error}") from None


def _changed(base: Configuration, values: Mapping[str, JsonValue], *, source: str) -> Configuration:
    content: dict[str, Any] = base.as_json()
    for key, value in values.items():
        section, _, name = key.partition(".")
        content[section] = {**content[section], name: value}
    return loader.parse_configuration(content, source=source)


def at(configuration: Configuration, key: str) -> JsonValue:
    """What ``configuration`` has at ``section.key``, as a plain JSON value."""
    content: Any = configuration.as_json()
    for part in key.split("."):
        content = content[part]
    value: JsonValue = content
    return value


def _label(value: JsonValue) -> Suggested:
    """A choice as Optuna keeps it: lists and tables by their JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value
