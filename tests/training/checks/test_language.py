from __future__ import annotations

import sys

import pytest
from valence.service.errors import ConfigurationError
from valence.training.checks.language import languages

ENGLISH = "The government said on Monday that prices rose faster than it had expected this year."
GERMAN = "Die Regierung sagte am Montag, dass die Preise schneller gestiegen sind als erwartet."


def test_texts_in_another_language_are_found_and_named(texts) -> None:
    (found,) = languages(texts(*[ENGLISH] * 40, GERMAN, "ok", "Ja, genau"))
    assert (found.count, found.places) == (1, ("mine.csv, line 41",))
    assert "(en): de 1" in found.message


def test_one_language_and_short_texts_give_no_finding(texts) -> None:
    assert languages(texts(*[GERMAN] * 5, "yes", "no")) == []
    assert languages(texts("hm", ":)")) == []


def test_without_the_library_the_package_to_install_is_named(
    texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(ConfigurationError, match="py3langid is not installed"):
        languages(texts(ENGLISH))
