from __future__ import annotations

from valence.training.behaviour.lexicon import list_judged_words


def test_words_of_all_tables_and_of_people_are_judged() -> None:
    judged = list_judged_words()
    assert {"film", "monday", "boring", "slightly", "truly", "sikh", "dyslexic", "ebony"} <= judged
    assert {"father", "colleague"} <= judged
    assert judged.isdisjoint({"", "crew", "native american", "my"})
