"""The page of JavaScript shows the answer of a service, waits when it must, and tells errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import valence

from tests.support.source_servers import Handler, serve_handler

EXAMPLES = Path(__file__).parents[2] / "examples"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium; install it to test the page"),
]


@pytest.fixture
def address(tiny_folder: Path) -> Iterator[str]:
    """Serve the page, and answers that a model gives; the first request finds the queue full."""
    model = valence.load(tiny_folder)
    asked: list[str] = []

    class Service(Handler):
        def do_GET(self) -> None:  # noqa: N802
            self.answer(200, (EXAMPLES / "page.html").read_bytes(), Content_Type="text/html")

        def do_POST(self) -> None:  # noqa: N802
            asked.append(json.loads(self.read_body())["text"])
            if len(asked) == 1:
                self.answer(429, b'{"detail": "the queue is full"}', Retry_After="1")
            elif asked[-1]:
                self.answer(200, json.dumps({"results": [model(asked[-1])]}).encode())
            else:
                self.answer(422, b'{"detail": "give a <b>text</b>"}')

    with serve_handler(Service) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_text_is_classified_and_an_error_is_told(address: str, tiny_folder: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect, sync_playwright

    from tests.trials.screenshot import OPTIONS

    expected = valence.load(tiny_folder)("good movie")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page()
        page.goto(f"{address}/page.html")
        page.fill("#address", address)
        page.fill("#text", "good movie")
        page.click("button")
        expect(page.locator("#status")).to_have_text(expected["label"], timeout=60_000)
        shown = page.locator("#scores li").all_inner_texts()
        assert [text.strip() for text in shown] == [
            f"{one['label']} {one['score']:.1%}".replace("%", " %") for one in expected["scores"]
        ]
        assert Axe().run(page).response["violations"] == []
        page.fill("#text", "")
        page.click("button")
        expect(page.locator("#status")).to_have_text("give a <b>text</b>", timeout=60_000)
        assert page.locator("#scores li").count() == 0
        browser.close()
