"""Commands whose parameters are objects: each field of such an object is an option of its own.

Typer reads the signature of a function. A command with twenty options would be a function of twenty
parameters; here the command takes a few frozen dataclasses, whose fields carry the options.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, TypeVar, get_type_hints

Result = TypeVar("Result")


def expand_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """``command`` as typer reads it: dataclass parameters are replaced by their fields.

    A field without a default is a required option. Raises :class:`TypeError` if two parameters
    have a field of the same name.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, tuple[type, tuple[str, ...]]] = {}
    expanded: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        annotation = hints[name]
        if not (isinstance(annotation, type) and is_dataclass(annotation)):
            expanded.append(parameter.replace(annotation=annotation))
            continue
        options = get_type_hints(annotation, include_extras=True)
        groups[name] = (annotation, tuple(options))
        expanded += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=parameter.empty if field.default is MISSING else field.default,
                annotation=options[field.name],
            )
            for field in fields(annotation)
        ]
    names = [parameter.name for parameter in expanded]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TypeError(f"{command.__name__} has two options called {sorted(twice)}")

    @wraps(command)
    def run(**values: Any) -> Result:
        for name, (kind, options) in groups.items():
            values[name] = kind(**{option: values.pop(option) for option in options})
        return command(**values)

    # positional parameters before keyword-only ones, as a signature wants them
    expanded.sort(key=lambda parameter: parameter.kind)
    run.__signature__ = inspect.Signature(expanded)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in expanded}
    del run.__wrapped__
    return run
