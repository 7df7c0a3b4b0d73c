"""The labelling page in a real browser: by keys, and as on a phone."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.test_pages import CHROMIUM, browser, page, require_narrow, violations

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium; install it to test the pages"),
]

ROWS = [
    {"text": 'It is "good", <b>really</b>,\nI say.', "predicted": "positive", "score": "0.4123"},
    {"text": "=1+1; it broke", "predicted": "negative", "score": "0.9"},
    {"text": " Très bien \U0001f642", "predicted": "", "score": ""},
]


def write_queue(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "queue.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, ("text", "label", "predicted", "score", "reason"))
        writer.writeheader()
        writer.writerows({"label": "", "reason": "drifting", **row} for row in rows)
    return path


def open_page(page, server, path: Path | None = None) -> list[str]:
    """Show the page, and open a file; the list of the requests since then."""
    page.goto(f"{server.url}/label")
    page.wait_for_selector("#model option[value=sentiment]", state="attached")
    page.select_option("#model", "sentiment")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    if path is not None:
        page.set_input_files("#file", str(path))
        page.wait_for_selector("#work:not([hidden])")
    return asked


def save(page, button: str, folder: Path) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.click(button)
    target = folder / f"saved-{download.value.suggested_filename}"
    download.value.save_as(target)
    with target.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_keys_label_a_file_that_stays_in_the_browser(page, server, tmp_path):
    asked = open_page(page, server, write_queue(tmp_path, ROWS))
    assert page.inner_text("#text") == ROWS[0]["text"]
    assert "The model says positive, 41.2 % sure" in page.inner_text("#told")
    assert violations(page) == []
    require_narrow(page)
    page.keyboard.press("Enter")
    assert page.inner_text("#text") == ROWS[1]["text"]
    # the labels have the order of the model
    page.keyboard.press("2")
    assert "Text 3 of 3, 2 labelled" in page.inner_text("#status")
    page.keyboard.press("ArrowLeft")
    pressed = page.locator("#labels [aria-pressed=true]")
    assert pressed.inner_text().endswith("neutral")
    page.keyboard.press("1")
    labelled = save(page, "#save", tmp_path)
    assert [(row["text"], row["label"]) for row in labelled] == [
        (ROWS[0]["text"], "positive"),
        (ROWS[1]["text"], "negative"),
    ]
    everything = save(page, "#save-all", tmp_path)
    assert [row["text"] for row in everything] == [row["text"] for row in ROWS]
    assert everything[2]["label"] == ""
    assert [one for one in asked if not one.startswith("GET blob:")] == []


def test_a_saved_file_is_opened_where_it_was_left(page, server, tmp_path):
    rows = [{**ROWS[0], "label": "neutral"}, ROWS[1], ROWS[2]]
    open_page(page, server, write_queue(tmp_path, rows))
    assert "Text 2 of 3, 1 labelled" in page.inner_text("#status")
    for label in ("negative", "positive"):
        page.locator("#labels button", has_text=label).click()
    assert "3 labelled. That was the last one." in page.inner_text("#status")
    assert [row["label"] for row in save(page, "#save", tmp_path)] == [
        "neutral",
        "negative",
        "positive",
    ]


def test_many_labels_are_found_by_typing(page, server, tmp_path):
    cards = httpx.get(f"{server.url}/v1/models").json()
    for card in cards["models"]:
        card["labels"] = [f"intent_{number:02}" for number in range(77)]
    page.route("**/v1/models", lambda route: route.fulfill(body=json.dumps(cards)))
    row = {"text": "Where is my card?", "predicted": "intent_41", "score": "0.5"}
    open_page(page, server, write_queue(tmp_path, [row, row]))
    assert page.locator("#labels button").first.inner_text().endswith("intent_41")
    page.keyboard.press("/")
    page.keyboard.type("_63")
    assert page.locator("#labels button").count() == 1
    assert violations(page) == []
    page.keyboard.press("Enter")
    assert "Text 2 of 2, 1 labelled" in page.inner_text("#status")
    assert [row["label"] for row in save(page, "#save", tmp_path)] == ["intent_63"]


def test_several_labels_of_a_text_are_chosen_together(page, server, tmp_path):
    cards = httpx.get(f"{server.url}/v1/models").json()
    for card in cards["models"]:
        card["task"] = "multi_label"
    page.route("**/v1/models", lambda route: route.fulfill(body=json.dumps(cards)))
    open_page(page, server, write_queue(tmp_path, ROWS))
    page.keyboard.press("3")
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("2")
    page.locator("#accept").click()
    page.locator("#accept").click()
    assert [row["label"] for row in save(page, "#save", tmp_path)] == ["negative|positive", ""]


def test_the_sample_of_the_service_is_labelled_with_a_key(page, server, tmp_path):
    cards = httpx.get(f"{server.url}/v1/models").json()
    for card in cards["models"]:
        card["sampling"] = {"max_texts": 10, "days": 30}
    sample = {"text": "kept", "predicted": ["neutral"], "score": 0.5, "reason": "uncertain"}

    def answer(route):
        allowed = route.request.headers.get("authorization") == "Bearer a-key"
        body = {"texts": [sample]} if allowed else {"detail": "give a key"}
        route.fulfill(status=200 if allowed else 403, body=json.dumps(body))

    page.route("**/v1/models", lambda route: route.fulfill(body=json.dumps(cards)))
    page.route("**/v1/sample?*", answer)
    open_page(page, server)
    assert violations(page) == []
    page.click("#sample")
    page.wait_for_selector("#problem:not([hidden])")
    page.fill("#key", "a-key")
    page.click("#sample")
    page.wait_for_selector("#work:not([hidden])")
    assert page.inner_text("#text") == "kept"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"body,label\r\na,b\r\n", 'no column "text"'),
        (b"text\r\n\xff\xfe\r\n", "not UTF-8"),
        (b'text\r\n"a', "within quotation marks"),
        (b"text\r\n \r\n", "no text"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(page, server, tmp_path, content, message):
    (tmp_path / "file.csv").write_bytes(content)
    open_page(page, server)
    page.set_input_files("#file", str(tmp_path / "file.csv"))
    page.wait_for_selector("#problem:not([hidden])")
    assert message in page.inner_text("#problem")
    assert page.is_hidden("#work")
