from __future__ import annotations

from itertools import islice

from valence.training.char_lm.alphabet import UNKNOWN
from valence.training.char_lm.checkpoint import CharacterCheckpoint
from valence.training.char_lm.generation import generate_characters


def drawn(
    toy: CharacterCheckpoint,
    *,
    prime: str = "ab",
    temperature: float = 1.0,
    seed: int = 0,
    length: int = 400,
) -> str:
    characters = generate_characters(
        toy.build_network(), toy.alphabet, prime=prime, temperature=temperature, seed=seed
    )
    return "".join(islice(characters, length))


def test_generated_text_follows_the_rule_of_the_training_text(toy: CharacterCheckpoint) -> None:
    text = "ab" + drawn(toy, temperature=0.7)
    sentences = [f"{sentence}." for sentence in text.split(".")[:-1]]
    right = [sentence for sentence in sentences if sentence in {f"ab{n}." for n in range(4)}]
    assert len(right) > 0.95 * len(sentences)
    assert len(set(right)) == 4


def test_the_seed_determines_the_text(toy: CharacterCheckpoint) -> None:
    assert drawn(toy, seed=1) == drawn(toy, seed=1)
    assert drawn(toy, seed=1) != drawn(toy, seed=2)


def test_at_temperature_zero_the_likeliest_character_is_taken(toy: CharacterCheckpoint) -> None:
    """The seed has no effect."""
    assert drawn(toy, temperature=0.0, seed=1) == drawn(toy, temperature=0.0, seed=2)


def test_unknown_characters_are_read_but_never_written(toy: CharacterCheckpoint) -> None:
    assert UNKNOWN not in drawn(toy, prime="???ab", temperature=50.0, length=500)
