"""How a model is named: ``name``, ``name:version`` or ``name@alias``."""

from __future__ import annotations

from typing import NamedTuple

CHAMPION = "champion"
"""The alias that a bare name means, once a version was promoted."""


class Tag(NamedTuple):
    """The parts of a tag; ``version`` and ``alias`` are empty where the tag has none."""

    name: str
    version: str = ""
    alias: str = ""

    @classmethod
    def parse(cls, text: str) -> Tag:
        """The parts of ``text``, which may be no valid tag; ``name:champion`` names the alias."""
        if "@" in text:
            name, _, alias = text.partition("@")
            # what has a version too, or no alias, names nothing
            return cls(name, alias=alias) if alias and ":" not in name else cls(text)
        name, _, version = text.partition(":")
        return cls(name, alias=CHAMPION) if version == CHAMPION else cls(name, version)

    def __str__(self) -> str:
        """The tag as a user writes it."""
        if self.alias:
            return f"{self.name}@{self.alias}"
        return f"{self.name}:{self.version}" if self.version else self.name
