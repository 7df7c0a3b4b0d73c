from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from valence.training.config.columns import Columns
from valence.training.config.schema import Configuration, Outside, OutsideKind
from valence.training.corpora.example import Example
from valence.training.data.split import Splits
from valence.training.evaluation.assessment.outside import read_outside_texts
from valence.training.outside import texts as outside_texts
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.training.conftest import POLARITY

KINDS = get_args(OutsideKind)
# texts by which models are judged (docs/training-log.md)
JUDGED = Path(__file__).parents[2] / "trials" / "outside" / "outside.csv"


@pytest.fixture
def splits() -> Splits:
    copy = Example("BONJOUR, je voudrais une baguette et deux croissants", "neutral", "toy")
    return Splits(train=(copy,), dev=(Example("The film was great.", "positive", "toy"),), test=())


@pytest.fixture
def run(workspace: Workspace, silent: type[Reporter]) -> Run:
    return Run(workspace, silent())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_different_texts(kind: OutsideKind) -> None:
    found = outside_texts.list_texts(kind)
    assert len(found) >= 50
    assert all(text.strip() == text and text for text in found)
    forms = [Example(text, "", corpus="").normal_form for text in found]
    assert len(set(forms)) == len(forms)


def test_labels_with_a_polarity_fit_any_text(
    configured: Callable[..., Configuration],
) -> None:
    plain = configured().model_copy(update={"outside": Outside()})
    assert plain.outside_kinds == KINDS
    assert plain.model_copy(update={"polarity": POLARITY}).outside_kinds == ()
    assert configured(outside={"kinds": ["noise"]}).outside_kinds == ("noise",)


def test_texts_of_the_labels_are_not_outside(
    configured: Callable[..., Configuration], splits: Splits, run: Run, tmp_path: Path
) -> None:
    copies = tmp_path / "copies.csv"
    copies.write_text("note\nbonjour je voudrais une baguette et deux croissants!\nqux\n")
    asked = configured(outside={"kinds": ["noise"], "files": str(copies), "text": "note"})
    found = outside_texts.load_outside_texts(asked, splits, run)
    noise = outside_texts.list_texts("noise")
    assert found.texts == (*noise, "qux")
    assert found.kinds == ("noise",) * len(noise) + ("copies.csv",)
    nothing = configured(outside={"kinds": []})
    assert outside_texts.load_outside_texts(nothing, splits, run).texts == ()


def test_the_choice_of_a_text_depends_on_it_alone() -> None:
    texts = [f"text {number}" for number in range(50)]
    chosen = outside_texts.select_texts(texts, most=20)
    assert len(chosen) == 20
    assert outside_texts.select_texts(reversed(texts), most=20) == chosen
    fewer = [text for text in texts if text not in chosen[5:]]
    assert set(chosen[:5]) <= set(outside_texts.select_texts(fewer, most=20))
    assert outside_texts.select_texts(texts[:3]) == texts[:3]


def test_the_opening_is_the_first_of_several_sentences() -> None:
    texts = ["One came. Two went. Three stayed.", "Only one.", "", "A headline\n\nA text."]
    assert outside_texts.cut_openings(texts) == ["One came.", "A headline"]


def test_no_text_is_judged_by_that_is_learnt() -> None:
    learnt = {
        Example(text, "", corpus="").normal_form
        for kind in KINDS
        for text in outside_texts.list_texts(kind)
    }
    judged = read_outside_texts([str(JUDGED)], Columns("text", ""))
    assert len(judged) > 100
    forms = {Example(text, "", corpus="").normal_form for text in judged}
    assert not forms & learnt
