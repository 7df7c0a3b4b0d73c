"""Ids of predictions: what they say, and that nobody else can make or change one."""

import base64
import json

import pytest
from valence.service.feedback.prediction_id import KEY_BYTES, MAX_CHARACTERS, Issuer

KEY = bytes(range(KEY_BYTES))
VERSION = "20260105t031700000-5e6f7a8b"


def make(key=KEY, **more):
    return Issuer(key, **more)


def test_an_id_says_model_version_time_labels_and_score():
    text = make(clock=lambda: 1_745_383_213_500_000_000).issue(
        "sentiment", VERSION, ("positive",), 0.9375
    )
    said = make().read(text)
    assert (said.text, said.model, said.version) == (text, "sentiment", VERSION)
    assert (said.time, said.labels, said.score) == (1_745_383_213.5, ("positive",), 0.9375)


@pytest.mark.parametrize("labels", [(), ("late", "cold"), ("très bien",), ("a" * 200,)])
def test_any_set_of_labels_comes_back(labels):
    said = make().read(make().issue("topic", "1", labels, 0.5))
    assert said.labels == labels


def test_labels_that_do_not_fit_are_left_out():
    text = make().issue("topic", "1", tuple(f"label {n}" for n in range(500)), 0.5)
    assert len(text) <= MAX_CHARACTERS
    said = make().read(text)
    assert (said.text, said.labels, said.score) == (text, None, None)


def test_no_two_ids_are_equal_at_one_time():
    issuer = make(clock=lambda: 5)
    assert len({issuer.issue("topic", "1", ("sport",), 0.5) for _ in range(1_000)}) == 1_000


def test_counts_begin_anew_after_the_last_one():
    issuer = make(clock=lambda: 5, first=2**32 - 1)
    ids = [issuer.issue_several("topic", "1", 2) for _ in range(2)]
    assert [make().read(f"{text}.1").model for text in ids] == ["topic", "topic"]


def test_each_text_of_several_has_an_id_of_its_own():
    text = make().issue_several("topic", "1", 3)
    said = [make().read(f"{text}.{place}") for place in range(3)]
    assert [one.text for one in said] == [f"{text}.0", f"{text}.1", f"{text}.2"]
    assert {(one.labels, one.score) for one in said} == {(None, None)}


def test_one_prediction_has_one_spelling():
    one, several = make().issue("topic", "1", ("sport",), 0.5), make().issue_several("t", "1", 9)
    assert make().read(f"{one}.0").text == one
    assert make().read(f"{several}.007").text == f"{several}.7"


@pytest.mark.parametrize(
    ("texts", "end", "message"),
    [
        (3, ".3", "3 texts, from .0 to .2"),
        (3, "", "add `.N`"),
        (0, "", "line N of a stream"),
        (1, ".1", "one text"),
    ],
)
def test_a_text_that_the_answer_does_not_have_is_refused(texts, end, message):
    with pytest.raises(ValueError, match=message):
        make().read(make().issue_several("topic", "1", texts) + end)


def test_a_stream_has_any_number_of_lines():
    text = make().issue_several("topic", "1", 0)
    assert make().read(f"{text}.987654321").text.endswith(".987654321")


def test_no_character_of_an_id_can_be_changed():
    text = make().issue("sentiment", "1", ("positive",), 0.9375)
    for place, character in enumerate(text):
        changed = "0" if character != "0" else "1"
        with pytest.raises(ValueError, match="not a"):
            make().read(text[:place] + changed + text[place + 1 :])


def test_a_label_cannot_be_put_into_the_id_of_another():
    """A seal is of its head: a made-up head with the tail of a real id is refused."""
    _, tail = make().issue("sentiment", "1", ("positive",), 0.9375).split(".")
    head = base64.urlsafe_b64encode(json.dumps(["sentiment", "1", ["negative"]]).encode())
    with pytest.raises(ValueError, match="not an id of this service"):
        make().read(f"{head.decode().rstrip('=')}.{tail}")


def test_ids_of_another_key_are_refused():
    text = make(b"x" * KEY_BYTES).issue("topic", "1", ("sport",), 0.5)
    with pytest.raises(ValueError, match="another key"):
        make().read(text)
    with pytest.raises(ValueError, match="another key"):
        Issuer().read(Issuer().issue("topic", "1", ("sport",), 0.5))


@pytest.mark.parametrize("text", ["", "a.b", "xyzzy", "." * 90, "a" * 5_000, "é.0", "a.\n"])
def test_what_is_no_id_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match="not a prediction id") as refused:
        make().read(text)
    assert "xyzzy" not in str(refused.value)


def test_heads_of_many_labels_are_bounded():
    issuer = make()
    for number in range(3_000):
        issuer.issue("topic", "1", (f"{number}",), 0.5)
    assert len(issuer._heads) <= 1_024
