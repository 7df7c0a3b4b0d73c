"""A service follows its source; a fault is told once, and the copy of before is served."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from contextlib import asynccontextmanager

import pytest
from valence.service.errors import ConfigurationError, SourceError
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.registry import bento_store, models
from valence.service.settings import Settings
from valence.service.sources import follower
from valence.service.sources.follower import SourceFollower

from tests.service.sources.conftest import spoil
from tests.support.model_stores import models_in

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def place(make_place, tmp_path):
    """Return a source with a champion; the process has a store of its own."""
    with models_in(tmp_path / "home" / "models"):
        made = make_place("file")
        made.put("1")
        made.promote("1")
        yield made


@pytest.fixture
def settings(place, tmp_path):
    return Settings(
        model_source=str(place.folder),
        model_cache=str(tmp_path / "cache"),
        models="sentiment",
        model_source_seconds=0.05,
    )


def fill(settings: Settings) -> list[str]:
    follower.enter_store(settings)
    return follower.fill_store(settings)


def test_a_start_serves_the_champion_of_the_source(settings, tmp_path):
    assert fill(settings) == []
    (folder,) = models.folders(settings)
    assert folder.name == "1"
    assert tmp_path / "cache" in folder.parents


def test_two_sources_have_two_copies(settings, tmp_path):
    fill(settings)
    first = bento_store.folder()
    shutil.copytree(settings.model_source, tmp_path / "other")
    follower.enter_store(settings.model_copy(update={"model_source": str(tmp_path / "other")}))
    assert bento_store.folder() != first


def test_without_a_source_the_store_is_as_it_was(tmp_path):
    before = bento_store.folder()
    assert fill(Settings()) == []
    assert bento_store.folder() == before


def test_a_start_without_the_source_serves_the_copy(place, settings):
    fill(settings)
    shutil.rmtree(place.folder)
    (fault,) = fill(settings)
    assert "holds no model" in fault
    assert models.folders(settings)[0].name == "1"


def test_a_start_without_source_and_copy_is_refused(place, settings):
    shutil.rmtree(place.folder)
    with pytest.raises(SourceError, match="holds no model of this name"):
        fill(settings)


def test_default_models_need_not_be_at_the_source(settings):
    unnamed = settings.model_copy(update={"models": ()})
    assert fill(unnamed) == []
    assert [folder.parent.name for folder in models.folders(unnamed)] == ["sentiment"]


def test_an_address_with_credentials_is_refused(settings):
    named = settings.model_copy(update={"model_source": "s3://someone:secret@bucket/models"})
    with pytest.raises(ConfigurationError, match="belong in the environment"):
        follower.enter_store(named)


class Following:
    """A follower that runs, with what it writes."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = Metrics(version="test")
        self.logged = io.StringIO()
        self.follower = SourceFollower(settings, self.metrics.sources, Log(self.logged))

    def lines(self, event: str) -> list[dict[str, str]]:
        lines = [json.loads(line) for line in self.logged.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    def sample(self, name: str, **labels: str) -> float | None:
        value: float | None = self.metrics._registry.get_sample_value(name, labels)
        return value


@asynccontextmanager
async def following(settings: Settings):
    running = Following(settings)
    task = asyncio.create_task(running.follower.follow())
    try:
        yield running
    finally:
        task.cancel()
        running.follower.close()


async def wait(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_promotion_at_the_source_reaches_the_copy(place, settings):
    fill(settings)
    async with following(settings) as running:
        place.put("2", seed=2)
        place.promote("2")
        await wait(lambda: models.folders(settings)[0].name == "2")
        await wait(lambda: running.lines("model pulled"))
        place.promote("1")
        await wait(lambda: models.folders(settings)[0].name == "1")
    assert [line["version"] for line in running.lines("model pulled")] == ["2"]
    pulled = {"model": "sentiment", "outcome": "pulled"}
    assert running.sample("valence_model_pulls_total", **pulled) == 1


async def test_a_fault_is_told_once_and_ends(place, settings):
    fill(settings)
    async with following(settings) as running:
        spoil(place.put("2") / "vocabulary.txt")
        place.promote("2")
        damaged = {"model": "sentiment", "outcome": "damaged"}
        await wait(lambda: (running.sample("valence_model_pulls_total", **damaged) or 0) >= 2)
        assert running.sample("valence_model_source_unread", model="sentiment") == 1
        assert models.folders(settings)[0].name == "1"
        (line,) = running.lines("model not pulled")
        assert "sentiment/2/vocabulary.txt: the checksum" in line["reason"]
        place.put("2")
        await wait(lambda: models.folders(settings)[0].name == "2")
        await wait(lambda: running.sample("valence_model_source_unread", model="sentiment") == 0)


async def test_what_nobody_foresaw_does_not_end_the_follower(place, settings, monkeypatch):
    fill(settings)
    refresh = follower.Replica.refresh
    failures = iter([ZeroDivisionError("text of a user")] * 2)

    def fail_twice(*arguments, **options):
        for error in failures:
            raise error
        return refresh(*arguments, **options)

    monkeypatch.setattr(follower.Replica, "refresh", fail_twice)
    async with following(settings) as running:
        place.put("2")
        place.promote("2")
        await wait(lambda: models.folders(settings)[0].name == "2")
    (line,) = running.lines("source not followed")
    assert line["type"] == "ZeroDivisionError"
    assert "text of a user" not in running.logged.getvalue()
