"""``python -m tests.trials.screenshot``: pictures of the pages.

A server must run at ``--url`` (``make serve``), and Chromium must be installed. Without ``--all``
it is the picture of the playground for README.md. ``--all FOLDER`` takes every page and every
report at four widths, light and dark, and ends with 1 if an element is wider than its page, or a
table of a report wider than its box. ``--reports FOLDER`` takes the reports alone, and needs no
server.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.report_pages import write_reports

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "playground.png"
TEXT = "I loved every minute of it, and I did not expect to. The sound, though, was terrible."
LONG = " ".join(["The rooms were clean and the staff were kind, but the breakfast was cold."] * 165)
_QUEUE = f"""text,label,predicted,score,reason
{TEXT.replace(",", ";")},,positive,0.41,uncertain
{LONG[:600].replace(",", ";")},,negative,0.52,drifting
It broke.,,negative,0.38,uncertain
"""
WIDTHS, SCHEMES = (390, 768, 1280, 1920), ("light", "dark")
HEIGHT = 860
# a machine with other work draws a page slowly
_SECONDS = 300
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
# The elements that reach over the edge of the page, or hide a part of their content without a way
# to it. What an element scrolls is cut at its edge.
_OVERFLOWS = """() => [...document.body.querySelectorAll("*")].filter((one) => {
  const scrolled = (node) => node && node !== document.body &&
    (getComputedStyle(node).overflowX !== "visible" || scrolled(node.parentElement));
  return one.getBoundingClientRect().right > innerWidth + 1 && !scrolled(one.parentElement);
}).map((one) => one.outerHTML.slice(0, 120))"""
# A table of a report that is wider than its box, which then has to be scrolled.
_SCROLLED = """() => [...document.querySelectorAll(".scroll")].filter(
  (one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.innerText.slice(0, 60))"""


def classify(page: Page, text: str) -> None:
    """Classify ``text`` on the playground that ``page`` shows."""
    page.fill("#text", text)
    page.click("#classify")
    expect(page.locator("#status")).to_contain_text("Classified by", timeout=_SECONDS * 1_000)


def take_picture(browser: Browser, url: str, out: Path, scheme: str) -> None:
    """Classify :data:`TEXT` on the playground at ``url``, and save the page as a PNG ``out``."""
    page = browser.new_page(viewport={"width": 1280, "height": HEIGHT}, color_scheme=scheme)
    page.goto(url)
    classify(page, TEXT)
    out.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(out), full_page=True)
    page.close()


def take_all(browser: Browser, url: str, folder: Path) -> Iterator[str]:
    """Save every page at every width into ``folder``; yields what is wider than its page."""
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        for width in WIDTHS:
            page = browser.new_page(
                viewport={"width": width, "height": HEIGHT}, color_scheme=scheme
            )
            page.set_default_timeout(_SECONDS * 1_000)
            for name in _show_pages(page, url):
                page.screenshot(path=str(folder / f"{name}-{width}-{scheme}.png"), full_page=True)
                for found in page.evaluate(_OVERFLOWS):
                    yield f"{name} at {width} px, {scheme}: {found}"
            page.close()


def take_reports(browser: Browser, folder: Path) -> Iterator[str]:
    """Save every report at every width into ``folder``; yields what is wider than its box."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as written:
        reports = write_reports(Path(written))
        for scheme in SCHEMES:
            for width in WIDTHS:
                page = browser.new_page(
                    viewport={"width": width, "height": HEIGHT}, color_scheme=scheme
                )
                page.set_default_timeout(_SECONDS * 1_000)
                for name, path in reports.items():
                    page.goto(path.as_uri())
                    picture = folder / f"report-{name}-{width}-{scheme}.png"
                    page.screenshot(path=str(picture), full_page=True)
                    for found in find_overflows(page):
                        yield f"report {name} at {width} px, {scheme}: {found}"
                page.close()


def find_overflows(page: Page) -> list[str]:
    """What is wider than the page, and the tables that are wider than their boxes."""
    return [*page.evaluate(_OVERFLOWS), *page.evaluate(_SCROLLED)]


def _show_pages(page: Page, url: str) -> Iterator[str]:
    """Show one page after the other; yields their names."""
    page.goto(f"{url}/")
    expect(page.locator("#status")).to_contain_text("Classified by", timeout=_SECONDS * 1_000)
    yield "playground"
    options: list[Any] = page.eval_on_selector_all(
        "#compare option", "options => options.map(option => option.value)"
    )
    page.select_option("#compare", options[-1])
    classify(page, TEXT)
    yield "comparison"
    page.select_option("#compare", "")
    page.check("#by-unit")
    classify(page, LONG[:12_000])
    yield "long-text"
    page.goto(f"{url}/models")
    expect(page.locator("#status")).to_contain_text("in memory", timeout=_SECONDS * 1_000)
    yield "models"
    page.goto(f"{url}/monitor")
    expect(page.locator("#status")).not_to_contain_text("Loading", timeout=_SECONDS * 1_000)
    yield "monitor"
    page.goto(f"{url}/label")
    expect(page.locator("#model option")).not_to_have_count(0, timeout=_SECONDS * 1_000)
    yield "label-start"
    queue = {"name": "queue.csv", "mimeType": "text/csv", "buffer": _QUEUE.encode()}
    page.set_input_files("#file", files=[queue])
    expect(page.locator("#status")).to_contain_text("Text 1 of", timeout=_SECONDS * 1_000)
    page.keyboard.press("Enter")
    yield "label"
    page.goto(f"{url}/docs")
    expect(page.locator(".opblock").first).to_be_visible(timeout=_SECONDS * 1_000)
    yield "docs"


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.screenshot", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:3000")
    parser.add_argument("--out", type=Path, default=PICTURE)
    parser.add_argument("--scheme", choices=SCHEMES, default="light")
    parser.add_argument("--all", type=Path, metavar="FOLDER")
    parser.add_argument("--reports", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    url = given.url.rstrip("/")
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser_path is None:
        raise SystemExit("error: there is no Chromium; install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=OPTIONS)
        try:
            if given.all is None and given.reports is None:
                take_picture(browser, url, given.out, given.scheme)
                return 0
            overflows = list(take_reports(browser, given.reports or given.all))
            if given.all is not None:
                overflows += take_all(browser, url, given.all)
        finally:
            browser.close()
    sys.stdout.writelines(f"{line}\n" for line in overflows)
    return int(bool(overflows))


if __name__ == "__main__":
    sys.exit(main())
