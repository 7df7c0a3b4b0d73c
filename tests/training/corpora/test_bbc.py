from __future__ import annotations

from valence.training.corpora import bbc, catalog
from valence.training.corpora.archive import fetch


def test_articles_are_ordered_by_topic_and_number(index, tmp_path) -> None:
    """Their pound signs are decoded."""
    examples = list(bbc.read(fetch(catalog.CORPORA["bbc"].package, tmp_path)))
    assert [(e.text, e.label) for e in examples] == [
        ("Shares\n\nUp by £2.", "business"),
        ("Phones\n\nThey cost £15.", "tech"),
        ("Chips\n\nSmaller yet.", "tech"),
    ]
    assert all(e.shares is None and e.corpus == "bbc" for e in examples)
    assert {e.label for e in examples} <= set(bbc.LABELS)
