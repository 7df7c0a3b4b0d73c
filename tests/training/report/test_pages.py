"""The reports in a real browser: nothing is cut off at any width, and everybody can read them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.report_pages import write_reports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium; install it to test the pages"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return write_reports(tmp_path_factory.mktemp("reports"))


def test_no_table_is_wider_than_its_box_at_any_width(pages: Mapping[str, Path]) -> None:
    from playwright.sync_api import sync_playwright

    from tests.trials.screenshot import HEIGHT, OPTIONS, WIDTHS, find_overflows

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page()
        found = []
        for path in pages.values():
            page.goto(path.as_uri())
            assert page.locator(".figure").count() >= 4
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": HEIGHT})
                found += [(path.stem, width, one) for one in find_overflows(page)]
            # a card of a phone names each figure
            page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
            hidden = "one => getComputedStyle(one.querySelector('thead')).display === 'none'"
            for table in page.locator("table.cards").element_handles():
                assert table.evaluate(hidden)
        browser.close()
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_report(pages: Mapping[str, Path], scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    from tests.trials.screenshot import OPTIONS, WIDTHS

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_context(color_scheme=scheme).new_page()
        found = []
        for path in pages.values():
            page.goto(path.as_uri())
            for width in (WIDTHS[0], WIDTHS[-1]):
                page.set_viewport_size({"width": width, "height": 900})
                found += [(path.stem, width, one) for one in Axe().run(page).response["violations"]]
        browser.close()
    assert found == []
