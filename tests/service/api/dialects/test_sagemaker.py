import json

import pytest

from tests.support.event_loop_turns import counted

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
        (b"\n \n", LINES, 422, "the body is empty"),
        (b"\n\r\n", CSV, 422, "the body is empty"),
        (b"inputs\n", CSV, 422, "the body is empty"),
        (b'{"inputs": "a"}\n\n{"inputs": "b"', LINES, 400, "line 3: "),
        (b'{"inputs": "a"}\n{"inputs": 3}', LINES, 422, "line.2: "),
        (b'{"inputs": "a", "truncate": true}', LINES, 422, "truncate: unknown field"),
        (b"a,b", CSV, 422, "line.1: 2 columns"),
        (b'a\n\n"b\nc"\nd,e', CSV, 422, "line.5: 2 columns"),
        (b"id,inputs\n1,a\n2", CSV, 422, "line.3: 1 columns, the header has 2"),
        (b"inputs,inputs\na,b", CSV, 422, "line.1: two columns are called inputs"),
        (b'a\n"b', CSV, 400, "line 2: not CSV"),
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
    assert "more than the 3 texts that a request may have" in response.json()["error"]


@pytest.mark.parametrize("rows", [3, 4])
async def test_a_header_and_blank_lines_are_no_texts(serve, rows):
    content = b"\ninputs\n\n" + b"good\n\n" * rows
    response = await invoke(serve(max_texts=3), content, CSV)
    assert response.status_code == (200 if rows == 3 else 422)
    without_header = await invoke(serve(max_texts=3), b"good\n" * rows, CSV)
    assert without_header.status_code == response.status_code


async def rows_of(served, content, media_type):
    answer = await invoke(served, content, media_type)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.content.splitlines()]


async def predicted(served, *texts):
    body = {"inputs": [[text] for text in texts]}
    return (await served.client.post("/predict", json=body)).json()


@pytest.mark.parametrize(
    ("content", "media_type", "texts"),
    [
        (b"inputs\ngood\nbad\n", CSV, ["good", "bad"]),
        (b'"inputs"\r\n"good, bad"\r\n', CSV, ["good, bad"]),
        (b"id,inputs,stars\n1,good,5\n2,bad,1\n", CSV, ["good", "bad"]),
        (b"\xef\xbb\xbfinputs\ngood\n", CSV, ["good"]),
        (b"Inputs\ngood\n", CSV, ["Inputs", "good"]),
        (b"inputs\ngood\n", f"{CSV}; header=absent", ["inputs", "good"]),
        (b"review\ngood\n", f'{CSV};charset=utf-8;HEADER="present"', ["good"]),
        (b"id,inputs\n1,good\n", f"{CSV}; header=present", ["good"]),
        (b'good\n""\n\n  \n', CSV, ["good", "", "  "]),
    ],
)
async def test_a_header_is_found_or_declared(served, content, media_type, texts):
    assert await rows_of(served, content, media_type) == await predicted(served, *texts)


@pytest.mark.parametrize("form", ["lines", "csv", "json"])
async def test_a_long_text_has_one_rule_in_every_format(serve, form):
    text = "good " * 30_000  # longer than Python's csv reads by default
    content, media_type, field = {
        "lines": (json.dumps({"inputs": text}), LINES, "line.1"),
        "csv": (f'"{text}"', CSV, "line.1"),
        "json": (json.dumps({"inputs": [[text]]}), "application/json", "inputs.0"),
    }[form]
    response = await invoke(serve(max_characters=len(text)), content, media_type)
    assert response.status_code == 200
    response = await invoke(serve(max_characters=len(text) - 1), content, media_type)
    assert response.status_code == 422
    assert response.json()["error"] == (
        f"{field}: 150000 characters, a text may have 149999; split or shorten the text"
    )


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, LINES),
        ("", LINES),
        ("*/*", LINES),
        ("application/*", LINES),
        ("text/html, */*;q=0.1", LINES),
        ("text/csv", CSV),
        ("TEXT/CSV; q=0.9, application/json; q=0.8", CSV),
        ("text/*", CSV),
        ("application/json", "application/json"),
        ("application/json, application/jsonlines", LINES),
        ("application/x-npy", None),
        ("text/csv;q=0", None),
    ],
)
async def test_the_client_chooses_the_media_type(served, accept, answered):
    headers = {"content-type": CSV} if accept is None else {"content-type": CSV, "accept": accept}
    if accept is None:
        del served.client.headers["accept"]
    answer = await served.client.post("/invocations", content="good\nbad\n", headers=headers)
    assert answer.status_code == (406 if answered is None else 200)
    given = answer.headers["content-type"].split(";")[0]
    assert given == (answered or "application/json")
    if answered == CSV:
        best = [row[0] for row in await predicted(served, "good", "bad")]
        rows = [line.split(",") for line in answer.text.splitlines()]
        assert [(label, float(score)) for label, score in rows] == [
            (row["label"], row["score"]) for row in best
        ]


async def test_many_blank_lines_let_others_run(served):
    async with counted() as turns:
        assert (await invoke(served, b"\n" * 100_000 + b"good", CSV)).status_code == 200
        assert (await invoke(served, b"\n" * 100_000 + b'{"inputs":"a"}', LINES)).status_code == 200
    assert turns.count > 90


async def test_columns_are_bounded_before_a_row_is_read(served):
    most = 64 * served.app.context.settings.max_texts
    answer = await invoke(served, b"," * (most + 1), CSV)
    assert answer.status_code == 422
    assert f"body: more than {most} columns" in answer.text
    # commas in quotes separate no columns
    quoted = b'"' + b',""' * 30_000 + b'"\n'
    assert (await invoke(served, quoted * 3, CSV)).status_code == 200
