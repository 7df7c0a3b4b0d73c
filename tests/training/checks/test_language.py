from __future__ import annotations

import pytest
from valence.training.checks.language import detect_language, languages

ENGLISH = "The government said on Monday that prices rose faster than it had expected this year."
GERMAN = "Die Regierung sagte am Montag, dass die Preise schneller gestiegen sind als erwartet."


def test_texts_in_another_language_are_found_and_named(texts) -> None:
    (found,) = languages(texts(*[ENGLISH] * 40, GERMAN, "ok", "Ja, genau"))
    assert (found.count, found.places) == (1, ("mine.csv, line 41",))
    assert "(en): de 1" in found.message


def test_one_language_and_short_texts_give_no_finding(texts) -> None:
    assert languages(texts(*[GERMAN] * 5, "yes", "no")) == []
    assert languages(texts("hm", ":)")) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", ENGLISH),
        ("de", GERMAN),
        ("fr", "Le service était lent et la chambre sentait mauvais, nous ne reviendrons pas."),
        ("zh", "我非常喜欢这部电影，演员的表演真的很好看，故事也很感人。"),
        ("th", "ผมชอบหนังเรื่องนี้มาก นักแสดงเล่นได้ดีจริงๆ"),
    ],
)
def test_the_language_of_texts_is_detected(language: str, text: str) -> None:
    assert detect_language([text] * 30) == language


def test_short_texts_are_judged_together() -> None:
    words = GERMAN.replace(",", "").replace(".", "").split()
    pairs = [" ".join(words[place : place + 2]) for place in range(0, len(words), 2)]
    assert detect_language(pairs * 20) == "de"


@pytest.mark.parametrize(
    "texts", [[], ["", " "], ["\U0001f600 :)"] * 50, ["12 45 78"] * 50, ["ok"]]
)
def test_texts_without_words_have_no_language(texts: list[str]) -> None:
    assert detect_language(texts) is None
