"""A challenger scores what was answered; these are the promises to those who were answered."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import random
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from valence.service.inference.cache import AnswerCache
from valence.service.inference.model_loader import ModelLoader
from valence.service.inference.models import Models
from valence.service.inference.reload.reloads import Reloads
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.shadow import shadow as shadows
from valence.service.inference.shadow.shadow import Shadow
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings
from valence.training.registry import store

from tests.support.model_stores import models_in, put_model
from tests.support.tiny_models import save_tiny_model

TEXTS = ["a good movie", "not very good", "the movie was bad!", "good"]
PAIR = {"model": "sentiment", "version": "1", "challenger": "2"}


@pytest.fixture(autouse=True)
def _idle_machine(monkeypatch):
    """Let no other load on the machine decide what is dropped."""
    monkeypatch.setattr(shadows, "_MAX_TURN_SECONDS", 10.0)
    monkeypatch.setattr(shadows, "_MAX_AGE_SECONDS", 10.0)


class Service:
    """A model and its challenger in one process."""

    def __init__(self, folder, *, share=1.0, cache=None, seed=2, **challenger) -> None:
        self.models, self.metrics, self.logged = Models(), Metrics(version="test"), io.StringIO()
        log = Log(self.logged)
        (rule,) = Settings(shadow=f"sentiment=challenger:{share}").shadow
        self.shadow = Shadow(rule, self.models, self.metrics, log)
        loader = self.loader = ModelLoader(
            Settings(),
            ThreadPoolExecutor(1),
            self.metrics,
            log,
            cache,
            {"sentiment": self.shadow.observe},
        )
        self.champion, self.challenger = (
            loader.load(save_tiny_model(folder / version, version=version, **options))
            for version, options in (("1", {"seed": 1}), ("2", {"seed": seed, **challenger}))
        )
        self.models.open([self.champion])
        self.models._scorers["sentiment@challenger"] = self.challenger

    async def answer(self, texts=TEXTS, **options):
        """Answer as a request does, in a task of its own; return when this task has ended."""
        scorer = self.models.get("sentiment")
        scored = await asyncio.create_task(scorer.score(ScoreRequest(texts, **options)))
        await asyncio.sleep(0)
        return scored

    async def settle(self) -> None:
        async with asyncio.timeout(10):
            while self.shadow._working is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    def sample(self, name, labels=PAIR, **more):
        self.shadow.flush()
        self.metrics.shadow.flush()
        return self.metrics._registry.get_sample_value(name, labels | more) or 0

    def outcomes(self):
        return {
            outcome: int(count)
            for outcome in ("agreed", "differed", "dropped", "failed")
            if (count := self.sample("valence_shadow_texts_total", outcome=outcome))
        }


async def test_the_challenger_scores_what_was_answered(tmp_path):
    service = Service(tmp_path)

    async def request():
        answer = await service.champion.score(ScoreRequest(TEXTS))
        await asyncio.sleep(0.02)
        assert not service.outcomes(), "nothing before the task that answers has ended"
        return answer

    scored = await asyncio.create_task(request())
    await asyncio.sleep(0)
    await service.settle()
    other = await service.challenger.score(ScoreRequest(TEXTS))
    pairs = list(zip(scored.predictions, other.predictions, strict=True))
    agreed = sum(one.label == two.label for one, two in pairs)
    assert 0 < agreed < len(TEXTS), "the test needs both"
    assert service.outcomes() == {"agreed": agreed, "differed": len(TEXTS) - agreed}
    for source, predictions in (("served", scored), ("challenger", other)):
        for label in service.champion.manifest.labels:
            expected = sum(one.label == label for one in predictions.predictions)
            assert expected == service.sample(
                "valence_shadow_predictions_total", source=source, label=label
            )
    differences = [
        abs(max(one.probabilities) - two.probabilities[one.probabilities.index(max(one[1]))])
        for one, two in pairs
    ]
    assert service.sample("valence_shadow_probability_difference_sum") == pytest.approx(
        sum(differences), abs=1e-6
    )
    assert service.sample("valence_shadow_probability_difference_count") == len(TEXTS)
    assert service.sample("valence_shadow_engine_seconds_total", source="served") == pytest.approx(
        scored.engine_seconds
    )
    assert service.sample("valence_shadow_engine_seconds_total", source="challenger") > 0


async def test_answers_and_their_counts_stay_as_without_a_shadow(tmp_path):
    service, plain = Service(tmp_path / "a"), Service(tmp_path / "b", share=1e-12)
    for _ in range(3):
        assert (await service.answer()).answers == (await plain.answer()).answers
    await service.settle()
    for one in (service, plain):
        one.models.report()
        one.challenger.report()
    for name in ("valence_tokens_total", "valence_stage_duration_seconds_count"):
        for version in ("1", "2"):
            labels = {"model": "sentiment", "version": version}
            if "stage" in name:
                labels["stage"] = "infer"
            assert service.sample(name, labels) == plain.sample(name, labels), (name, version)
    assert sum(service.outcomes().values()) == 12
    assert not plain.outcomes()
    assert service.sample("valence_shadow_share", {"model": "sentiment"}) == 1.0


async def test_texts_of_several_requests_are_scored_together(tmp_path, monkeypatch):
    """Most times; the others tell the time of the engine."""
    service = Service(tmp_path)
    asked = []
    score = service.challenger.score

    def note(request):
        asked.append(list(request.texts))
        return score(request)

    monkeypatch.setattr(service.challenger, "score", note)
    alone = await service.answer(["good"])
    for texts in (["bad"], ["movie", "good"], ["very"] * 40):
        await service.answer(texts)
    await service.answer(["not"], truncation="window")
    await service.settle()
    assert asked == [["good"], ["bad", "movie", "good"], ["very"] * 32, ["very"] * 8, ["not"]]
    assert sum(service.outcomes().values()) == 45
    seconds = service.sample("valence_shadow_engine_seconds_total", source="served")
    assert seconds > alone.engine_seconds


async def test_few_of_many_texts_that_wait_are_scored_alone(tmp_path, monkeypatch):
    """Together they cost less, so a shadow keeps up with its model."""
    service = Service(tmp_path)
    sizes = []
    score = service.challenger.score

    def note(request):
        sizes.append(len(request.texts))
        return score(request)

    monkeypatch.setattr(service.challenger, "score", note)
    monkeypatch.setattr(shadows, "_GATHER_SECONDS", 0.2)
    for _ in range(70):
        await service.answer(["good"])
    await service.settle()
    assert sizes == [1, 32, 32, 5]


async def test_a_full_worker_leaves_out_its_shadows(tmp_path, monkeypatch):
    monkeypatch.setattr(shadows, "_MAX_AGE_SECONDS", 0.05)
    service = Service(tmp_path)
    service.metrics.saturation = shadows.MAX_SATURATION
    await service.answer()
    await service.settle()
    assert service.outcomes() == {"dropped": 4}
    service.metrics.saturation = 0.0
    await service.answer()
    await service.settle()
    assert service.outcomes()["dropped"] == 4


async def test_a_busy_event_loop_leaves_out_its_shadows(tmp_path, monkeypatch):
    """A flood is seen at once, long before the saturation tells of it."""
    monkeypatch.setattr(shadows, "_MAX_AGE_SECONDS", 0.05)
    monkeypatch.setattr(shadows, "_MAX_TURN_SECONDS", 0.01)
    service = Service(tmp_path)
    flooded = True

    def read_requests() -> None:
        time.sleep(0.015)
        if flooded:
            loop.call_soon(read_requests)

    loop = asyncio.get_running_loop()
    loop.call_soon(read_requests)
    await service.answer()
    await service.settle()
    flooded = False
    assert service.outcomes() == {"dropped": 4}


async def test_a_shadow_waits_for_the_texts_of_requests(tmp_path, monkeypatch):
    service = Service(tmp_path)
    monkeypatch.setattr(Models, "busy", True)
    await service.answer()
    await asyncio.sleep(0.05)
    assert not service.outcomes()
    monkeypatch.setattr(Models, "busy", False)
    await service.settle()
    assert sum(service.outcomes().values()) == 4


async def test_after_a_wait_in_vain_one_request_waits_for_room(tmp_path, monkeypatch):
    monkeypatch.setattr(shadows, "_MAX_AGE_SECONDS", 0.05)
    monkeypatch.setattr(Models, "busy", True)
    service = Service(tmp_path)
    await service.answer()
    await service.settle()
    assert service.outcomes() == {"dropped": 4}
    monkeypatch.setattr(shadows, "_MAX_AGE_SECONDS", 10.0)
    await service.answer(["good"])
    await service.answer(["bad"])
    assert service.outcomes() == {"dropped": 5}, "the second one is turned away at once"
    monkeypatch.setattr(Models, "busy", False)
    await service.settle()
    for text in ("good", "bad"):
        await service.answer([text])
    await service.settle()
    outcomes = service.outcomes()
    assert outcomes.pop("dropped") == 5
    assert sum(outcomes.values()) == 3


async def test_the_queue_of_shadows_has_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(shadows, "MAX_TEXTS", 40)
    monkeypatch.setattr(shadows, "MAX_CHARACTERS", 1_000)
    monkeypatch.setattr(Models, "busy", True)
    service = Service(tmp_path)
    await service.answer(["good"] * 100)
    # 32 texts wait, two parts have no room, and the last part of 4 has
    assert service.outcomes() == {"dropped": 64}
    await service.answer(["good " * 200])
    assert service.outcomes() == {"dropped": 65}
    monkeypatch.setattr(Models, "busy", False)
    await service.settle()
    assert sum(service.outcomes().values()) == 101
    assert (service.shadow._texts, service.shadow._characters) == (0, 0)


async def test_requests_for_other_versions_have_no_shadow(tmp_path):
    service = Service(tmp_path)
    await asyncio.create_task(service.challenger.score(ScoreRequest(TEXTS)))
    service.models._scorers["sentiment@challenger"] = service.champion
    await service.answer()
    await service.settle()
    assert not service.outcomes()


async def test_a_challenger_with_other_labels_is_left_alone(tmp_path):
    service = Service(tmp_path)
    manifest = service.challenger.manifest
    service.challenger.manifest = manifest.model_copy(update={"labels": manifest.labels[::-1]})
    await service.answer()
    await service.settle()
    assert not service.outcomes()


async def test_chance_chooses_the_share_of_requests(tmp_path):
    random.seed(0)
    service = Service(tmp_path, share=0.25)
    for _ in range(400):
        await service.answer(["good"])
    await service.settle()
    assert 60 < sum(service.outcomes().values()) < 140


async def test_a_failure_of_the_challenger_is_counted_and_told_once(tmp_path):
    service = Service(tmp_path)

    def fail(_documents):
        raise FloatingPointError("good movie")

    service.challenger._batcher._work = fail
    for _ in range(2):
        assert len((await service.answer()).answers) == 4
    await service.settle()
    assert service.outcomes() == {"failed": 8}
    (line,) = [json.loads(line) for line in service.logged.getvalue().splitlines()]
    assert (line["event"], line["type"]) == ("shadow failed", "FloatingPointError")
    assert (line["model"], line["version"]) == ("sentiment", "2")
    assert "good" not in service.logged.getvalue()


async def test_texts_the_challenger_refuses_count_as_failed(tmp_path):
    service = Service(tmp_path, max_tokens=3)
    await service.answer(["a good movie was", "good"], truncation="error")
    await service.settle()
    assert service.outcomes()["failed"] == 1
    assert sum(service.outcomes().values()) == 2
    assert not service.sample("valence_shadow_engine_seconds_total", source="served")


async def test_the_cache_neither_serves_nor_holds_a_shadow(tmp_path):
    cache = AnswerCache(max_bytes=1_000_000)
    service = Service(tmp_path, cache=cache)
    for _ in range(2):
        await service.answer()
        await service.settle()
    assert sum(service.outcomes().values()) == 8
    assert len(cache) == 4, "the answers of the champion alone"
    seconds = [
        service.sample("valence_shadow_engine_seconds_total", source=source)
        for source in ("served", "challenger")
    ]
    assert all(seconds), "of the texts that both computed"


class Text(str):
    """A text that a weak reference can follow."""

    __slots__ = ("__weakref__",)


async def test_nothing_keeps_a_text_after_it(tmp_path, monkeypatch):
    service = Service(tmp_path)
    texts = [Text("a secret of a user") for _ in range(2)]
    known = [weakref.ref(text) for text in texts]
    await service.answer([texts.pop()])
    await service.settle()
    monkeypatch.setattr(Models, "busy", True)
    await service.answer([texts.pop()])
    await service.shadow.close()
    gc.collect()
    assert [text() for text in known] == [None, None]
    assert service.outcomes()["dropped"] == 1
    await service.answer()
    assert not service.shadow._waiting, "nothing begins after the end"


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
async def test_the_alias_in_the_store_names_the_challenger(tmp_path):
    service = Service(tmp_path / "unused")
    with models_in(tmp_path / "models"):
        folder = put_model("sentiment", "1", seed=1)
        put_model("sentiment", "2", seed=2)
        store.set_alias("sentiment@challenger", "2")
        models = service.shadow._models = Models()
        reloads = Reloads(service.loader, models)
        models.add([service.loader.load(folder)])
        await reloads.look()
        models.open()
        scorer = models.get("sentiment")
        await asyncio.create_task(scorer.score(ScoreRequest(TEXTS)))
        await asyncio.sleep(0)
        await service.settle()
        assert sum(service.outcomes().values()) == 4
        store.delete_alias("sentiment@challenger")
        await reloads.look()
        await asyncio.create_task(scorer.score(ScoreRequest(TEXTS)))
        await asyncio.sleep(0)
        await service.settle()
        assert sum(service.outcomes().values()) == 4
        reloads.close()
