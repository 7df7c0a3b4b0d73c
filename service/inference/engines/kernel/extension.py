"""The compiled module of the kernel, where it was built."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType


def load_extension() -> ModuleType:
    """The compiled module; raises ``ImportError`` where it was not built."""
    return importlib.import_module("valence.service.inference.engines.kernel._kernel")


@cache
def find_class(name: str) -> type | None:
    """The class ``name`` of the compiled module; None where no build has it."""
    try:
        found: type | None = getattr(load_extension(), name, None)
    except ImportError:
        return None
    return found
