"""A text cut into its sentences, roughly: enough for texts that a teacher labels."""

from __future__ import annotations

import re

# reviews hold their line breaks as markup
_BREAK = re.compile(r"(?:<br\s*/?>|\s*\n\s*)+", re.IGNORECASE)
# what ends a sentence and stands before a blank and what may begin one
_END = re.compile(r"(?<=[.!?])([\"')\]]*)\s+(?=[\"'(\[]*[A-Z0-9])")
# "Mr." and "J." end none
_NO_END = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|etc|No)|\b[A-Z])\.$")


def sentences(text: str) -> list[str]:
    """The sentences of ``text`` in their order, none empty; a line's end ends one too."""
    found: list[str] = []
    for line in _BREAK.split(text):
        unfinished = ""
        begin = 0
        for end in _END.finditer(line):
            piece = line[begin : end.end(1)]
            begin = end.end()
            unfinished = f"{unfinished} {piece}".strip()
            if not _NO_END.search(piece):
                found.append(unfinished)
                unfinished = ""
        if rest := f"{unfinished} {line[begin:]}".strip():
            found.append(rest)
    return found
