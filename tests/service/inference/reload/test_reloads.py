"""A running service follows the champion of its store; these are its promises meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import shutil
import time
import weakref
from collections.abc import AsyncIterator, Callable

import pytest
from valence.service.errors import ReloadRefused, Unavailable
from valence.service.inference.footprint import estimate_bytes
from valence.service.inference.reload.marks import ReloadMarks
from valence.service.inference.scored import ScoreRequest
from valence.service.registry.alias_watch import AliasWatch
from valence.training.registry import store as registry

from tests.service.inference.reload.conftest import IGNORED, Service
from tests.support.model_stores import put_model

pytestmark = pytest.mark.filterwarnings(IGNORED)
TEXTS = ["a good movie", "not very good"]


@contextlib.asynccontextmanager
async def following(service: Service) -> AsyncIterator[None]:
    task = asyncio.create_task(service.reloads.follow())
    try:
        yield
    finally:
        task.cancel()


async def wait(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def until(service: Service, version: str) -> None:
    await wait(lambda: service.version == version)


async def scores(service: Service, name: str = "sentiment"):
    scorer = service.models.get(name)
    request = ScoreRequest(TEXTS).wait(math.inf, contextlib.nullcontext, lambda _: None, None)
    scored = await scorer.score(request)
    return scorer.version, [answer[0].probabilities for answer in scored.answers]


def expected(service: Service, version: str):
    loaded = service.loader.load(service.store / "sentiment" / version)
    ids = [loaded.classifier.encode_head(text).ids for text in TEXTS]
    return [prediction.probabilities for prediction in loaded._predict(ids)]


async def test_a_promoted_version_answers_without_a_restart(make_service):
    service = make_service()
    put_model("sentiment", "2", seed=2)
    async with following(service):
        await asyncio.sleep(0.15)
        assert service.version == "1", "a version that nobody promoted"
        registry.promote_version("sentiment:2")
        await until(service, "2")
        version, found = await scores(service)
        assert version == "2"
        for one, right in zip(found, expected(service, "2"), strict=True):
            assert one == pytest.approx(right, abs=1e-6)
        assert found != expected(service, "1")
        registry.promote_version("sentiment:1")
        await until(service, "1")
        registry.roll_back("sentiment")
        await until(service, "2")
    assert service.sample("valence_model_reload_total", model="sentiment", outcome="reloaded") == 3
    lines = [line for line in service.lines() if line["event"] == "model reloaded"]
    assert [(line["previous"], line["version"]) for line in lines] == [
        ("1", "2"), ("2", "1"), ("1", "2"),
    ]  # fmt: skip


async def test_an_alias_answers_once_it_is_set(make_service):
    service = make_service()
    put_model("sentiment", "2", seed=2)
    put_model("sentiment", "3", seed=3)
    async with following(service):
        registry.set_alias("sentiment@blue", "2")
        await wait(lambda: service.models.find("sentiment@blue") is not None)
        version, found = await scores(service, "sentiment@blue")
        assert (version, service.version) == ("2", "1")
        for one, right in zip(found, expected(service, "2"), strict=True):
            assert one == pytest.approx(right, abs=2e-3)
        assert (await scores(service, "sentiment:2"))[0] == "2"
        registry.set_alias("sentiment@blue", "3")
        await wait(lambda: service.models.get("sentiment@blue").version == "3")
        assert service.models.find("sentiment:2") is None
        registry.delete_alias("sentiment@blue")
        await wait(lambda: service.models.find("sentiment@blue") is None)
    assert [one.version for one in service.models.versions("sentiment")] == ["1"]
    events = [(line["event"], line.get("version")) for line in service.lines()]
    assert events == [("model reloaded", "2"), ("model reloaded", "3"), ("alias deleted", None)]


async def test_the_metrics_tell_what_each_alias_means(make_service):
    service = make_service()
    put_model("sentiment", "2", seed=2)

    def meant(alias: str, version: str) -> float | None:
        return service.sample(
            "valence_model_alias", model="sentiment", alias=alias, version=version
        )

    registry.set_alias("sentiment@blue", "2")
    await service.reloads.look()
    assert (meant("", "1"), meant("blue", "2")) == (1, 1)
    registry.set_alias("sentiment@blue", "1")
    registry.promote_version("sentiment:2")
    await service.reloads.look()
    assert (meant("", "1"), meant("", "2")) == (None, 1)
    assert (meant("blue", "1"), meant("blue", "2"), meant("champion", "2")) == (1, None, 1)


async def test_the_aliases_of_the_start_answer_from_the_start(make_service):
    put_model("sentiment", "2", seed=2)
    registry.promote_version("sentiment:1")
    registry.set_alias("sentiment@challenger", "2")
    service = make_service(reload="off")
    await service.reloads.look()
    assert service.models.get("sentiment@champion") is service.models.get("sentiment")
    assert service.models.get("sentiment@challenger").version == "2"
    assert service.models.get("sentiment").version == "1"


async def test_a_promoted_challenger_is_not_loaded_again(make_service, monkeypatch):
    service = make_service()
    put_model("sentiment", "2", seed=2)
    registry.set_alias("sentiment@challenger", "2")
    await service.reloads.look()
    challenger = service.models.get("sentiment@challenger")
    monkeypatch.setattr(type(service.loader), "make_engine", lambda *_: 1 / 0)
    registry.promote_version("sentiment:2")
    await service.reloads.look()
    assert service.models.get("sentiment") is service.models.get("sentiment@champion") is challenger


async def test_a_challenger_that_was_damaged_is_not_promoted(make_service):
    """It answers still, but a restart could not load it."""
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)
    registry.set_alias("sentiment@challenger", "2")
    await service.reloads.look()
    (folder / "vocabulary.txt").write_text("<unk>\n")
    registry.promote_version("sentiment:2")
    await service.reloads.look()
    assert service.version == "1"
    assert (await scores(service, "sentiment@challenger"))[0] == "2"
    assert service.sample("valence_model_refused", model="sentiment") == 1


async def test_a_refused_alias_costs_the_others_nothing(make_service):
    service = make_service()
    (put_model("sentiment", "2", seed=2) / "SHA256SUMS").unlink()
    put_model("sentiment", "3", seed=3)
    registry.set_alias("sentiment@a", "3")
    registry.set_alias("sentiment@b", "2")
    registry.promote_version("sentiment:3")
    for _ in range(3):
        await service.reloads.look()
    assert service.models.get("sentiment@a").version == service.version == "3"
    assert service.models.find("sentiment@b") is None
    (line,) = [line for line in service.lines() if line["level"] == "error"]
    assert (line["names"], line["outcome"]) == (["sentiment@b"], "damaged")
    assert service.sample("valence_model_refused", model="sentiment") == 1
    registry.delete_alias("sentiment@b")
    await service.reloads.look()
    assert service.sample("valence_model_refused", model="sentiment") == 0


async def test_a_bare_name_may_follow_any_alias(make_service):
    put_model("sentiment", "2", seed=2)
    registry.set_alias("sentiment@blue", "1")
    service = make_service(models="sentiment@blue")
    registry.promote_version("sentiment:2")
    await service.reloads.look()
    assert service.version == "1"
    assert service.models.get("sentiment@champion").version == "2"
    registry.set_alias("sentiment@blue", "2")
    await service.reloads.look()
    assert service.version == "2"


async def test_an_alias_beyond_the_memory_budget_is_refused(make_service):
    service = make_service(resident_mib=1)
    budget = estimate_bytes(service.models.get().manifest.architecture) * 5 // 2
    object.__setattr__(service.loader.settings, "resident_mib", budget / 2**20)
    for version in ("2", "3", "4"):
        put_model("sentiment", version, seed=int(version))
    registry.set_alias("sentiment@blue", "2")
    registry.set_alias("sentiment@green", "3")
    await service.reloads.look()
    assert sorted(service.models.aliases("sentiment")) == ["blue"]
    (line,) = [line for line in service.lines() if line["level"] == "error"]
    assert line["outcome"] == "no_room"
    assert "VALENCE_RESIDENT_MIB" in line["reason"]
    # what leaves by the change itself makes room, and a bare name is always served
    registry.set_alias("sentiment@blue", "4")
    registry.promote_version("sentiment:3")
    await service.reloads.look()
    assert service.models.get("sentiment@blue").version == "4"
    assert service.version == service.models.get("sentiment@green").version == "3"


async def test_a_reload_on_demand_reaches_the_other_workers(make_service, tmp_path):
    """They follow no champion, as with VALENCE_RELOAD=off."""
    one, two = make_service(), make_service()
    for service in (one, two):
        service.reloads._marks = ReloadMarks(tmp_path)
    put_model("sentiment", "2", seed=2)
    registry.promote_version("sentiment:2")
    await two.reloads.follow_marks()
    assert two.version == "1"
    await one.reloads.reload("sentiment")
    await two.reloads.follow_marks()
    assert (one.version, two.version) == ("2", "2")
    # a refusal there ends nothing, and the mark is not followed again
    shutil.rmtree(two.store / "sentiment" / "2")
    two.reloads._marks._seen = {}
    await two.reloads.follow_marks()
    assert two.lines()[-1]["outcome"] == "damaged"
    lines = len(two.lines())
    await two.reloads.follow_marks()
    assert len(two.lines()) == lines


async def test_requests_during_swaps_have_the_answer_of_a_version(make_service):
    service = make_service()
    put_model("sentiment", "2", seed=2)
    right = {version: expected(service, version) for version in ("1", "2")}
    seen = []

    async def ask() -> None:
        while True:
            seen.append(await scores(service))
            await asyncio.sleep(0.002)  # the thread that loads has the lowest priority

    clients = [asyncio.create_task(ask()) for _ in range(2)]
    for version in ("2", "1") * 2:
        registry.promote_version(f"sentiment:{version}")
        assert (await service.reloads.reload("sentiment")).version == version
        await asyncio.sleep(0.02)
    for client in clients:
        assert not client.done()
        client.cancel()
    assert {version for version, _ in seen} == {"1", "2"}
    assert right["1"][0] != pytest.approx(right["2"][0], abs=0.02)
    for version, found in seen:
        for one, other in zip(found, right[version], strict=True):
            # each load measures which number format is the fastest, and they round differently
            assert one == pytest.approx(other, abs=2e-3)


@pytest.mark.parametrize(
    ("spoil", "outcome"),
    [
        (lambda folder: (folder / "vocabulary.txt").write_text("<unk>\n"), "damaged"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "damaged"),
        (lambda folder: (folder / "model.yaml").unlink(), "damaged"),
        (shutil.rmtree, "damaged"),
    ],
)
async def test_a_damaged_version_is_refused_once(make_service, spoil, outcome):
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)
    registry.promote_version("sentiment:2")
    spoil(folder)
    async with following(service):
        await asyncio.sleep(0.5)
        assert service.version == "1"
        assert (await scores(service))[0] == "1"
        (line,) = [line for line in service.lines() if line["level"] == "error"]
        assert (line["event"], line["outcome"]) == ("model not reloaded", outcome)
        assert line["serving"] == "1"
        assert service.sample("valence_model_refused", model="sentiment") == 1
        registry.promote_version("sentiment:1")
        await wait(lambda: service.sample("valence_model_refused", model="sentiment") == 0)
    assert service.sample("valence_model_reload_total", model="sentiment", outcome=outcome) == 1


async def test_a_repaired_version_is_tried_again(make_service):
    service = make_service()
    folder = put_model("sentiment", "2", seed=2)
    content = (folder / "vocabulary.txt").read_bytes()
    (folder / "vocabulary.txt").write_bytes(b"<unk>\n")
    registry.promote_version("sentiment:2")
    async with following(service):
        await asyncio.sleep(0.2)
        assert service.version == "1"
        (folder / "vocabulary.txt").write_bytes(content)
        await until(service, "2")
    assert service.sample("valence_model_refused", model="sentiment") == 0


async def test_a_damaged_champion_file_is_told_once(make_service):
    service = make_service()
    (service.store / "sentiment" / "champion.json").write_text("{")
    async with following(service):
        await asyncio.sleep(0.3)
    (line,) = [line for line in service.lines() if line["level"] == "error"]
    assert line["outcome"] == "damaged"
    assert service.version == "1"


@pytest.mark.parametrize("models", ["sentiment:1", "sentiment:latest"])
async def test_a_pinned_version_is_not_reloaded(make_service, models):
    service = make_service(models=models)
    put_model("sentiment", "2", seed=2)
    registry.promote_version("sentiment:2")
    async with following(service):
        await asyncio.sleep(0.3)
    assert service.version == "1"


async def test_a_reload_on_request_tells_why_it_refuses(make_service):
    service = make_service(reload="off")
    assert (await service.reloads.reload("sentiment")).version == "1"
    folder = put_model("sentiment", "2", seed=2)
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(ReloadRefused, match=r"SHA256SUMS.*sentiment:1 serves on"):
        await service.reloads.reload("sentiment")
    assert service.version == "1"


async def test_a_replaced_version_leaves_memory_and_metrics(make_service):
    service = make_service()
    put_model("sentiment", "2", seed=2)
    scorer = service.models.get()
    kept = [weakref.ref(scorer), weakref.ref(scorer.classifier), weakref.ref(scorer._batcher)]
    info = {"model": "sentiment", "engine": scorer.engine.name}
    assert service.sample("valence_model_info", version="1", **info) == 1
    del scorer
    # the collector never sees the models of the start again
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        registry.promote_version("sentiment:2")
        await service.reloads.reload("sentiment")
        await wait(lambda: not any(reference() for reference in kept))
    finally:
        gc.enable()
        gc.unfreeze()
    assert service.sample("valence_model_info", version="1", **info) is None
    assert service.sample("valence_model_info", version="2", **info) == 1
    assert service.sample("valence_queue_items", model="sentiment", version="1") is None


async def test_two_reloads_at_once_load_one_version_once(make_service):
    service = make_service()
    put_model("sentiment", "2", seed=2)
    registry.promote_version("sentiment:2")
    answers = await asyncio.gather(*(service.reloads.reload("sentiment") for _ in range(3)))
    assert [answer.version for answer in answers] == ["2"] * 3
    assert service.sample("valence_model_reload_total", model="sentiment", outcome="reloaded") == 1


async def test_the_watch_outlives_an_unforeseen_error(make_service, monkeypatch):
    service = make_service()
    put_model("sentiment", "2", seed=2)
    registry.promote_version("sentiment:2")
    with monkeypatch.context() as patch:
        patch.setattr(AliasWatch, "look", lambda _: 1 / 0)
        task = asyncio.create_task(service.reloads.follow())
        await asyncio.sleep(0.3)
    await until(service, "2")
    task.cancel()
    failures = [line["type"] for line in service.lines() if line["level"] == "error"]
    assert failures == ["ZeroDivisionError"]


async def test_a_load_that_fails_unforeseen_is_refused_without_text(make_service, monkeypatch):
    service = make_service()
    put_model("sentiment", "2", seed=2)
    registry.promote_version("sentiment:2")

    def fail(*_):
        raise MemoryError("a text of a user")

    monkeypatch.setattr(type(service.loader), "make_engine", fail)
    with pytest.raises(ReloadRefused, match="MemoryError; sentiment:1 serves on") as error:
        await service.reloads.reload("sentiment")
    assert "user" not in str(error.value) + service.logged.getvalue()
    assert service.sample("valence_model_reload_total", model="sentiment", outcome="failed") == 1


async def test_a_version_that_is_ready_too_late_is_not_served(make_service):
    """A service that drains serves no other version, and holds no task."""
    service = make_service()
    put_model("sentiment", "2", seed=2)
    registry.promote_version("sentiment:2")
    reload = asyncio.create_task(service.reloads.reload("sentiment"))
    await asyncio.sleep(0)
    await service.models.close()
    with pytest.raises(Unavailable):
        await reload
    assert [scorer.version for scorer in service.models._resident()] == ["1"]


async def test_a_slow_load_does_not_hold_the_event_loop(make_service, monkeypatch):
    service = make_service()
    put_model("sentiment", "2", seed=2)
    make_engine = type(service.loader).make_engine

    def make_slowly(*arguments):
        time.sleep(0.3)
        return make_engine(*arguments)

    monkeypatch.setattr(type(service.loader), "make_engine", make_slowly)
    reload = asyncio.create_task(service.reloads.reload("sentiment"))
    await asyncio.sleep(0.05)
    started = time.perf_counter()
    assert (await scores(service))[0] == "1"
    assert time.perf_counter() - started < 0.2
    assert (await reload).version == "2"
