from __future__ import annotations

from valence.training.corpora import catalog, facts
from valence.training.corpora.archive import fetch


def test_facts_are_neutral_and_their_text_is_repaired(index, tmp_path) -> None:
    examples = list(facts.read(fetch(catalog.CORPORA["facts"].package, tmp_path)))
    assert [example.text for example in examples] == [
        "A café in Turin is 200 years old.",
        "Lead melts at 327 degrees.",
        "",
        "Lead melts at 327 degrees",
    ]
    assert {(example.label, example.corpus) for example in examples} == {("neutral", "facts")}
    loaded = catalog.load_corpora(["facts"], cache=tmp_path)
    assert loaded.counts["facts"] == catalog.Counts(4, 1, 1, 0, 2)
