"""Complete answers, small and large."""

import pytest
from valence.service.api.http.response import Response
from valence.service.server.single_write import EXTENSION


@pytest.mark.parametrize("extensions", [{}, {EXTENSION: {}}])
@pytest.mark.parametrize("size", [0, 65_536, 65_537, 200_000])
async def test_a_large_answer_is_sent_in_pieces(extensions, size):
    """So that the sender waits for a client that reads slowly."""
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    sent = []

    async def send(message):
        sent.append(message)

    await Response(body)({"type": "http", "extensions": extensions}, None, send)
    assert sent[0]["status"] == 200
    assert dict(sent[0]["headers"])[b"content-length"] == str(size).encode()
    pieces = [message.get("body", b"") for message in sent]
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= 65_536
    if size > 65_536:
        assert [message["more_body"] for message in sent[1:]] == [True] * (len(sent) - 2) + [False]


@pytest.mark.parametrize("extensions", [{}, {EXTENSION: {}}])
async def test_what_answers_have_in_common_is_not_copied(extensions):
    rest = bytes(200_000)
    sent = []

    async def send(message):
        sent.append(message)

    await Response(b"own", rest=rest)({"type": "http", "extensions": extensions}, None, send)
    assert dict(sent[0]["headers"])[b"content-length"] == b"200003"
    pieces = [message["body"] for message in sent[1:] if message["body"]]
    assert b"".join(pieces) == b"own" + rest
    assert all(piece.obj is rest for piece in pieces[1:])
