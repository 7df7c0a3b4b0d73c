"""The space of a search: keys of a configuration, each with its possible values.

A space is a TOML file with the sections of a configuration. A key has ``choices``, or ``low`` and
``high`` (both included) with ``log`` or ``step``. The key decides whether numbers are integers.
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

Suggestion = str | int | float | bool | None
"""A value as Optuna stores it."""

_SAME_CLASSIFIER = "this key defines the classifier, not its quality"
_FIXED = {
    "name": _SAME_CLASSIFIER,
    "task": _SAME_CLASSIFIER,
    "labels": _SAME_CLASSIFIER,
    "polarity": _SAME_CLASSIFIER,
    "expected": "this key states the result of a finished configuration",
    "data": "all trials use the same texts; in [data] only targets can be searched",
    "distillation": "all trials learn from the same teacher; tune the teacher before",
    "counterfactuals": "all trials use the same texts",
    "optimization.seed": "the best of several seeds is chance",
    "optimization.evaluate_every": "trials are compared after equally many steps",
}
_SEARCHED = "data.targets"
# suggested numbers are rounded to these significant digits, so that the winner is readable
_DIGITS = 3
_Number = Annotated[float, Field(strict=True)]


class _AxisDeclaration(BaseModel):
    """The declaration of a key in a space file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    choices: tuple[JsonValue, ...] | None = None
    low: _Number | None = None
    high: _Number | None = None
    log: bool = False
    step: _Number | None = Field(default=None, gt=0.0)

    @model_validator(mode="after")
    def _require_one_kind(self) -> _AxisDeclaration:
        given = self.model_fields_set
        if "choices" in given and len(given) > 1:
            raise ValueError("choices exclude low, high, log and step; remove these")
        if "choices" not in given and not {"low", "high"} <= given:
            raise ValueError("give choices = [...], or low = ... and high = ...")
        return self


@dataclass(frozen=True, slots=True)
class Choices:
    """A choice between values without an order."""

    values: tuple[JsonValue, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise ValueError(f"{list(self.values)} is not a choice; give at least two values")
        if len({json.dumps(value) for value in self.values}) < len(self.values):
            raise ValueError(f"{list(self.values)} contains a value twice")

    @property
    def distribution(self) -> BaseDistribution:
        """The distribution for Optuna."""
        return CategoricalDistribution([_encode_choice(value) for value in self.values])

    def decode(self, suggestion: Suggestion) -> JsonValue:
        """The value for the configuration."""
        return next(value for value in self.values if _encode_choice(value) == suggestion)

    def encode(self, value: JsonValue) -> Suggestion:
        """The suggestion for ``value``. Raises :class:`ValueError` if it is not a choice."""
        return _encode_choice(self.values[self.values.index(value)])


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from ``low`` to ``high``, both included; integers if ``low`` is an ``int``."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"the range from {self.low:g} to {self.high:g} is empty")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low:g}: log = true needs a low above 0")
        if self.step is None:
            return
        if self.log:
            raise ValueError("log and step exclude each other; remove one")
        if self._is_integer and not float(self.step).is_integer():
            raise ValueError(
                f"step {self.step:g}: the values are integers, so the step must be one too"
            )
        if not self._is_on_step(self.high):
            last = self.low + self.step * math.floor((self.high - self.low) / self.step)
            raise ValueError(
                f"high {self.high:g} is not a whole number of steps above low; use {last:g} or "
                f"{last + self.step:g}"
            )

    @property
    def distribution(self) -> BaseDistribution:
        """The distribution for Optuna."""
        if self._is_integer:
            step = int(self.step or 1)
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=step)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def decode(self, suggestion: Suggestion) -> JsonValue:
        """The value for the configuration; floats are rounded to three significant digits."""
        if not isinstance(suggestion, float):
            return suggestion
        return min(max(float(f"{suggestion:.{_DIGITS}g}"), self.low), self.high)

    def encode(self, value: JsonValue) -> Suggestion:
        """The suggestion for ``value``. Raises :class:`ValueError` outside of the range."""
        if not (
            isinstance(value, int | float)
            and self.low <= value <= self.high
            and self._is_on_step(value)
        ):
            raise ValueError(f"{value!r} is outside of the range")
        return value

    @property
    def _is_integer(self) -> bool:
        return isinstance(self.low, int)

    def _is_on_step(self, value: float) -> bool:
        steps = (value - self.low) / (self.step or 1)
        return self.step is None or math.isclose(steps, round(steps), abs_tol=1e-9)


class Incompatible(ConfigurationError):
    """Values that a configuration accepts separately, but not together."""


@dataclass(frozen=True, slots=True)
class Space:
    """All combinations of values of the keys (``section.key``) in ``axes``, around ``base``."""

    base: Configuration
    axes: Mapping[str, Choices | Range]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The distributions for Optuna, by key."""
        return {key: axis.distribution for key, axis in self.axes.items()}

    def make_configuration(self, suggestions: Mapping[str, Suggestion]) -> Configuration:
        """The configuration of a trial. Raises :class:`Incompatible`."""
        values = {key: axis.decode(suggestions[key]) for key, axis in self.axes.items()}
        try:
            return _replace_values(self.base, values, source="these values together")
        except ConfigurationError as error:
            raise Incompatible(str(error)) from None

    def encode_base(self) -> dict[str, Suggestion] | None:
        """The suggestions for the base configuration; None if it is outside of the space."""
        try:
            return {key: axis.encode(get_value(self.base, key)) for key, axis in self.axes.items()}
        except ValueError:
            return None

    def as_json(self) -> dict[str, JsonValue]:
        """The declarations as plain JSON values."""
        return {key: asdict(axis) for key, axis in self.axes.items()}


def load_space(path: Path, base: Configuration) -> Space:
    """The space that the TOML file at ``path`` declares around ``base``.

    Raises :class:`ConfigurationError` for unknown keys, for keys that cannot be searched, for empty
    ranges, for values that the configuration refuses, and for a ``base`` that is its own teacher
    or has no network.
    """
    if base.distillation is not None and SELF in base.distillation.teacher:
        raise ConfigurationError(
            f"distillation.teacher {SELF!r} would be a different teacher in each trial; remove it "
            "from the search, and add it to the winning configuration"
        )
    if base.ngrams is not None and base.ngrams.alone:
        raise ConfigurationError(
            "ngrams.alone = true: a search compares networks, and there is none; leave it out"
        )
    axes: dict[str, Choices | Range] = {}
    for section, keys in toml.read_toml(
        path, published="training/experiments/search/spaces/"
    ).items():
        _check_key(section, path)
        if not isinstance(keys, dict):
            raise ConfigurationError(
                f"{path}: {section!r} is a section; put its keys under [{section}]"
            )
        for key, declaration in keys.items():
            full_key = f"{section}.{key}"
            _check_key(full_key, path)
            axes[full_key] = _make_axis(full_key, declaration, base, source=f"{path}: {full_key}")
    if not axes:
        raise ConfigurationError(
            f"{path} declares no keys; add keys of a configuration, such as hidden_size = "
            "{ low = 32, high = 128, step = 32 } under [network]"
        )
    return Space(base, axes)


def _check_key(key: str, path: Path) -> None:
    """Raise :class:`ConfigurationError` unless the key or section exists and can be searched."""
    loader.check_key(tuple(key.split(".")), source=str(path))
    if key != _SEARCHED and not _SEARCHED.startswith(f"{key}."):
        reason = _FIXED.get(key) or _FIXED.get(key.partition(".")[0])
        if reason:
            raise ConfigurationError(f"{path}: {key!r} cannot be searched: {reason}")


def _make_axis(key: str, content: Any, base: Configuration, *, source: str) -> Choices | Range:
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{source} = {content!r}: give {{ choices = [...] }} or {{ low = ..., high = ... }}"
        )
    declared = loader.validate(content, _AxisDeclaration, source=source)

    def validate_value(value: JsonValue) -> JsonValue:
        """``value`` after validation by the configuration."""
        return get_value(_replace_values(base, {key: value}, source=source), key)

    try:
        if declared.choices is not None:
            return Choices(tuple(validate_value(value) for value in declared.choices))
        low, high = validate_value(declared.low), validate_value(declared.high)
        if isinstance(low, bool) or not (
            isinstance(low, int | float) and isinstance(high, type(low))
        ):
            raise ValueError("the values are not numbers; give choices = [...]")
        return Range(low, high, log=declared.log, step=declared.step)
    except ValueError as error:
        raise ConfigurationError(f"{source}: {error}") from None


def _replace_values(
    base: Configuration, values: Mapping[str, JsonValue], *, source: str
) -> Configuration:
    content: dict[str, Any] = base.as_json()
    for key, value in values.items():
        section, _, name = key.partition(".")
        content[section] = {**content[section], name: value}
    return loader.parse_configuration(content, source=source)


def get_value(configuration: Configuration, key: str) -> JsonValue:
    """The value at ``section.key`` of ``configuration``, as a plain JSON value."""
    content: Any = configuration.as_json()
    for part in key.split("."):
        content = content[part]
    value: JsonValue = content
    return value


def _encode_choice(value: JsonValue) -> Suggestion:
    """A choice as Optuna stores it: lists and tables become JSON strings."""
    return json.dumps(value) if isinstance(value, list | dict) else value
