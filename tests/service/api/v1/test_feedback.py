"""``POST /v1/feedback``: what is stored, what is refused, and that no text is kept unasked."""

import asyncio
import tempfile

import pytest
from valence.service.errors import Overloaded
from valence.service.feedback.store import Store
from valence.service.keys.key import fingerprint
from valence.service.observability.tracing import Tracer

from tests.support.feedback_databases import feedback_settings
from tests.support.otlp import collecting


@pytest.fixture
def path(tmp_path):
    return tmp_path / "feedback.db"


@pytest.fixture
def kept(serve, path):
    """A service that keeps feedback."""
    return serve(**feedback_settings(path))


def stored(path):
    store = Store.open(str(path))
    records = list(store.read())
    store.close()
    return records


async def send(served, *items, **headers):
    return await served.client.post("/v1/feedback", json={"feedback": items}, headers=headers)


async def classify(served, **fields):
    answer = (await served.classify(**fields)).json()
    return answer["prediction_id"], answer


async def test_the_truth_is_stored_beside_the_prediction(kept, path):
    name, answer = await classify(kept, text="good movie")
    done = await send(kept, {"prediction_id": name, "label": "negative"})
    assert (done.status_code, done.json()) == (200, {"stored": 1})
    (record,) = stored(path)
    assert (record.id, record.model, record.version) == (name, "sentiment", "1")
    (result,) = answer["results"]
    assert record.predicted == (result["label"],)
    assert record.score == pytest.approx(result["scores"][0]["score"])
    assert record.truth == ("negative",)
    assert record.correct is (result["label"] == "negative")
    assert 0 <= record.received - record.time < 60
    assert (record.text, record.source) == ("", "")


async def test_the_same_feedback_twice_is_stored_once(kept, path):
    name, _ = await classify(kept, text="good")
    answers = [await send(kept, {"prediction_id": name, "label": "negative"}) for _ in range(2)]
    assert [answer.json() for answer in answers] == [{"stored": 1}] * 2
    await send(kept, {"prediction_id": name, "label": "neutral"})
    assert [record.truth for record in stored(path)] == [("neutral",)]


async def test_each_text_of_several_has_feedback_of_its_own(kept, path):
    name, answer = await classify(kept, texts=["good", "bad", "so so"])
    items = [
        {
            "prediction_id": f"{name}.{place}",
            "label": "neutral",
            "predicted": result["label"],
            "score": result["scores"][0]["score"],
        }
        for place, result in enumerate(answer["results"][:2])
    ]
    items.append({"prediction_id": f"{name}.2", "label": "neutral"})
    assert (await send(kept, *items)).json() == {"stored": 3}
    records = {record.id.rpartition(".")[2]: record for record in stored(path)}
    assert [records[place].correct is None for place in "012"] == [False, False, True]


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/predict", {"inputs": "good"}),
        ("/classify", {"input": "good"}),
        ("/invocations", {"inputs": "good"}),
        (
            "/v2/models/sentiment/infer",
            {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good"]}]},
        ),
    ],
)
async def test_answers_of_every_dialect_have_an_id(kept, path, url, body):
    answer = await kept.client.post(url, json=body)
    name = answer.headers["x-prediction-id"]
    done = await send(kept, {"prediction_id": name, "label": "negative"})
    assert done.json() == {"stored": 1}
    (record,) = stored(path)
    assert (record.id, record.predicted is None) == (name, False)


async def test_a_line_of_a_stream_has_an_id(kept, path):
    answer = await kept.client.post(
        "/v1/classify/stream",
        content=b'"good"\n"bad"\n',
        headers={"Content-Type": "application/x-ndjson"},
    )
    name = f"{answer.headers['x-prediction-id']}.2"
    item = {"prediction_id": name, "label": "negative", "predicted": "negative"}
    assert (await send(kept, item)).json() == {"stored": 1}
    assert [record.correct for record in stored(path)] == [True]


async def test_an_error_has_no_id(kept):
    answer = await kept.classify(text=3)
    assert "x-prediction-id" not in answer.headers


async def test_a_wrong_piece_costs_the_others_nothing(kept, path):
    name, _ = await classify(kept, text="good")
    done = await send(
        kept,
        {"prediction_id": "xyzzy", "label": "negative"},
        {"prediction_id": name, "label": "negative"},
    )
    assert done.status_code == 200
    assert done.json()["stored"] == 1
    (fault,) = done.json()["errors"]
    assert (fault["index"], fault["location"]) == (0, "feedback.0.prediction_id")
    assert len(stored(path)) == 1


@pytest.mark.parametrize(
    ("fields", "location", "message"),
    [
        ({"label": "postive"}, "label", "its labels are negative, neutral, positive"),
        ({"label": []}, "label", "0 labels, but 'sentiment' gives a text one label"),
        ({"label": ["negative", "positive"]}, "label", "2 labels"),
        ({"label": "negative", "predicted": "negative"}, "predicted", "leave predicted"),
        ({"label": "negative", "score": 0.5}, "predicted", "leave predicted and score out"),
        ({"label": "negative", "text": "xyzzy"}, "text", "VALENCE_FEEDBACK_TEXT=true"),
        ({"label": "negative", "source": "xyzzy"}, "source", "VALENCE_FEEDBACK_TEXT=true"),
    ],
)
async def test_what_cannot_be_stored_is_named(kept, path, fields, location, message):
    name, _ = await classify(kept, text="good")
    done = await send(kept, {"prediction_id": name, **fields})
    assert done.status_code == 422
    (fault,) = done.json()["errors"]
    assert fault["location"] == f"feedback.0.{location}"
    assert message in fault["message"]
    assert "xyzzy" not in done.text
    assert stored(path) == []


async def test_a_score_needs_what_was_predicted(kept):
    name, _ = await classify(kept, texts=["good", "bad"])
    done = await send(kept, {"prediction_id": f"{name}.0", "label": "negative", "score": 0.5})
    assert (done.status_code, "give both" in done.text) == (422, True)


async def test_an_id_of_another_service_is_refused(serve, kept, path):
    name, _ = await classify(serve(), text="good")
    done = await send(kept, {"prediction_id": name, "label": "negative"})
    assert (done.status_code, "made with another key" in done.text) == (422, True)


async def test_feedback_of_an_earlier_version_is_taken(kept, path):
    name = kept.app.context.issuer.issue("sentiment", "0", ("positive",), 0.5)
    assert (await send(kept, {"prediction_id": name, "label": "negative"})).status_code == 200
    gone = kept.app.context.issuer.issue("weather", "0", ("rain",), 0.5)
    done = await send(kept, {"prediction_id": gone, "label": "rain"})
    assert (done.status_code, "'weather', which is not served" in done.text) == (422, True)
    assert [record.version for record in stored(path)] == ["0"]


async def test_texts_are_kept_where_the_operator_allows_it(serve, path):
    served = serve(**feedback_settings(path, feedback_text=True, max_characters=20))
    name, _ = await classify(served, text="good")
    item = {"prediction_id": name, "label": "negative", "source": "annotator"}
    assert (await send(served, item | {"text": "good"})).json() == {"stored": 1}
    assert [(record.text, record.source) for record in stored(path)] == [("good", "annotator")]
    for text, message in (("a" * 21, "may have 20"), ("a\0b", "U+0000")):
        done = await send(served, item | {"text": text})
        assert (done.status_code, message in done.text) == (422, True)


async def test_without_a_database_feedback_is_refused(served):
    name, _ = await classify(served, text="good")
    done = await send(served, {"prediction_id": name, "label": "negative"})
    assert (done.status_code, done.json()["type"]) == (404, "urn:valence:problem:feedback-off")
    assert "VALENCE_FEEDBACK_DATABASE" in done.json()["detail"]


async def test_each_piece_takes_a_text_from_the_rate_of_the_key(serve, path, tmp_path):
    digest = fingerprint(b"secret").hex()
    (tmp_path / "keys").write_text(f"a: sha256:{digest} scopes=admin texts_per_second=4\n")
    served = serve(api_keys_file=str(tmp_path / "keys"), **feedback_settings(path))
    issue = served.app.context.issuer.issue
    items = [
        {"prediction_id": issue("sentiment", "1", ("positive",), 0.5), "label": "negative"}
        for _ in range(9)
    ]
    answers = [await send(served, *items, **{"X-API-Key": "secret"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "retry-after" in answers[1].headers


async def test_feedback_is_counted_by_whether_the_prediction_was_right(kept):
    issuer = kept.app.context.issuer
    names = [issuer.issue("sentiment", "1", ("positive",), 0.5) for _ in range(3)]
    several = issuer.issue_several("sentiment", "1", 2)
    await send(
        kept,
        *({"prediction_id": name, "label": "positive"} for name in names[:2]),
        {"prediction_id": names[2], "label": "negative"},
        {"prediction_id": f"{several}.0", "label": "negative"},
    )
    exposed = kept.metrics.exposition().decode()
    for outcome, count in (("right", 2), ("wrong", 1), ("unknown", 1)):
        labels = f'model="sentiment",outcome="{outcome}",version="1"'
        assert f"valence_feedback_total{{{labels}}} {count}.0" in exposed


async def test_a_full_queue_is_refused_for_now(kept, path, monkeypatch):
    async def refuse(records):
        raise Overloaded("too many wait", retry_after_seconds=1.0)

    monkeypatch.setattr(kept.app.context.feedback, "write", refuse)
    name, _ = await classify(kept, text="good")
    done = await send(kept, {"prediction_id": name, "label": "negative"})
    assert (done.status_code, done.headers["retry-after"]) == (429, "1")


async def test_a_lost_database_refuses_and_classification_goes_on(kept, path):
    name, _ = await classify(kept, text="good")
    for file in path.parent.glob("feedback.db*"):
        file.unlink()
    path.mkdir()
    item = {"prediction_id": name, "label": "negative"}
    done = await send(kept, item)
    assert (done.status_code, "nothing of it is stored" in done.text) == (503, True)
    assert (await kept.classify(text="good")).status_code == 200


async def test_too_many_pieces_are_refused_together(kept, path):
    piece = {"prediction_id": "a", "label": "b"}
    done = await send(kept, *([piece] * 257))
    assert (done.status_code, "257 pieces, a request may have 256" in done.text) == (422, True)


async def test_many_requests_at_once_are_all_stored(kept, path):
    issue = kept.app.context.issuer.issue
    names = [issue("sentiment", "1", ("positive",), 0.5) for _ in range(100)]
    answers = await asyncio.gather(
        *(send(kept, {"prediction_id": name, "label": "positive"}) for name in names)
    )
    assert {answer.status_code for answer in answers} == {200}
    assert {record.id for record in stored(path)} == set(names)


async def test_with_defaults_no_text_is_stored_anywhere(serve, path, tmp_path, monkeypatch):
    """The canary is asked for, answered, and sent as feedback in every field that takes a text.

    Database, write-ahead log and temporary files lie in one folder; spans go to a collector.
    """
    canary = "xyzzy-canary-1f3a"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        tracer = Tracer()
        kept = serve(tracer=tracer, **feedback_settings(path))
        name, _ = await classify(kept, text=canary, id=canary)
        await send(kept, {"prediction_id": name, "label": "negative"})
        wrong = (
            {"prediction_id": name, "label": "negative", "text": canary},
            {"prediction_id": name, "label": "negative", "source": canary},
            {"prediction_id": name, "label": canary},
            {"prediction_id": f"{name}.{canary}", "label": "negative"},
            {"prediction_id": canary, "label": "negative", "predicted": canary},
            {"prediction_id": name, "label": "negative", canary: canary},
        )
        for item in wrong:
            assert (await send(kept, item)).status_code == 422
        # while the service holds the database open, as a thief would find it
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert {"feedback.db", "feedback.db-wal"} <= {file.name for file in files}
        assert not any(canary.encode() in file.read_bytes() for file in files)
        await asyncio.to_thread(tracer.close)
        assert "POST /v1/feedback" in {span.name for span in collector.spans()}
        assert canary not in repr(collector.requests)
    assert len(stored(path)) == 1
    kept.metrics.flush()
    assert canary not in kept.metrics.exposition().decode() + str(kept.lines()) + name
