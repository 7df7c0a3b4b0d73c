"""Valence for Python programs: what ``import valence`` gives.

This folder is installed as the package ``valence`` itself; ``service/`` is ``valence.service`` and
``training/`` is ``valence.training``.
"""

from valence.service import version

__version__ = version.VERSION

__all__ = ["__version__"]
