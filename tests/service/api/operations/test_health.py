import asyncio
import threading

import pytest
from valence.service.api.application import ROUTES
from valence.service.api.operations import openapi
from valence.service.api.v1.cards import ModelCard, ModelList

from tests.support.tiny_models import CountingEngine


def sample(text: str, name: str, **labels: str) -> float:
    """Return the value of one line of the text format, or 0 if the line is missing."""
    found = 0.0
    for line in text.splitlines():
        head, _, value = line.rpartition(" ")
        if head.split("{")[0] == name and all(f'{k}="{v}"' in head for k, v in labels.items()):
            found += float(value)
    return found


async def metrics(served) -> str:
    return (await served.client.get("/metrics")).text


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz"])
async def test_a_serving_process_is_alive_and_ready(served, path):
    assert (await served.client.get(path)).status_code == 200


async def test_the_served_document_equals_the_contract(served):
    for _ in range(2):
        answer = await served.client.get("/openapi.json")
        assert answer.status_code == 200
        assert answer.json() == openapi.build_document(ROUTES, served.app.context.settings)


class HangingEngine(CountingEngine):
    """Engine that hangs in every batch until ``freed``."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = threading.Event()

    def logits(self, documents):
        assert self.freed.wait(20)
        return super().logits(documents)


async def test_a_process_with_a_hanging_engine_fails_liveness(serve):
    """The process still answers until it is restarted."""
    engine = HangingEngine()
    served = serve(engine=engine, hung_seconds=0.3, request_timeout_seconds=0.1)
    try:
        # long enough that the batch does not run on the event loop
        assert (await served.classify(texts=["good " * 50] * 10)).status_code == 504
        while (answer := await served.client.get("/livez")).status_code == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert answer.status_code == 503
        assert "hung" in answer.json()["detail"]
        assert served.models.get().busy_seconds >= 0.3
        assert (await served.classify(text="good")).status_code == 504
    finally:
        engine.freed.set()
    await served.models.close()
    assert (await served.client.get("/livez")).status_code == 200


async def test_a_draining_process_answers_and_closes_connections(served):
    """Its readiness check fails."""
    served.models.leave()
    assert (await served.client.get("/readyz")).status_code == 503
    assert (await served.client.get("/livez")).status_code == 200
    answer = await served.classify(text="good")
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"


async def test_one_request_adds_exactly_one_to_its_counters(served):
    labels = {"route": "/v1/classify", "status": "200", "model": "sentiment", "version": "1"}
    await served.classify(text="good")
    before = await metrics(served)
    await served.classify(text="good unheard-of " + "movie " * 60)
    after = await metrics(served)

    def increase(name: str, **wanted: str) -> float:
        return sample(after, name, **wanted) - sample(before, name, **wanted)

    assert increase("valence_requests_total", **labels) == 1
    assert increase("valence_request_duration_seconds_count", **labels) == 1
    for stage in ("tokenize", "queue", "infer"):
        assert increase("valence_stage_duration_seconds_count", stage=stage) == 1
    assert increase("valence_predictions_total", label="positive") == 1
    assert increase("valence_tokens_total") == 64
    assert increase("valence_unknown_tokens_total") == 3
    assert increase("valence_truncated_texts_total") == 1
    assert increase("valence_batch_items_sum") == 1
    # under the names of BentoML's own middleware, which is off
    assert increase("bentoml_service_request_total", endpoint="/v1/classify") == 1
    assert increase("bentoml_service_request_duration_seconds_count", endpoint="/v1/classify") == 1


async def test_refusals_are_counted_by_reason(served):
    await served.classify()
    await served.client.get("/nothing")
    await served.client.get("/nothing/else")
    text = await metrics(served)
    assert sample(text, "valence_rejected_requests_total", reason="invalid-request") == 1
    assert sample(text, "valence_rejected_requests_total", reason="unknown-path") == 2
    assert sample(text, "valence_requests_total", route="unmatched", status="404") == 2
    assert "nothing" not in text


async def test_info_in_flight_and_queue_metrics_exist(served):
    text = await metrics(served)
    assert sample(text, "valence_model_info", model="sentiment", engine="counting") == 1
    assert sample(text, "valence_build_info", service_version="test") == 1
    # the scrape itself
    assert sample(text, "valence_requests_in_flight") == 1
    assert 'valence_queue_items{model="sentiment",version="1"} 0.0' in text
    assert "process_resident_memory_bytes" in text


async def test_in_flight_returns_to_zero_whatever_happens(served):
    task = asyncio.create_task(served.classify(text="good"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await served.classify()
    assert served.metrics.in_flight == 0


async def test_a_model_card_describes_the_model_behind_an_answer(served):
    response = await served.client.get("/v1/models/sentiment")
    card = ModelCard.model_validate_json(response.content)
    assert card.default
    assert card.engine == "counting"
    assert card.labels == ["negative", "neutral", "positive"]
    assert card.limits.max_tokens == 50
    assert card.training.corpora[0].sha256 == "0" * 64
    listed = ModelList.model_validate_json((await served.client.get("/v1/models")).content)
    assert listed.models == [card]
    assert (await served.client.get("/v1/models/sentiment:1")).content == response.content


async def test_a_scrape_reports_whether_requests_are_answered(serve):
    starting, serving = serve(opened=False), serve()
    assert sample(await metrics(starting), "valence_ready") == 0
    assert sample(await metrics(serving), "valence_ready") == 1
    await serving.models.close()
    assert sample(await metrics(serving), "valence_ready") == 0
