"""A profile of data in numbers; a model keeps it, so that the drift of new data can be measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from valence.service.classifier import tokenizer
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import ArtifactError
from valence.training.corpora.example import Example

FILE = "profile.json"
# Upper bounds of the classes of text lengths, in tokens; the last class has no bound.
LENGTHS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)
# The number of words whose shares are compared; all other words are one class.
WORDS = 1_000


class DataProfile(BaseModel):
    """Counts of labels, lengths and words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    texts: int = Field(ge=0)
    tokens: int = Field(ge=0)
    labels: dict[str, int] = Field(description="texts of each label")
    lengths: tuple[int, ...] = Field(description=f"texts of up to {LENGTHS} tokens, and longer")
    words: dict[str, int] = Field(description=f"the {WORDS} commonest words, commonest first")
    unknown_words: int = Field(ge=0, description="tokens that the model's vocabulary lacks")


def profile_examples(
    examples: Sequence[Example],
    *,
    vocabulary: Vocabulary | None = None,
    words: Sequence[str] | None = None,
) -> DataProfile:
    """Describe ``examples``; ``words``, where given, are counted instead of the commonest."""
    counts: Counter[str] = Counter()
    sizes = []
    # an older model is asked with the rules of its own tokenizer
    rules = tokenizer.SCRIPTS if vocabulary is None else vocabulary.rules
    for example in examples:
        found = tokenizer.find_surfaces(example.text, rules)
        sizes.append(len(found))
        counts.update(found)
    normal: Counter[str] = Counter()
    for surface, count in counts.items():  # each spelling is normalized once
        normal[tokenizer.normalize(surface)] += count
    chosen = [word for word, _ in normal.most_common(WORDS)] if words is None else words
    unknown = 0
    if vocabulary is not None:
        unknown = sum(n for word, n in counts.items() if not vocabulary.knows(word))
    classes = np.bincount(np.searchsorted(LENGTHS, sizes), minlength=len(LENGTHS) + 1)
    return DataProfile(
        texts=len(examples),
        tokens=sum(sizes),
        labels=dict(Counter(label for example in examples for label in example.labels)),
        lengths=tuple(map(int, classes)),
        words={word: normal[word] for word in chosen},
        unknown_words=unknown,
    )


def read_profile(path: Path) -> DataProfile | None:
    """The profile in ``path``; None if there is none, as in a model of an older version."""
    try:
        return DataProfile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise ArtifactError(f"{path}: no profile of data ({said}); train the model anew") from None
