"""``python -m tests.trials.screenshot``: the picture of the playground for README.md.

A server must run at ``--url`` (``make serve``), and Chromium must be installed.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "playground.png"
TEXT = "I loved every minute of it, and I did not expect to. The sound, though, was terrible."
WIDTH, HEIGHT = 1280, 860
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def take_picture(url: str, out: Path, scheme: str) -> None:
    """Classify :data:`TEXT` on the playground at ``url``, and save the page as a PNG ``out``."""
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser_path is None:
        raise SystemExit("error: there is no Chromium; install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=OPTIONS)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, device_scale_factor=1
        )
        page.goto(url)
        page.fill("#text", TEXT)
        page.click("#classify")
        expect(page.locator("#status")).to_contain_text("Classified")
        out.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(out), full_page=True)
        browser.close()


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.screenshot", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:3000")
    parser.add_argument("--out", type=Path, default=PICTURE)
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    given = parser.parse_args()
    take_picture(given.url, given.out, given.scheme)


if __name__ == "__main__":
    main()
