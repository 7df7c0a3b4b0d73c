import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.api.dialects.open_inference import tensors
from valence.service.errors import InvalidRequest, MalformedBody

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=99)


@given(TEXTS)
def test_texts_survive_binary_encoding(texts):
    assert (
        tensors.decode_binary_texts(tensors.encode_texts(texts), field="x", max_texts=99) == texts
    )


@given(st.binary())
def test_arbitrary_bytes_are_decoded_or_refused(content):
    try:
        texts = tensors.decode_binary_texts(content, field="x", max_texts=99)
    except InvalidRequest:
        return
    assert tensors.encode_texts(texts) == content


@given(TEXTS.filter(bool), st.data())
def test_a_truncated_tensor_is_refused_or_has_whole_elements(texts, data):
    whole = tensors.encode_texts(texts)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = tensors.decode_binary_texts(cut, field="x", max_texts=99)
    except InvalidRequest:
        return
    assert found == texts[: len(found)]
    assert len(found) < len(texts)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x01\x00\x00", "the length of element 0 is cut off"),
        (struct.pack("<I", 3) + b"ab", "element 0 ends 1 bytes after the end"),
        (struct.pack("<I", 2**32 - 1), "bytes after the end"),
        (struct.pack("<I", 1) + b"a" + struct.pack("<I", 1) + b"\xff", "element 1 is not UTF-8"),
    ],
)
def test_an_error_names_its_element(content, said):
    with pytest.raises(InvalidRequest, match=said):
        tensors.decode_binary_texts(content, field="x", max_texts=99)


def test_a_tensor_is_read_no_further_than_there_may_be_texts():
    assert tensors.decode_binary_texts(bytes(4 * 99), field="x", max_texts=99) == [""] * 99
    # the rest, which no element could be, is not looked at
    with pytest.raises(InvalidRequest, match="more than the 99 texts"):
        tensors.decode_binary_texts(bytes(4 * 99) + b"\xff" * 4, field="x", max_texts=99)


def test_numbers_are_rows_of_little_endian_floats():
    content = tensors.encode_numbers([(0.25, 0.75), (1.0, 0.0)])
    assert np.frombuffer(content, "<f4").tolist() == [0.25, 0.75, 1.0, 0.0]


@pytest.mark.parametrize(("header", "parts"), [(None, (b"{}xy", b"")), (b"2", (b"{}", b"xy"))])
def test_a_body_is_split_at_the_length_in_the_header(header, parts):
    assert tensors.split_body(b"{}xy", header) == parts


@pytest.mark.parametrize("header", [b"", b"0", b"5", b"-1", b"2.0", b"x", b"9" * 5000, b"\xb2"])
def test_an_impossible_length_is_refused(header):
    with pytest.raises(MalformedBody, match="body, which has 4 bytes"):
        tensors.split_body(b"{}xy", header)


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (["a", "b"], [2]),
        (["a", "b"], [2, 1]),
        ([["a"], ["b"]], [2, 1]),
    ],
)
def test_json_data_may_be_flat_or_nested_like_the_shape(data, shape):
    assert tensors.decode_json_texts(data, shape, field="x") == ["a", "b"]


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        ([["a"], ["b"]], [2]),
        ([["a", "b"]], [2, 1]),
        ([["a"], "b", ["c", "d"]], [3, 1]),
        ([["a"], [["b"]]], [2, 1]),
        (["a", 1], [2]),
        (["a", None], [2]),
        (["a", ["b"]], [2]),
    ],
)
def test_json_data_of_another_form_is_refused(data, shape):
    with pytest.raises(InvalidRequest):
        tensors.decode_json_texts(data, shape, field="x")
