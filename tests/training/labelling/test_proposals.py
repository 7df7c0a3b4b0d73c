from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from valence.training.labelling.proposals import Proposals

LABELS = ("a", "b", "c")


def make_proposals(texts: int = 300) -> Proposals:
    random = np.random.default_rng(0)
    shares = random.dirichlet((0.5, 0.5, 0.05), size=texts)
    return Proposals(tuple(f"text {row}" for row in range(texts)), LABELS, shares)


def test_texts_to_confirm_have_every_label_and_are_like_the_others() -> None:
    proposals = make_proposals()
    proposed = proposals.shares.argmax(axis=1)
    rows = proposals.draw(60)
    assert len(set(rows.tolist())) == 60
    assert set(proposed[rows].tolist()) == {0, 1, 2}
    for label in (0, 1):
        share, drawn = (proposed == label).mean(), (proposed[rows] == label).mean()
        assert abs(share - drawn) < 0.05
    # not the certain ones: they judge
    certain = proposals.shares.max(axis=1)
    assert abs(certain[rows].mean() - certain.mean()) < 0.05


def test_rare_labels_have_no_more_than_their_share() -> None:
    """Their proposals are often wrong, and the confirmed texts would judge the model by them."""
    sizes = [5] * 20 + [45] * 20
    shares = np.repeat(np.eye(40), sizes, axis=0)
    labels = tuple(f"label {number}" for number in range(40))
    texts = tuple(f"text {number}" for number in range(1_000))
    rows = Proposals(texts, labels, shares).draw(50)
    assert len(set(rows.tolist())) == 50
    rare = int((shares[rows].argmax(axis=1) < 20).sum())
    assert 1 <= rare <= 9  # a tenth of the texts


def test_no_more_texts_are_drawn_than_there_are() -> None:
    assert sorted(make_proposals(30).draw(100).tolist()) == list(range(30))


def test_certain_texts_are_learnt_and_confirmed_ones_are_not() -> None:
    proposals = make_proposals()
    proposed, certain = proposals.shares.argmax(axis=1), proposals.shares.max(axis=1)
    rows = proposals.choose_certain(["Text 7", "text 8"])
    assert not {7, 8} & set(rows.tolist())
    for label in (0, 1):
        own = np.flatnonzero(proposed == label)
        left = np.setdiff1d(own, [*rows.tolist(), 7, 8])
        chosen = rows[proposed[rows] == label]
        assert certain[left].max() <= certain[chosen].min()
        assert 0.75 < len(chosen) / len(own) < 0.85


def test_rows_are_written_with_their_likeliest_labels(tmp_path: Path) -> None:
    proposals = Proposals(('say "a, b"', "two"), LABELS, np.eye(3)[[2, 0]])
    path = tmp_path / "confirm.csv"
    proposals.write(path, np.array([1, 0]))
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["text", "label"], ["two", "a"], ['say "a, b"', "c"]]
