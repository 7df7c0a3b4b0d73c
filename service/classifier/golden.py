"""Golden answers: what a classifier answered to a few texts where it was trained.

A service that answers these texts otherwise has another tokenizer, another kernel or damaged
memory. The texts are words of the vocabulary and never texts of people.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from valence.service.errors import ArtifactError

FILE = "golden.json"
"""In the folder of the report, which every version of Valence reads as a part of the artifact."""

_MAX_BYTES = 4 * 2**20
_MAX_ANSWERS = 64
_MAX_CHARACTERS = 1_000
# the words of each text; a word in all of them would hide a fault of the others
_LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34)
_UNKNOWN_TEXT = "qzxv qzxv?!"


class GoldenAnswer(BaseModel):
    """A text, and the probability of each label, in the order of the manifest.

    ``outside`` is the probability that the text belongs to none of the labels, for a model that
    tells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    text: Annotated[str, Field(max_length=_MAX_CHARACTERS)]
    probabilities: tuple[float, ...]
    outside: float | None = None


_ANSWERS = TypeAdapter(tuple[GoldenAnswer, ...])


def choose_texts(words: Sequence[str]) -> list[str]:
    """Texts of ``words``, a vocabulary: their words come from all parts of it."""
    texts = ["", _UNKNOWN_TEXT]
    for number, length in enumerate(_LENGTHS, start=1):
        step = max(len(words) // length, 1)
        chosen = (words[(number + place * step) % len(words)] for place in range(length))
        texts.append(" ".join(chosen)[:_MAX_CHARACTERS])
    return texts


def write(path: Path, answers: Sequence[GoldenAnswer]) -> None:
    """Write ``answers`` to ``path``."""
    path.write_bytes(_ANSWERS.dump_json(tuple(answers), indent=2) + b"\n")


def read(path: Path, *, labels: int) -> tuple[GoldenAnswer, ...]:
    """The answers in ``path``; none if there is no such file, as in older artifacts.

    Raises :class:`ArtifactError` for a file that does not have an answer of ``labels`` numbers for
    each of its texts.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ArtifactError(f"{path}: more than {_MAX_BYTES:,} bytes; train the model again")
        answers = _ANSWERS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        # without the input, which the error would quote
        where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        raise ArtifactError(
            f"{path}: {where or 'the file'} is not a golden answer; train the model again"
        ) from None
    if len(answers) > _MAX_ANSWERS or any(len(one.probabilities) != labels for one in answers):
        raise ArtifactError(
            f"{path}: more than {_MAX_ANSWERS} answers, or one that does not have {labels} "
            "probabilities; train the model again"
        )
    return answers
