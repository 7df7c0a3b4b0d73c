"""Several versions of a model answer, by version, by alias and by their share of the requests."""

from __future__ import annotations

import asyncio
import collections
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.inference.admission import QueueLimits
from valence.service.inference.scorer import Scorer
from valence.service.inference.split import Split

from tests.service.api.v1.test_stream import Connection
from tests.support.blocked_engines import Blocked, slow


@pytest.fixture
def make_second(save_tiny, tmp_path, counting_engine):
    """Return a function that makes version 2 for a service."""

    def make(served):
        loaded = artifact.load(save_tiny(tmp_path / "second", version="2"))
        return Scorer(
            Classifier(loaded),
            counting_engine,
            limits=QueueLimits.of(served.app.context.settings),
            worker=ThreadPoolExecutor(1),
            metrics=served.metrics,
        )

    return make


@pytest.fixture
def both(serve, make_second):
    """Return a service with version 1, and version 2 as its challenger."""
    served = serve()
    served.models.name(make_second(served), "sentiment@challenger")
    served.models.name(served.models.get(), "sentiment@champion")
    return served


TEXT = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good"]}]}


def streams(served):
    """Count the streams by the version that has answered."""
    served.metrics.flush()
    found = collections.Counter()
    for version in ("1", "2"):
        labels = {"model": "sentiment", "version": version, "route": "/v1/classify/stream"}
        found[version] = (
            served.metrics._registry.get_sample_value(
                "valence_request_duration_seconds_count",
                labels | {"status": "200", "method": "POST"},
            )
            or 0
        )
    return found


async def ask_all(served, model, **headers):
    """Return the version that each dialect says has answered."""
    client = served.client

    async def ask(path, body):
        answer = await client.post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer

    name, _, version = model.partition(":")
    in_path = f"{name}/versions/{version}" if version else name
    before = streams(served)
    stream = await client.post(
        f"/v1/classify/stream?model={model}",
        content=b'{"text": "good"}\n',
        headers={"Content-Type": "application/x-ndjson", **headers},
    )
    assert "scores" in stream.text
    (counted,) = (streams(served) - before).keys()
    return {
        "native": (await ask("/v1/classify", {"text": "good", "model": model})).json()["model"][
            "version"
        ],
        "activations": (await ask("/v1/activations", {"text": "good", "model": model})).json()[
            "model"
        ]["version"],
        "stream": stream.json()["model"]["version"],
        "stream in the metrics": counted,
        "huggingface": (await ask(f"/models/{model}", {"inputs": "good"})).headers[
            "x-model-version"
        ],
        "vllm": (await ask("/classify", {"input": "good", "model": model})).headers[
            "x-model-version"
        ],
        "open inference": (await ask(f"/v2/models/{in_path}/infer", TEXT)).json()["model_version"],
    }


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("sentiment", "1"),
        ("sentiment:1", "1"),
        ("sentiment@champion", "1"),
        ("sentiment:2", "2"),
        ("sentiment@challenger", "2"),
    ],
)
async def test_every_dialect_takes_every_form_of_a_name(both, model, version):
    assert set((await ask_all(both, model)).values()) == {version}


async def test_a_split_gives_a_key_the_same_version_everywhere(both):
    both.models.splits = {"sentiment": Split("sentiment", {"champion": 1, "challenger": 1})}
    versions = {}
    for number in range(8):
        found = set((await ask_all(both, "sentiment", **{"X-Split-Key": f"{number}"})).values())
        assert len(found) == 1
        versions[number] = found.pop()
    assert set(versions.values()) == {"1", "2"}
    for model in (None, "sentiment"):
        for number, version in versions.items():
            answer = await both.client.post(
                "/v1/classify",
                json={"text": "good", "model": model},
                headers={"X-Split-Key": f"{number}"},
            )
            assert answer.json()["model"]["version"] == version
    assert set((await ask_all(both, "sentiment@champion")).values()) == {"1"}


async def test_without_a_key_the_id_of_the_request_decides(both):
    both.models.splits = {"sentiment": Split("sentiment", {"champion": 3, "challenger": 1})}
    counts = {"1": 0, "2": 0}
    for number in range(200):
        answer = await both.client.post(
            "/predict", json={"inputs": "good"}, headers={"X-Request-ID": f"request-{number}"}
        )
        counts[answer.headers["x-model-version"]] += 1
        if not number:
            again = await both.client.post(
                "/predict", json={"inputs": "good"}, headers={"X-Request-ID": "request-0"}
            )
            assert again.headers["x-model-version"] == answer.headers["x-model-version"]
    assert 25 < counts["2"] < 80
    both.metrics.flush()
    for version, count in counts.items():
        labels = {"model": "sentiment", "version": version, "route": "/predict", "status": "200"}
        found = both.metrics._registry.get_sample_value(
            "valence_request_duration_seconds_count", labels | {"method": "POST"}
        )
        assert found in (count, count + 1)


async def test_the_share_of_an_alias_that_is_away_goes_to_the_name(both):
    both.models.splits = {"sentiment": Split("sentiment", {"blue": 1})}
    assert (await both.classify(text="good")).json()["model"]["version"] == "1"


async def test_the_card_lists_versions_and_aliases(both):
    (card,) = (await both.client.get("/v1/models")).json()["models"]
    assert card["version"] == "1"
    assert card["versions"] == ["1", "2"]
    assert card["aliases"] == {"challenger": "2", "champion": "1"}
    challenger = (await both.client.get("/v1/models/sentiment@challenger")).json()
    assert challenger["version"] == "2"
    statistics = (await both.client.get("/v2/models/sentiment/stats")).json()["model_stats"]
    assert [one["version"] for one in statistics] == ["1", "2"]
    assert json.loads((await both.client.get("/v2/models/sentiment")).text)["versions"] == [
        "1", "2",
    ]  # fmt: skip


async def wait(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_each_line_of_a_stream_names_its_own_version(serve, make_second):
    """The second line is read and answered by another version while the first one waits."""
    engine = Blocked()
    served = serve(engine=engine)
    slow(served)
    second = make_second(served)
    served.models.name(second, "sentiment@challenger")
    connection = Connection(served)
    connection.write(b'"good"\n')
    await wait(lambda: engine.batches == 1)
    served.models.name(second, "sentiment")
    connection.write(b'"good"\n', more=False)
    await wait(lambda: connection.taken == 2)
    engine.opened.set()
    lines = [*await connection.read(), *await connection.read()]
    assert [line["model"]["version"] for line in lines] == ["1", "2"]
    # the id in the header names version 1
    assert "prediction_id" not in lines[0]
    said = served.app.context.issuer.read(lines[1]["prediction_id"])
    assert (said.version, said.text[-2:]) == ("2", ".2")
