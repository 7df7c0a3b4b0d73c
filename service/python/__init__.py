"""Valence for Python programs: what ``import valence`` gives.

This folder is installed as the package ``valence`` itself; ``service/`` is ``valence.service`` and
``training/`` is ``valence.training``. The import is cheap: a name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from valence.service import version

if TYPE_CHECKING:
    from valence.service.client.answer import Answer
    from valence.service.client.async_client import AsyncClient
    from valence.service.client.client import Client
    from valence.service.errors import (
        ArtifactError,
        ConfigurationError,
        InvalidTexts,
        ServiceError,
        ServiceRefused,
        ServiceUnreachable,
        SourceError,
        ValenceError,
    )
    from valence.service.estimator.text_classifier import TextClassifier, load

__version__ = version.VERSION

__all__ = [
    "Answer",
    "ArtifactError",
    "AsyncClient",
    "Client",
    "ConfigurationError",
    "InvalidTexts",
    "ServiceError",
    "ServiceRefused",
    "ServiceUnreachable",
    "SourceError",
    "TextClassifier",
    "ValenceError",
    "__version__",
    "load",
]

_MODULES = {
    "valence.service.client.answer": ("Answer",),
    "valence.service.client.async_client": ("AsyncClient",),
    "valence.service.client.client": ("Client",),
    "valence.service.errors": (
        "ArtifactError",
        "ConfigurationError",
        "InvalidTexts",
        "ServiceError",
        "ServiceRefused",
        "ServiceUnreachable",
        "SourceError",
        "ValenceError",
    ),
    "valence.service.estimator.text_classifier": ("TextClassifier", "load"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


# a type checker would take a module with this function to have every name
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'valence' has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
