import json

import pytest

LINES, CSV = "application/jsonlines", "text/csv"


async def invoke(served, content, media_type):
    return await served.client.post(
        "/invocations", content=content, headers={"content-type": media_type}
    )


async def test_json_gets_the_answer_of_predict(served):
    for body in (
        {"inputs": "good"},
        {"inputs": [["good"], ["bad"]]},
        {"inputs": "good", "parameters": {"top_k": 1}},
        {"inputs": ["good", "bad"]},
    ):
        response = await served.client.post("/invocations", json=body)
        expected = await served.client.post("/predict", json=body)
        assert (response.status_code, response.content) == (expected.status_code, expected.content)


@pytest.mark.parametrize("end", ["", "\n"])
async def test_each_json_line_gets_one_line(served, end):
    # other formats end lines at these characters, JSON Lines does not
    texts = ["good", "bad\u2028movie\x85", "x\ny"]
    content = "\n".join(json.dumps({"inputs": text}, ensure_ascii=False) for text in texts) + end
    response = await invoke(served, content, LINES)
    assert response.headers["content-type"] == LINES
    rows = [json.loads(line) for line in response.content.splitlines()]
    assert (
        rows
        == (
            await served.client.post("/predict", json={"inputs": [[text] for text in texts]})
        ).json()
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
async def test_each_csv_row_gets_one_line(served, newline):
    content = newline.join(['"good, ""very"" good"', '"bad\nmovie"', "movie", ""])
    rows = [json.loads(line) for line in (await invoke(served, content, CSV)).text.splitlines()]
    texts = ['good, "very" good', "bad\nmovie", "movie"]
    assert (
        rows
        == (
            await served.client.post("/predict", json={"inputs": [[text] for text in texts]})
        ).json()
    )


@pytest.mark.parametrize(
    ("content", "media_type", "status", "said"),
    [
        (b"", LINES, 422, "the body is empty"),
        (b"", CSV, 422, "the body is empty"),
        (b'{"inputs": "a"}\n\n{"inputs": "b"}', LINES, 400, "line 1: "),
        (b'{"inputs": "a"}\n{"inputs": 3}', LINES, 422, "line.1: "),
        (b'{"inputs": "a", "truncate": true}', LINES, 422, "truncate: unknown field"),
        (b"a,b", CSV, 422, "line.0: 2 columns"),
        (b"a\n\nb", CSV, 422, "line.1: 0 columns"),
        (b'"a', CSV, 400, "not CSV"),
        (b"\xff", CSV, 400, "not UTF-8"),
    ],
)
async def test_an_invalid_line_refuses_the_request_and_is_named(
    served, content, media_type, status, said
):
    response = await invoke(served, content, media_type)
    assert response.status_code == status
    assert said in response.json()["error"]


@pytest.mark.parametrize("media_type", [LINES, CSV])
async def test_lines_are_counted_before_they_are_parsed(serve, media_type):
    response = await invoke(serve(max_texts=3), b"{\n" * 4, media_type)
    assert response.status_code == 422
    assert "4 texts, a request may have 3" in response.json()["error"]
