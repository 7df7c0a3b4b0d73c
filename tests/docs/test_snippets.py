"""The Python snippets of the documents run, in the order of a page, on the real application."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from valence.service.api.application import Application, create_app
from valence.service.inference.model_loader import ModelLoader
from valence.service.inference.models import Models
from valence.service.inference.reload.reloads import Reloads
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings

ROOT = Path(__file__).parents[2]


def find_snippets(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


SNIPPETS = {
    page.relative_to(ROOT).as_posix(): snippets
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if (snippets := find_snippets(page))
}
# what the snippets of a page say, so that they are known to have run to their end
SAID = {"docs/guide/python.md": ["precision", "404 urn:valence:problem:unknown-model"]}


class Nowhere:
    def write(self, text: str) -> None:
        """Nothing: the log is not tested here."""

    def flush(self) -> None:
        """Nothing."""


def make_application(folder: Path) -> Application:
    settings, metrics, log = Settings(), Metrics(version="test"), Log(Nowhere(), access=False)
    models = Models()
    loader = ModelLoader(settings, ThreadPoolExecutor(1), metrics, log)
    app = create_app(
        settings=settings,
        models=models,
        metrics=metrics,
        log=log,
        tracer=None,
        reloads=Reloads(loader, models),
    )
    models.open([loader.load(folder)])
    return app


@pytest.fixture
def _service(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """Answer every request that httpx would send to 127.0.0.1:3000."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> httpx.ASGITransport:
        return httpx.ASGITransport(make_application(folder))

    inner = asyncio.run_coroutine_threadsafe(start(), loop).result()

    async def answer(request: httpx.Request, body: bytes) -> httpx.Response:
        assert request.url.host == "127.0.0.1"
        sent = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        reply = await inner.handle_async_request(sent)
        return httpx.Response(reply.status_code, headers=reply.headers, content=await reply.aread())

    def handle(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        body = request.read()
        return asyncio.run_coroutine_threadsafe(answer(request, body), loop).result()

    async def handle_async(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        future = asyncio.run_coroutine_threadsafe(answer(request, await request.aread()), loop)
        return await asyncio.wrap_future(future)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle_async)
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_tiny: Callable[..., Path]) -> Path:
    """A model in a store in the current folder, and files of reviews."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENTOML_HOME")
    store = tmp_path / ".valence" / "bentoml" / "models" / "sentiment"
    (tmp_path / "reviews.csv").write_text(
        "review,truth\n" + "good movie,positive\nbad,negative\n" * 3
    )
    (tmp_path / "reviews.txt").write_text("good\nbad movie\n")
    store.mkdir(parents=True)
    (store / "latest").write_text("1")
    return save_tiny(store / "1")


@pytest.mark.usefixtures("_service")
@pytest.mark.parametrize("page", SNIPPETS)
def test_the_snippets_of_a_page_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"__name__": "snippets"}
    for snippet in SNIPPETS[page]:
        exec(compile(snippet, page, "exec"), names)
    said = capsys.readouterr().out
    assert "no label" not in said
    for expected in SAID.get(page, ()):
        assert expected in said


def test_the_snippets_of_the_pages_are_found() -> None:
    assert {"README.md", "docs/guide/python.md"} <= SNIPPETS.keys()
    assert len(SNIPPETS["docs/guide/python.md"]) >= 8
