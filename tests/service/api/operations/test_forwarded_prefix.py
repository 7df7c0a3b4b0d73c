import json

import pytest
from valence.service.api.operations.forwarded_prefix import read_prefix


@pytest.mark.parametrize(
    ("given", "prefix"),
    [
        (b"/models", "/models"),
        (b"/models/valence/", "/models/valence"),
        (b" /outer , /inner/ ", "/outer/inner"),
        (b"/v%20x", "/v%20x"),
        (b"", ""),
        (b"/", ""),
        (b"models", ""),
        (b"//elsewhere.example", ""),
        (b"/a//b", ""),
        (b"https://elsewhere.example", ""),
        (b'/a"b', ""),
        (b"/a b", ""),
        (b"/\xe4", ""),
        (b"/a\\b", ""),
        (b"/" + b"a" * 2000, ""),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_only_a_path_is_a_prefix(given, prefix):
    assert read_prefix({b"x-forwarded-prefix": given}) == prefix


async def test_the_document_names_the_prefix_as_its_server(served):
    plain = (await served.client.get("/openapi.json")).json()
    assert "servers" not in plain
    headers = {"x-forwarded-prefix": "/models/valence/"}
    behind = (await served.client.get("/openapi.json", headers=headers)).json()
    assert behind.pop("servers") == [{"url": "/models/valence"}]
    assert json.dumps(behind) == json.dumps(plain)
    headers = {"x-forwarded-prefix": "//elsewhere.example"}
    assert (await served.client.get("/openapi.json", headers=headers)).json() == plain
