import io
import json

import pytest
from valence.service.api.application import ROUTES, allow_origins
from valence.service.api.http.authorization import Access
from valence.service.errors import ConfigurationError, Unauthorized
from valence.service.keys import key_file
from valence.service.observability.log import Log
from valence.service.settings import Settings

GOOD = ["good"] * 9
SECRET = "valence_the-secret-of-alice"


def line(name: str, secret: str, rate: str = "") -> str:
    return f"{name}: sha256:{key_file.fingerprint(secret.encode()).hex()}{rate}\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "keys"
    path.write_text(line("alice", SECRET) + line("alice", "the-next") + line("bob", "of-bob"))
    return path


async def status(served, **headers):
    return (
        await served.client.post("/v1/classify", json={"text": "good"}, headers=headers)
    ).status_code


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_route_except_the_open_ones_needs_a_key(serve, file, route):
    served = serve(api_keys_file=str(file))
    path = route.path.replace("{", "").replace("}", "")
    answer = await served.client.request(route.method, path)
    if route.open:
        assert answer.status_code in (200, 404)
    else:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        keyed = await served.client.request(route.method, path, headers={"X-API-Key": SECRET})
        assert keyed.status_code != 401


def test_the_open_routes_are_these():
    assert {r.path for r in ROUTES if r.open} >= {"/livez", "/healthz", "/readyz", "/openapi.json"}
    assert not [route.path for route in ROUTES if route.open and route.method == "POST"]


@pytest.mark.parametrize("secret", [SECRET, "the-next", "of-bob"])
async def test_a_key_is_a_bearer_token_or_its_own_header(serve, file, secret):
    served = serve(api_keys_file=str(file))
    assert await status(served, Authorization=f"Bearer {secret}") == 200
    assert await status(served, Authorization=f"bearer  {secret}") == 200
    assert await status(served, **{"X-API-Key": secret}) == 200


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Basic x", f"Bearer {SECRET}x", SECRET])
async def test_an_invalid_key_is_401_and_never_repeated(serve, file, given):
    served = serve(api_keys_file=str(file))
    answer = await served.client.get("/v1/models", headers={"Authorization": given})
    assert answer.status_code == 401
    assert SECRET not in answer.text + served.logged.getvalue()


async def test_requests_and_texts_are_counted_by_the_name_of_the_key(serve, file):
    """The log has the name of the key too."""
    served = serve(api_keys_file=str(file))
    for texts in (["good"], ["good", "bad"]):
        await served.client.post(
            "/v1/classify", json={"texts": texts}, headers={"X-API-Key": SECRET}
        )
    served.metrics.flush()
    exposed = served.metrics.exposition().decode()
    assert 'valence_key_requests_total{key="alice"} 2.0' in exposed
    assert 'valence_key_texts_total{key="alice"} 3.0' in exposed
    assert [entry["key"] for entry in served.lines()] == ["alice", "alice"]
    assert SECRET not in exposed


def test_a_changed_key_file_is_reloaded_unless_it_is_broken(file):
    """A second after the last check at the latest."""
    now, logged = 0.0, io.StringIO()
    access = Access(Settings(api_keys_file=str(file)), Log(logged), clock=lambda: now)
    old, new = {b"x-api-key": SECRET.encode()}, {b"x-api-key": b"another"}
    file.write_text(line("alice", "another"))
    now = 0.9
    assert access.identify(old).key == "alice"
    now = 1.0
    assert access.identify(new).key == "alice"
    with pytest.raises(Unauthorized):
        access.identify(old)
    file.write_text("nonsense")
    now = 2.0
    assert access.identify(new).key == "alice"
    file.unlink()
    now = 3.0
    assert access.identify(new).key == "alice"
    events = [json.loads(entry)["event"] for entry in logged.getvalue().splitlines()]
    assert events == ["API keys read", "API keys not read", "API keys not read"]


def test_an_unreadable_key_file_at_start_is_refused(serve, tmp_path):
    with pytest.raises(ConfigurationError):
        serve(api_keys_file=str(tmp_path / "none"))


async def test_over_its_rate_a_key_gets_the_time_to_retry(serve, file):
    file.write_text(line("alice", SECRET, " texts_per_second=2") + line("bob", "of-bob"))
    served = serve(api_keys_file=str(file))
    headers = {"X-API-Key": SECRET}
    many = await served.client.post("/v1/classify", json={"texts": ["good"] * 10}, headers=headers)
    assert many.status_code == 200
    refused = await served.client.post("/v1/classify", json={"text": "good"}, headers=headers)
    assert refused.status_code == 429
    assert refused.json()["type"] == "urn:valence:problem:rate-limited"
    # the bucket held 2, 10 were charged, and at least 1 must be there again
    assert refused.headers["retry-after"] == "5"
    assert await status(served, **{"X-API-Key": "of-bob"}) == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/classify",
            json.dumps({"texts": ["good"] * 9 + ["bad " * 51], "truncation": "error"}),
        ),
        (
            "/v1/classify/stream?truncation=error",
            "\n".join(map(json.dumps, [*GOOD[1:], "bad " * 51])) + "\n",
        ),
    ],
)
async def test_texts_are_charged_once_if_some_are_too_long(serve, file, path, body):
    file.write_text(line("alice", SECRET, " texts_per_second=2"))
    served = serve(api_keys_file=str(file))
    headers = {"X-API-Key": SECRET, "Content-Type": "application/json"}
    if "stream" in path:
        headers["Content-Type"] = "application/x-ndjson"
    answer = await served.client.post(path, content=body, headers=headers)
    assert answer.status_code == 200
    assert "51 tokens" in answer.text
    refused = await served.client.get("/v1/models", headers=headers)
    # the bucket held 2; 10 were charged, by the stream when it was admitted; 1 must be there again
    assert refused.headers["retry-after"] == "5"


async def test_answers_have_security_headers_and_no_cors_by_default(served):
    for path in ("/v1/models", "/nothing"):
        answer = await served.client.get(path, headers={"Origin": "https://a.example"})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert allow_origins(served.app) is served.app


async def test_only_configured_origins_are_allowed(serve):
    served = serve(cors_origins=("https://a.example",))
    served.client._transport.app = allow_origins(served.app)
    asked = {"Access-Control-Request-Method": "POST"}
    for origin, allowed in (("https://a.example", True), ("https://b.example", False)):
        answer = await served.client.options("/v1/classify", headers={"Origin": origin, **asked})
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed


@pytest.mark.parametrize("header", ["X-Request-Timeout-Ms", "X-Envoy-Expected-Rq-Timeout-Ms"])
@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "1e3", "soon", "1" * 10])
async def test_an_invalid_deadline_is_422_and_named(served, header, value):
    answer = await served.client.post(
        "/v1/classify", json={"text": "good"}, headers=[(header, value)]
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["location"] == header.lower()
