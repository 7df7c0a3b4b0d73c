import pytest
from hypothesis import given
from hypothesis import strategies as st
from valence.service.api.v1.ndjson import Line, LineSplitter


@given(st.binary(max_size=200), st.lists(st.integers(1, 20), max_size=20))
def test_lines_do_not_depend_on_how_the_body_is_cut(data, cuts):
    splitter = LineSplitter(max_bytes=8)
    found, rest = [], data
    for cut in cuts:
        found += splitter.feed(rest[:cut])
        rest = rest[cut:]
    found += splitter.feed(rest) + splitter.finish()
    assert found == [
        Line(number, content if len(content) <= 8 else None)
        for number, content in enumerate(data.split(b"\n"), 1)
        if len(content) > 8 or (content and not content.isspace())
    ]


def test_a_line_over_the_limit_is_not_kept_in_memory():
    splitter = LineSplitter(max_bytes=10)
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == []
        assert not splitter._begun
    assert splitter.feed(b"\ngood\n") == [Line(1, None), Line(2, b"good")]


@pytest.mark.parametrize(("size", "kept"), [(10, True), (11, False)])
def test_the_bytes_of_a_line_are_limited(size, kept):
    (line,) = LineSplitter(max_bytes=10).feed(b"x" * size + b"\n")
    assert (line.content is not None) is kept
