"""The fuzzer's target: ``python -m tests.trials.chaos.fuzz_tokenizer -runs=1000000 -seed=1``."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["valence.service.classifier.tokenizer"]):
    from valence.service.classifier import tokenizer
from valence.service.classifier.vocabulary import Vocabulary

_VOCABULARY = Vocabulary(
    ["<unk>", "<url>", "<user>", "<number>", "good", "movie", "n't", "...", "it", "'s", "!"]
)


def check(data: bytes) -> None:
    """Check that offsets cut the surfaces out of the text in order, with one id per token."""
    text = atheris.FuzzedDataProvider(data).ConsumeUnicode(len(data))
    tokens = tokenizer.tokenize(text)
    last = 0
    for token in tokens:
        if not last <= token.start < token.end or text[token.start : token.end] != token.surface:
            raise ValueError(f"{token} is not at its offset")
        if text[last : token.start].strip():
            raise ValueError(f"text before {token} belongs to no token")
        last = token.end
        if not tokenizer.normalize(token.surface):
            raise ValueError(f"{token} has no word")
    if text[last:].strip():
        raise ValueError("text at the end belongs to no token")
    if [token.surface for token in tokens] != tokenizer.find_surfaces(text):
        raise ValueError("with offsets and without, the tokens differ")
    ids, _, count = _VOCABULARY.encode(text)
    if len(ids) != count or count != len(tokens):
        raise ValueError(f"{len(tokens)} tokens, {count} counted, {len(ids)} ids")
    if ids.tolist() != [_VOCABULARY.id(token.surface) for token in tokens]:
        raise ValueError("ids differ from those of the tokens one by one")


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
