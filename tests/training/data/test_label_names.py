from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.training.data.label_names import (
    fold_label,
    name_missing_value,
    show_labels,
    sort_labels,
)

PROGRAM = """
import sys
from pathlib import Path
from valence.training.config.columns import Columns
from valence.training.config.loader import load_configuration
from valence.training.data import autoconfig
from valence.training.data.preparation import prepare
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

reporter = Reporter(quiet=True)
folder = Path("workspace")
path = autoconfig.write_configuration(
    ["codes.csv"], Columns("text", "label"), name=None, workspace=folder, reporter=reporter
)
prepared = prepare(load_configuration(path), Run(Workspace(folder), reporter))
truth = [texts.truth.tolist() for texts in (prepared.train, *prepared.held_out.values())]
print(path.read_text(), prepared.hashes, list(prepared.vocabulary), truth)
"""


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["10", "9", "1"], ["1", "9", "10"]),
        (["1.0", "1", "01", "2"], ["01", "1", "1.0", "2"]),
        (["1", "nan", "10", "2"], ["1", "10", "2", "nan"]),
        (["2", "inf", "1e3"], ["1e3", "2", "inf"]),
        (["-1", "0", "1"], ["-1", "0", "1"]),
        (["b", "a"], ["a", "b"]),
    ],
)
def test_labels_have_one_order_whatever_their_input(labels: list[str], order: list[str]) -> None:
    for permutation in itertools.permutations(labels):
        assert sort_labels(permutation) == order


@given(st.lists(st.text(max_size=4)), st.randoms(use_true_random=False))
def test_the_order_of_labels_is_total(labels: list[str], random) -> None:
    before = sort_labels(labels)
    random.shuffle(labels)
    assert sort_labels(labels) == before


@pytest.mark.integration
def test_another_hash_seed_prepares_the_same_bytes(tmp_path: Path) -> None:
    """Labels are numbers of one value, and the name of no number."""
    rows = [
        f"visit {number} {word},{label}"
        for label, word in (("1", "one"), ("1.0", "dot"), ("01", "zero"), ("nan", "none"))
        for number in range(40)
    ]
    (tmp_path / "codes.csv").write_text("\n".join(["text,label", *rows]))
    found = set()
    for seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert '"01",\n    "1",\n    "1.0",\n    "nan",' in found.pop()


@pytest.mark.parametrize(
    "alike",
    [
        ("Spam", "spam", "SPAM"),
        ("caf\u00e9", "cafe\u0301"),
        ("spam", "sp\u200bam", "\ufeffspam"),
        ("1", "1.0", "01", "1e0"),
        ("not spam", "not\u00a0spam", "not  spam"),
        ("sci-fi", "sci\u2011fi"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_look_alike_labels_fold_to_one_form(alike: tuple[str, ...]) -> None:
    assert len({fold_label(label) for label in alike}) == 1


def test_labels_that_people_distinguish_stay_apart() -> None:
    labels = ("c", "c++", "c#", "1", "11", "1.1", "-1", "sci fi", "scifi", "nan", "non")
    assert len({fold_label(label) for label in labels}) == len(labels)


def test_names_of_missing_values_are_told_from_words() -> None:
    assert all(map(name_missing_value, ("nan", "NaN", "null", "NULL", "<NA>", "Infinity")))
    assert not any(map(name_missing_value, ("none", "n", "nano", "information", "0")))


def test_names_that_look_the_same_are_shown_by_codes() -> None:
    assert show_labels(["Spam", "spam"]) == "'Spam', 'spam'"
    assert show_labels(["caf\u00e9", "cafe\u0301"]) == r"'caf\xe9', 'cafe\u0301'"
    assert show_labels([str(number) for number in range(12)]).endswith("'9', …")
    assert show_labels(["a"], {"a": 1_200}) == "'a' (1,200)"
