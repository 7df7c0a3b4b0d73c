from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from valence.service.errors import InvalidTexts
from valence.service.estimator.texts import list_texts

TEXTS = ["good", "", "bad movie"]
SECRET = "a secret of a user"


@pytest.mark.parametrize(
    "held",
    [
        TEXTS,
        tuple(TEXTS),
        iter(TEXTS),
        dict.fromkeys(TEXTS).keys(),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS, dtype=np.dtypes.StringDType()),
        pd.Series(TEXTS, index=[7, 7, 1]),
        pd.Series(TEXTS, dtype="string"),
        pd.Series(TEXTS, dtype=object),
        pd.Series(TEXTS, dtype="category"),
        pd.DataFrame({"text": TEXTS})["text"],
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
        pa.array(TEXTS).dictionary_encode(),
        pa.table({"text": TEXTS})["text"],
    ],
    ids=lambda held: type(held).__name__,
)
def test_every_holder_of_texts_gives_plain_texts(held: object) -> None:
    found = list_texts(held)
    assert list(found) == TEXTS
    assert all(isinstance(text, str) for text in found)


def test_no_rows_are_no_texts() -> None:
    for nothing in (
        [],
        np.array([], dtype=str),
        pd.Series([], dtype=str),
        pa.array([], pa.string()),
    ):
        assert list_texts(nothing) == []


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        ([SECRET, None], "row 1 .*missing.*fillna"),
        ([SECRET, math.nan], "row 1 .*missing"),
        (pd.Series([SECRET, None]), "row 1 .*missing"),
        (pd.Series([SECRET, None], dtype="string"), "row 1 .*missing"),
        (pa.array([SECRET, None]), "row 1 .*missing"),
        ([SECRET, 3], "row 1 .*a int, not a text; convert it by str"),
        (np.array([1, 2]), "row 0 .*a int"),
        ([SECRET, SECRET.encode()], "row 1 .*bytes, not a text; decode"),
        (pa.array([SECRET.encode()]), "row 0 .*bytes"),
        ([[SECRET]], "row 0 .*a list.*one column"),
        (np.array([[SECRET], [SECRET]]), r"shape \(2, 1\); give one column"),
        (pd.DataFrame({"text": [SECRET]}), r"shape \(1, 1\); give one column"),
        (pa.table({"text": [SECRET]}), r"shape \(1, 1\); give one column"),
        (np.array(SECRET), r"shape \(\)"),
        (SECRET, "one str .*a list"),
        (SECRET.encode(), "one bytes .*a list"),
        ({SECRET: 1}, "a dict has no rows in order"),
        ({SECRET}, "a set has no rows in order"),
        (7, "int is not a list of texts"),
    ],
)
def test_anything_else_is_refused_by_its_row(held: object, fault: str) -> None:
    with pytest.raises(InvalidTexts, match=fault) as refused:
        list_texts(held)
    assert SECRET not in str(refused.value)
    assert isinstance(refused.value, ValueError)
