"""The pages in a real browser, in the widths of a desktop and of a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium; install it to test the pages"),
]

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 740}
# of a light and of a dark page
GREEN, RED = ("17, 122, 55", "46, 160, 67"), ("190, 30, 45", "218, 54, 51")
BLUE, ORANGE = ("9, 105, 218", "56, 139, 253"), ("191, 105, 0", "210, 130, 30")
TEXT = "A good movie. <b>The</b> plot was not bad \U0001f600, it's tiramisu!"
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(params=[(DESK, "light"), (PHONE, "dark")], ids=["desk light", "phone dark"])
def page(request, browser, server) -> Iterator:
    size, scheme = request.param
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    # the browser itself logs answers with an error status; the tests check these answers
    page.on(
        "console",
        lambda message: "Failed to load" in message.text or complaints.append(message.text),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    elsewhere = [url for url in asked if not url.startswith((server.url, "data:", "blob:"))]
    assert asked
    assert not elsewhere
    assert not complaints


def violations(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{item['id']}: {[node['html'] for node in item['nodes']]}" for item in found]


def open_playground(page, server, settings: str = "") -> None:
    """Show the playground, which classifies its text at once."""
    from playwright.sync_api import expect

    page.goto(f"{server.url}/{settings}")
    expect(page.locator("#status")).to_contain_text("Classified by")


def classify(page, text: str) -> None:
    from playwright.sync_api import expect

    page.fill("#text", text)
    page.click("#classify")
    expect(page.locator("#status")).to_contain_text("Classified")


def require_narrow(page) -> None:
    """The page has nothing beside the screen, from a phone to a large display."""
    before = page.viewport_size
    for width in (390, 768, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
    page.set_viewport_size(before)


def words(page) -> dict[str, tuple[float, str]]:
    spans = page.eval_on_selector_all(
        "#words .word",
        "spans => spans.map(s => [s.textContent, Number(s.dataset.value),"
        " getComputedStyle(s).backgroundColor])",
    )
    return {word: (value, colour) for word, value, colour in spans}


def test_the_playground_shows_what_the_api_answers(page, server):
    open_playground(page, server)
    assert violations(page) == []
    classify(page, TEXT)
    answer = httpx.post(
        f"{server.url}/v1/classify",
        json={"text": TEXT, "explain": True, "granularity": "sentence"},
    ).json()["results"][0]
    assert page.inner_text("#label") == answer["label"]
    rows = page.eval_on_selector_all(
        "#scores tbody tr", "rows => rows.map(r => [r.cells[0].innerText, r.cells[1].innerText])"
    )
    expected = [[s["label"], f"{100 * s['score']:.1f} %"] for s in answer["scores"]]
    assert rows == expected
    # offsets count code points: the text after an emoji is cut where the tokenizer cut it
    characters = list(TEXT)
    tokens = answer["explanation"]["tokens"]
    shown = page.eval_on_selector_all("#words .word", "s => s.map(w => w.textContent)")
    assert shown == ["".join(characters[t["start"] : t["end"]]) for t in tokens]
    assert page.inner_text("#words") == TEXT
    # green is a good opinion and red a bad one, whatever the label is
    likeliest = answer["explanation"]["label"]
    means = {"positive": GREEN + RED, "negative": RED + GREEN, "neutral": BLUE + ORANGE}[likeliest]
    for word, (value, colour) in words(page).items():
        expected = means[:2] if value >= 0 else means[2:]
        assert any(one in colour for one in expected), word
    unknown = page.eval_on_selector_all("#words .unknown", "s => s.map(w => w.textContent)")
    assert "tiramisu" in unknown
    assert "good" not in unknown
    assert page.locator("#sentences li").count() == len(answer["sentences"]) == 2
    assert violations(page) == []


def test_the_playground_says_why_a_label_is_uncertain(page, server):
    open_playground(page, server)
    for text, said in (("", "has no word"), ("zzz qqq", "knows no word"), ("zzz good", None)):
        page.fill("#text", text)
        page.click("#classify")
        status = page.locator("#status", has_text="Classified by")
        status.wait_for()
        assert (page.inner_text("#label") == "uncertain") is (said is not None)
        assert page.is_visible("#reason") is (said is not None)
        assert (said or "") in page.inner_text("#reason")
        assert violations(page) == []


def test_words_are_coloured_by_units_of_both_directions(page, server):
    open_playground(page, server)
    classify(page, TEXT)
    by_attribution = words(page)
    assert page.is_hidden("#unit")
    page.check("#by-unit")
    options = page.eval_on_selector_all("#unit option", "o => o.map(x => x.textContent)")
    assert {option.split()[0] for option in options} == {"forward", "backward"}
    telling = [float(re.search(r"\((.*)\)", option)[1]) for option in options]
    assert telling == sorted(telling, reverse=True)
    seen = [words(page)]
    page.select_option("#unit", index=1)
    seen.append(words(page))
    assert seen[0] != seen[1]
    assert by_attribution not in seen
    assert all(-1 <= value <= 1 for value, _ in seen[0].values())
    assert violations(page) == []


def test_the_keyboard_alone_can_use_the_page(page, server):
    open_playground(page, server)
    page.focus("#text")
    page.keyboard.press("Control+a")
    page.keyboard.type("very good")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#answer:not([hidden])")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"model", "classify", "by-attribution", "words", "curl", "copy", "SUMMARY"} <= reached


def test_no_element_is_wider_than_the_screen(page, server):
    open_playground(page, server)
    classify(page, "good " * 200 + "x" * 300)
    require_narrow(page)
    # the tiny model reads 50 tokens; the page marks the unread rest in every colouring of the words
    for choice in ("#by-attribution", "#by-unit"):
        page.check(choice)
        unread = page.eval_on_selector_all("#words .unread", "s => s.map(w => w.textContent)")
        assert "".join(unread).replace(" ", "") == "good" * 150 + "x" * 300


def test_the_curl_command_sends_the_same_request(page, server):
    open_playground(page, server)
    classify(page, 'it\'s "good" & $HOME `bad`')
    line = page.inner_text("#curl")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["results"][0]["label"] == page.inner_text("#label")


def test_an_error_is_shown_and_the_page_still_works(page, server):
    open_playground(page, server)
    with page.expect_response("**/v1/classify") as refused:
        page.fill("#text", "x" * 5000)
        page.click("#classify")
    assert refused.value.status == 413
    page.wait_for_selector("#problem:not([hidden])")
    assert "4096 bytes" in page.inner_text("#problem")
    classify(page, "good")
    assert page.is_hidden("#problem")


def test_the_sample_and_the_examples_are_classified_at_once(page, server):
    open_playground(page, server)
    assert page.is_visible("#label")
    chips = page.locator("#examples button")
    assert chips.count() >= 4
    with page.expect_request("**/v1/classify") as asked:
        chips.nth(1).click()
    assert asked.value.post_data_json["text"] == page.input_value("#text")
    page.select_option("#model", "topic")
    page.locator("#status", has_text="Classified by topic").wait_for()
    assert chips.first.inner_text() not in ("", page.input_value("#text"))


def test_two_answers_are_compared_on_one_text(page, server):
    open_playground(page, server)
    assert page.is_hidden("#other")
    page.select_option("#compare", "topic")
    page.locator("#other").wait_for()
    classify(page, TEXT)
    other = httpx.post(
        f"{server.url}/v1/classify", json={"text": TEXT, "model": "topic", "explain": True}
    ).json()["results"][0]
    assert page.inner_text("#other-label") == other["label"]
    shown = page.eval_on_selector_all(
        "#other-scores tbody tr", "rows => rows.map(r => r.cells[1].innerText)"
    )
    assert shown == [f"{100 * score['score']:.1f} %" for score in other["scores"]]
    assert page.inner_text("#other-words") == TEXT
    assert "no label in common" in page.inner_text("#difference")
    assert violations(page) == []
    page.select_option("#compare", "sentiment")
    page.locator("#difference", has_text="Both answer").wait_for()
    assert re.search(r"[+\u2212]0\.0 points", page.inner_text("#difference"))
    page.select_option("#compare", "")
    page.locator("#other").wait_for(state="hidden")


def test_a_link_has_the_text_only_if_that_is_chosen(page, server):
    # as on a page of plain http, where browsers give no clipboard
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    open_playground(page, server)
    page.select_option("#compare", "topic")
    page.check("#whole")
    classify(page, "a secret text")
    links = []
    for _ in range(2):
        page.click("#share")
        page.locator("#status", has_text="Copied the link").wait_for()
        page.fill("#text", "")
        page.focus("#text")
        page.keyboard.press("Control+v")
        links.append(page.input_value("#text"))
        page.fill("#text", "a secret text")
        page.check("#share-text")
    assert "secret" not in links[0]
    assert "secret" not in page.url
    assert "secret" in links[1].partition("#")[2]
    page.goto("about:blank")
    page.goto(links[1])
    page.locator("#other").wait_for()
    assert page.input_value("#text") == "a secret text"
    assert page.is_checked("#whole")


def test_the_command_is_copied_on_a_page_of_plain_http(page, server):
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    open_playground(page, server)
    line = page.inner_text("#curl")
    page.click("#copy")
    page.locator("#status", has_text="Copied.").wait_for()
    page.fill("#text", "")
    page.focus("#text")
    page.keyboard.press("Control+v")
    assert page.input_value("#text") == line


def test_a_long_text_is_read_whole_and_keeps_the_page_short(page, server):
    open_playground(page, server)
    classify(page, "good movie. " * 300)
    assert "tick" in page.inner_text("#usage")
    page.check("#whole")
    page.locator("#usage", has_text="windows").wait_for()
    assert page.locator("#words .unread").count() == 0
    assert page.evaluate("document.documentElement.scrollHeight") < 4_000


@pytest.mark.parametrize(
    ("platform", "options", "hint"),
    [
        ("Linux x86_64", {}, "Ctrl + Enter"),
        ("MacIntel", {}, "\u2318 + Enter"),
        ("iPhone", {"is_mobile": True, "has_touch": True}, None),
    ],
)
def test_the_hint_fits_the_device(browser, server, platform, options, hint):
    page = browser.new_page(viewport=PHONE if options else DESK, **options)
    page.add_init_script(f"Object.defineProperty(navigator, 'platform', {{value: '{platform}'}})")
    page.goto(f"{server.url}/")
    assert page.is_visible("#shortcut") is (hint is not None)
    assert (hint or "") in page.inner_text("#hint")
    page.close()


def test_a_server_that_is_away_is_told_in_words(page, server):
    open_playground(page, server)
    page.route("**/v1/**", lambda route: route.abort())
    page.click("#classify")
    page.locator("#problem", has_text="The server does not answer").wait_for()


def test_the_models_page_shows_what_the_api_answers(page, server):
    page.goto(f"{server.url}/models")
    page.locator("#status", has_text="2 models, 2 versions in memory").wait_for()
    cards = httpx.get(f"{server.url}/v1/models").json()["models"]
    for card in cards:
        section = page.locator(f"section#{card['name']}")
        told = section.inner_text()
        assert card["version"] in told
        for label in card["labels"]:
            assert label in told
        assert f"{100 * card['metrics']['test']['macro_f1']:.1f} %" in told
        for corpus in card["training"]["corpora"]:
            assert corpus["name"] in told
    assert violations(page) == []
    require_narrow(page)
    page.click("section#topic a:has-text('Try it')")
    page.locator("#status", has_text="Classified by topic").wait_for()


def test_the_models_page_tells_each_source_once(page, server):
    """A teacher that answered twice is two records of the manifest."""
    answer = httpx.get(f"{server.url}/v1/models").json()
    for card in answer["models"]:
        card["training"]["corpora"] *= 2
    page.route("**/v1/models", lambda route: route.fulfill(json=answer))
    page.goto(f"{server.url}/models")
    page.locator("#status", has_text="2 models, 2 versions in memory").wait_for()
    for card in answer["models"]:
        told = page.locator(f"section#{card['name']} ul li").all_inner_texts()
        assert told
        assert len(told) == len(set(told))


def test_a_second_version_is_shown_beside_the_served_one(page, server):
    card = httpx.get(f"{server.url}/v1/models/sentiment").json()
    card |= {"versions": ["1", "2"], "aliases": {"champion": "1", "challenger": "2"}}
    second = json.loads(json.dumps(card)) | {"version": "2"}
    second["metrics"]["test"]["macro_f1"] += 0.0234
    second["restrictions"] = card["restrictions"] = ["bbc: provided for research"]
    page.route("**/v1/models", lambda route: route.fulfill(json={"models": [card]}))
    page.route("**/v1/models/sentiment%3A2", lambda route: route.fulfill(json=second))
    page.goto(f"{server.url}/models")
    page.locator("#status", has_text="1 model, 2 versions in memory").wait_for()
    versions = page.locator("article.version")
    assert "served" in versions.nth(0).inner_text()
    told = versions.nth(1).inner_text()
    assert "@challenger" in told
    assert "+2.3 points" in told
    assert "bbc: provided for research" in page.inner_text("section#sentiment")
    assert violations(page) == []
    require_narrow(page)
    link = versions.nth(1).locator("a").get_attribute("href")
    assert link == "./#model=sentiment&compare=sentiment%3A2"


def test_the_documentation_is_rendered(page, server):
    page.goto(f"{server.url}/docs")
    page.wait_for_selector(".opblock-summary-path")
    paths = page.eval_on_selector_all(
        ".opblock-summary-path", "nodes => nodes.map(n => n.dataset.path)"
    )
    served = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    assert set(paths) == {path for path in served if not path.startswith("/assets/")} < set(served)
    scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(13, 17, 23)" if scheme else "rgb(255, 255, 255)")
    assert page.evaluate("getComputedStyle(document.querySelector('.swagger-ui')).filter") == (
        "invert(0.88) hue-rotate(180deg)" if scheme else "none"
    )
    # a band of its own colour lies across the page in dark mode
    band = "getComputedStyle(document.querySelector('.scheme-container')).backgroundColor"
    assert page.evaluate(band) == ("rgba(0, 0, 0, 0)" if scheme else "rgb(255, 255, 255)")
    require_narrow(page)


@pytest.fixture(scope="module")
def prefixed(server) -> Iterator[tuple[str, list[str]]]:
    """A proxy that removes ``/models/valence``; its address, and the paths that it forwarded."""
    prefix, forwarded = "/models/valence", []

    class Proxy(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.removeprefix(prefix)
            if path == self.path:
                self.send_error(404)
                return
            forwarded.append(path)
            media_type = {"content-type": self.headers.get("content-type") or "text/plain"}
            answer = httpx.request(
                self.command, server.url + path, content=body, headers=media_type if body else {}
            )
            self.send_response(answer.status_code)
            for name in ("content-type", "content-security-policy"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = forward  # noqa: N815 - the names of the base class

        def log_message(self, *_given: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}{prefix}", forwarded
        proxy.shutdown()


def test_pages_work_behind_a_prefix_that_a_proxy_removes(browser, prefixed):
    url, forwarded = prefixed
    page = browser.new_page()
    page.goto(f"{url}/")
    classify(page, "good")
    page.goto(f"{url}/models")
    page.locator("#status", has_text="in memory").wait_for()
    page.goto(f"{url}/docs")
    probe = page.locator("[id$=get_livez]")
    probe.locator(".opblock-summary").first.click()
    probe.locator(".try-out__btn").click()
    forwarded.clear()
    probe.locator(".execute").click()
    probe.locator(".live-responses-table .response-col_status").first.wait_for()
    assert forwarded == ["/livez"]
    assert "200" in probe.locator(".live-responses-table .response-col_status").nth(1).inner_text()
    page.close()


def make_window(ended: int, value: float, *drifted: str) -> dict:
    accuracy = {"value": value, "low": value - 0.03, "high": value + 0.03}
    return {"ended": ended, "accuracy": accuracy, "drifted": list(drifted)}


def make_signal(name: str, drifted: bool | None, *, ordered: bool, names: list[str]) -> dict:
    share = 1 / len(names)
    limit = {"name": names[0], "expected": share, "low": 0, "high": 0.4, "recent": 0.7}
    return {
        "signal": name,
        "drifted": drifted,
        "ordered": ordered,
        "window_texts": 500,
        "filled_texts": 3,
        "windows": 2,
        "classes": [{"name": one, "expected": share, "recent": share} for one in names],
        "limits": [limit | {"drifted": drifted}],
    }


def make_report(drifted: bool | None) -> dict:
    """Return what ``GET /v1/monitor`` says of a model with a label of many characters."""
    names = ["a" * 90, "b <b>c</b>", "(other)"]
    return {
        "model": "sentiment",
        "version": "1",
        "drifted": ["label"] if drifted else [],
        "texts": 1_003,
        "accuracy": make_window(1, 0.74)["accuracy"],
        "reference_texts": 4_000,
        "reference_accuracy": 0.75,
        "windows_per_false_alarm": 10_000,
        "signals": [
            make_signal("label", drifted, ordered=False, names=names),
            make_signal("length", False, ordered=True, names=["4", "8", ""]),
        ],
        "history": [make_window(1_767_268_800, 0.75), make_window(1_767_270_000, 0.72, "label")],
    }


@pytest.mark.parametrize(
    ("drifted", "title"),
    [(True, "The texts have drifted"), (False, "As in training")],
)
def test_the_monitor_tells_its_verdict_at_a_glance(page, server, drifted, title):
    answer = json.dumps({"models": [make_report(drifted)]})
    page.route("**/v1/monitor", lambda route: route.fulfill(body=answer))
    page.goto(f"{server.url}/monitor")
    page.wait_for_selector("#report:not([hidden])")
    assert page.inner_text("#verdict-title") == title
    assert ("bad" in page.get_attribute("#verdict", "class")) is drifted
    assert page.inner_text("#accuracy") == "72.0 %"
    label = page.locator("[data-signal=label]")
    assert ("70.0 % of the texts" in label.inner_text()) is drifted
    assert "up to 8" in page.inner_text("[data-signal=length]")
    assert page.locator("#timeline rect").count() == 2
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_monitor_shows_what_the_server_has_counted(page, server):
    before = httpx.get(f"{server.url}/v1/monitor").json()["models"]
    httpx.post(f"{server.url}/v1/classify", json={"texts": ["good", "bad"]}).raise_for_status()
    page.goto(f"{server.url}/monitor")
    page.wait_for_selector("#report:not([hidden])")
    assert page.inner_text("#verdict-title") == "Nothing to compare with"
    after = httpx.get(f"{server.url}/v1/monitor").json()["models"]
    assert sum(one["texts"] for one in after) == sum(one["texts"] for one in before) + 2
    shown = page.eval_on_selector_all("#model option", "o => o.map(x => x.textContent)")
    assert shown == [f"{one['model']}:{one['version']}" for one in after]
    assert {one["reference_accuracy"] for one in after} == {None}
    assert violations(page) == []


def test_the_monitor_asks_for_a_key_that_it_needs(page, server):
    problem = json.dumps({"detail": "give a key"})
    page.route("**/v1/monitor", lambda route: route.fulfill(status=401, body=problem))
    page.goto(f"{server.url}/monitor")
    page.wait_for_selector("#problem:not([hidden])")
    assert page.inner_text("#problem") == "give a key"
    assert page.is_visible("#key")
    assert violations(page) == []
