import re
from pathlib import Path

import pytest
from valence.service.api import pages

from tests.support.page_files import pages_in

WEB = Path(pages.__file__).parent / "web"
PATHS = [route.path for route in pages.ROUTES]


@pytest.mark.parametrize("route", pages.ROUTES, ids=lambda route: route.path)
async def test_every_file_has_its_media_type_and_a_policy(served, route):
    answer = await served.client.get(route.path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == route.operation.response
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy, "scripts come from this server, none is inline"


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.path)
async def test_a_page_has_its_own_title_in_the_head_of_all(served, page):
    text = (await served.client.get(page.path)).text
    assert text.startswith("<!doctype html>")
    assert re.findall("<title>(.*)</title>", text) == [page.title]
    assert [one.title for one in pages.PAGES].count(page.title) == 1
    content = (WEB / page.content).read_text("utf-8")
    assert content in text
    assert "$" not in text.replace(content, "")
    menu = re.search(r"<nav.*</nav>", text)[0]
    assert re.findall(r">([^<]+)</a>", menu) == [one.name for one in pages.PAGES]
    assert re.findall(r'aria-current="page">([^<]+)<', menu) == [page.name]


@pytest.mark.parametrize("page", [page.path for page in pages.PAGES])
async def test_every_file_that_a_page_loads_is_served(served, page):
    text = (await served.client.get(page)).text
    loaded = re.findall(r'(?:src|href)="(assets/[^"]+)"', text)
    assert len(loaded) >= 2
    for name in loaded:
        assert (await served.client.get(f"/{name}")).status_code == 200


@pytest.mark.parametrize("name", sorted(path.name for path in WEB.iterdir()))
def test_no_page_loads_from_another_server(name):
    assert not re.search(r"(?:https?:)?//[a-z]", (WEB / name).read_text("utf-8"))


async def test_an_unused_file_is_not_served(served):
    for name in ("nothing.js", "../pages.py", "playground.html", "..%2fpages.py"):
        assert (await served.client.get(f"/assets/{name}")).status_code == 404


async def test_without_page_files_the_answer_names_the_contract(served, tmp_path):
    with pages_in(tmp_path):
        answer = await served.client.get("/")
    assert answer.status_code == 404
    assert "/openapi.json" in answer.json()["detail"]
