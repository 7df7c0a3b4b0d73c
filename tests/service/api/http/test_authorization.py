import asyncio
import dataclasses
import io
import json
from base64 import b64encode

import pytest
from valence.service.api.application import ROUTES, allow_origins
from valence.service.api.http.authorization import Access
from valence.service.errors import ConfigurationError
from valence.service.keys import key_file
from valence.service.keys.file_watch import SETTLE_SECONDS
from valence.service.keys.key import fingerprint
from valence.service.observability.log import Log
from valence.service.observability.metrics import Metrics
from valence.service.settings import Settings

GOOD = ["good"] * 9
SECRET = "valence_the-secret-of-alice"


def line(name: str, secret: str, rate: str = "") -> str:
    return f"{name}: sha256:{fingerprint(secret.encode()).hex()}{rate}\n"


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
    basic = f"Basic {b64encode(f'anybody:{secret}'.encode()).decode()}"
    assert await status(served, Authorization=basic) == 200
    assert await status(served, Authorization=basic, **{"X-API-Key": "another"}) == 401
    other = f"Basic {b64encode(b'user of:a proxy').decode()}"
    assert await status(served, Authorization=other, **{"X-API-Key": secret}) == 200
    assert await status(served, Authorization=other) == 401
    assert await status(served, Authorization="Basic ???") == 401


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


@pytest.fixture
def prompt(monkeypatch):
    """Look at the file of keys at every request."""
    monkeypatch.setattr("valence.service.keys.file_watch.CHECK_SECONDS", 0)


def events(served):
    return [entry for entry in served.lines() if entry["event"] != "request"]


def gauges(served):
    """The gauges of keys: valid lines, invalid lines, and whether the file cannot be read."""
    exposed = served.metrics.exposition().decode()
    names = ('valence_keys{state="valid"}', 'valence_keys{state="invalid"}', "valence_keys_unread")
    return tuple(
        int(float(row.rpartition(" ")[2]))
        for name in names
        for row in exposed.splitlines()
        if row.startswith(f"{name} ")
    )


@pytest.mark.usefixtures("prompt")
async def test_a_changed_key_file_replaces_all_keys(serve, file):
    served = serve(api_keys_file=str(file))
    assert gauges(served) == (3, 0, 0)
    file.write_text(line("alice", "another"))
    assert await status(served, **{"X-API-Key": "another"}) == 200
    assert await status(served, **{"X-API-Key": SECRET}) == 401
    assert gauges(served) == (1, 0, 0)
    assert [entry["event"] for entry in events(served)] == ["API keys read"]


@pytest.mark.usefixtures("prompt")
async def test_a_file_written_while_it_is_read_locks_nobody_out(serve, file, monkeypatch):
    served = serve(api_keys_file=str(file))
    whole = file.read_text()
    file.write_text(whole + line("carl", "of-carl"))
    await asyncio.sleep(2 * SETTLE_SECONDS)
    read = key_file.read

    def read_torn(path):
        monkeypatch.setattr(key_file, "read", read)
        path.write_text("")
        return read(path)

    monkeypatch.setattr(key_file, "read", read_torn)
    assert await status(served, **{"X-API-Key": SECRET}) == 200
    assert key_file.read is read
    assert gauges(served) == (3, 0, 0)
    file.write_text(line("carl", "of-carl"))
    await asyncio.sleep(2 * SETTLE_SECONDS)
    assert await status(served, **{"X-API-Key": "of-carl"}) == 200
    assert gauges(served) == (1, 0, 0)


@pytest.mark.usefixtures("prompt")
async def test_an_invalid_line_costs_the_others_nothing(serve, file):
    """A key that was withdrawn at the same time is withdrawn; no content is told."""
    served = serve(api_keys_file=str(file))
    file.write_text("alice: " + SECRET + "\n" + line("bob", "of-bob") + line("c", "c", " x=1"))
    assert await status(served, **{"X-API-Key": "of-bob"}) == 200
    assert await status(served, **{"X-API-Key": "the-next"}) == 401
    assert gauges(served) == (1, 2, 0)
    read, skipped = events(served)
    assert (read["event"], read["keys"]) == ("API keys read", 1)
    assert (skipped["level"], skipped["event"]) == ("error", "API key lines skipped")
    assert skipped["lines"] == 2
    assert [fault["line"] for fault in skipped["first"]] == [1, 3]
    assert SECRET not in served.logged.getvalue()


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize(
    ("withdraw", "reason", "invalid"),
    [
        (lambda file: file.write_text(""), "no line is valid", 0),
        (lambda file: file.write_text("# none\n"), "no line is valid", 0),
        (lambda file: file.write_text("nonsense\n"), "no line is valid", 1),
        (lambda file: file.unlink(), "there is no such file", 0),
        (lambda file: (file.unlink(), file.mkdir()), "not a regular file", 0),
    ],
    ids=["empty", "comments", "invalid", "missing", "a folder"],
)
async def test_without_a_valid_line_nobody_gets_in(serve, file, withdraw, reason, invalid):
    served = serve(api_keys_file=str(file))
    withdraw(file)
    for secret in (SECRET, "of-bob"):
        assert await status(served, **{"X-API-Key": secret}) == 401
    assert gauges(served) == (0, invalid, 0)
    told = events(served)[0]
    assert (told["level"], told["event"]) == ("error", "API keys withdrawn")
    assert reason in told["reason"]
    # told once, not at each request
    assert len(events(served)) == 1 + bool(invalid)
    assert (await served.client.get("/livez")).status_code == 200
    if file.is_dir():
        file.rmdir()
    file.write_text(line("alice", "again"))
    assert await status(served, **{"X-API-Key": "again"}) == 200
    assert gauges(served) == (1, 0, 0)


@pytest.mark.usefixtures("prompt")
async def test_a_file_that_cannot_be_read_keeps_its_keys(serve, file, monkeypatch):
    """For example while the process has no free descriptor: strangers could cause that."""
    served = serve(api_keys_file=str(file))
    file.write_text(line("alice", "another"))
    with monkeypatch.context() as patched:

        def refuse(*_given, **_options):
            raise OSError(24, "Too many open files")

        patched.setattr("valence.service.keys.key_file.os.open", refuse)
        for _ in range(2):
            assert await status(served, **{"X-API-Key": SECRET}) == 200
        assert gauges(served) == (3, 0, 1)
        (told,) = events(served)
        assert (told["level"], told["event"]) == ("error", "API keys not read")
        assert told["reason"].endswith("Too many open files")
    assert await status(served, **{"X-API-Key": SECRET}) == 401
    assert await status(served, **{"X-API-Key": "another"}) == 200
    assert gauges(served) == (1, 0, 0)


@pytest.mark.parametrize("content", [None, "", "nonsense\n"])
def test_a_file_without_a_key_at_start_is_refused(serve, tmp_path, content):
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="valence keys new NAME"):
        serve(api_keys_file=str(path))


def test_a_start_with_invalid_lines_is_told(serve, file):
    file.write_text(file.read_text() + "nonsense\n")
    served = serve(api_keys_file=str(file))
    assert gauges(served) == (3, 1, 0)
    assert [entry["event"] for entry in events(served)] == ["API key lines skipped"]


def test_without_a_file_there_are_no_gauges_of_keys(served):
    assert gauges(served) == (0,)


@pytest.mark.parametrize("scope", ["classify", "feedback", "metrics", "admin"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_a_route_admits_its_scope_and_admin_only(serve, file, route, scope):
    file.write_text(line("alice", SECRET, f" scopes={scope}"))
    served = serve(api_keys_file=str(file))
    path = route.path.replace("{", "").replace("}", "")
    answer = await served.client.request(route.method, path, headers={"X-API-Key": SECRET})
    admitted = route.open or scope in (route.scope, "admin")
    assert (answer.status_code != 403) is admitted
    if not admitted:
        assert f"`{route.scope}`" in answer.text
        challenge = answer.headers["www-authenticate"]
        assert challenge.endswith(f'error="insufficient_scope", scope="{route.scope}"')
        assert served.lines()[-1:] == [] or served.lines()[-1]["key"] == "alice"


def test_routes_of_operators_need_other_scopes():
    scopes = {route.path: route.scope for route in ROUTES if route.scope != "classify"}
    assert scopes == {
        "/metrics": "metrics",
        "/v1/feedback": "feedback",
        "/v1/sample": "label",
        "/v1/monitor": "metrics",
        "/v1/models/{name}/reload": "admin",
        "/v2/repository/index": "admin",
        "/v2/repository/models/{name}/load": "admin",
        "/v2/repository/models/{name}/unload": "admin",
    }


async def test_a_route_for_operators_needs_the_scope_admin(serve, file):
    file.write_text(
        line("old", "of-old") + line("new", "of-new", " scopes=classify,metrics")
        + line("operator", "of-operator", " scopes=admin")
    )  # fmt: skip
    served = serve(api_keys_file=str(file))
    route = dataclasses.replace(ROUTES[0], path="/shut", scope="admin")
    context = dataclasses.replace(served.app.context, routes=(route, *ROUTES))
    served.client._transport.app = type(served.app)(context)
    found = [
        (
            await served.client.post("/shut", json={"text": "good"}, headers={"X-API-Key": secret})
        ).status_code
        for secret in ("of-old", "of-new", "of-operator")
    ]
    assert found == [403, 403, 200]


async def test_a_key_without_the_scope_costs_its_rate_nothing(serve, file):
    file.write_text(line("alice", SECRET, " scopes=metrics texts_per_second=1"))
    served = serve(api_keys_file=str(file))
    assert [await status(served, **{"X-API-Key": SECRET}) for _ in range(3)] == [403] * 3
    scraped = await served.client.get("/metrics", headers={"X-API-Key": SECRET})
    assert scraped.status_code == 200


async def test_each_key_has_the_rate_of_its_own_line(serve, file):
    """Lines of one name and the same rate share that rate."""
    file.write_text(
        line("alice", "slow", " texts_per_second=1")
        + line("alice", "fast", " texts_per_second=100")
        + line("alice", "as-slow", " texts_per_second=1")
        + line("bob", "of-bob", " texts_per_second=1")
    )
    served = serve(api_keys_file=str(file))
    assert await status(served, **{"X-API-Key": "slow"}) == 200
    assert await status(served, **{"X-API-Key": "slow"}) == 429
    assert await status(served, **{"X-API-Key": "as-slow"}) == 429
    assert await status(served, **{"X-API-Key": "of-bob"}) == 200
    assert [await status(served, **{"X-API-Key": "fast"}) for _ in range(3)] == [200] * 3


@pytest.mark.usefixtures("prompt")
async def test_a_new_file_gives_a_used_up_rate_no_more(serve, file):
    limited = line("alice", SECRET, " texts_per_second=1")
    file.write_text(limited)
    served = serve(api_keys_file=str(file))
    assert await status(served, **{"X-API-Key": SECRET}) == 200
    file.write_text(limited + line("bob", "of-bob"))
    assert await status(served, **{"X-API-Key": SECRET}) == 429
    assert await status(served, **{"X-API-Key": "of-bob"}) == 200


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"texts": ["good bad good", "bad"]}, 4),
        ({"text": "good " * 200}, 50),
        ({"text": "good " * 60, "truncation": "window"}, None),
        ({"text": "Good. Bad.", "granularity": "sentence"}, 8),
        ({"text": "good", "explain": True}, None),
    ],
    ids=["texts", "head", "windows", "sentences", "explain"],
)
async def test_tokens_are_charged_as_often_as_they_are_read(serve, file, fields, tokens):
    file.write_text(line("alice", SECRET))
    served = serve(api_keys_file=str(file))
    answer = await served.client.post("/v1/classify", json=fields, headers={"X-API-Key": SECRET})
    assert answer.status_code == 200
    served.metrics.flush()
    exposed = served.metrics.exposition().decode()
    (row,) = [row for row in exposed.splitlines() if row.startswith("valence_key_tokens_total{")]
    charged = float(row.rpartition(" ")[2])
    used = answer.json()["usage"]["tokens_used"]
    assert charged == tokens if tokens else charged > used


@pytest.mark.parametrize("general", [True, False])
async def test_over_its_token_rate_a_key_gets_the_time_to_retry(serve, file, general):
    file.write_text(line("alice", SECRET, "" if general else " tokens_per_second=4"))
    served = serve(api_keys_file=str(file), key_tokens_per_second=4 if general else 9e9)
    headers = {"X-API-Key": SECRET}
    many = await served.client.post("/v1/classify", json={"texts": ["good"] * 23}, headers=headers)
    assert many.status_code == 200
    refused = await served.client.post("/v1/classify", json={"text": "good"}, headers=headers)
    assert refused.status_code == 429
    assert refused.json()["type"] == "urn:valence:problem:rate-limited"
    assert "4 tokens per second" in refused.json()["detail"]
    # the bucket held 4, 23 were charged, and at least 1 must be there again
    assert refused.headers["retry-after"] == "5"


async def test_requests_that_came_together_do_not_all_use_the_last_tokens(serve, file):
    file.write_text(line("alice", SECRET, " tokens_per_second=4"))
    served = serve(api_keys_file=str(file))
    together = [
        served.client.post(
            "/v1/classify", json={"texts": ["good"] * 20}, headers={"X-API-Key": SECRET}
        )
        for _ in range(10)
    ]
    statuses = [answer.status_code for answer in await asyncio.gather(*together)]
    assert statuses.count(200) == 1
    assert statuses.count(429) == 9


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("rest", ["", " scopes=metrics"], ids=["withdrawn", "other scope"])
async def test_a_stream_ends_when_its_key_is_withdrawn(serve, file, rest):
    served = serve(api_keys_file=str(file))

    async def lines():
        yield b'"good"\n'
        await asyncio.sleep(0.05)
        file.write_text(line("bob", "of-bob") + (line("alice", SECRET, rest) if rest else ""))
        yield b'"good"\n"bad"\n'
        yield b'"good"\n'

    answer = await served.client.post(
        "/v1/classify/stream",
        content=lines(),
        headers={"X-API-Key": SECRET, "Content-Type": "application/x-ndjson"},
    )
    first, last = map(json.loads, answer.text.splitlines())
    assert first["label"]
    assert last["resume_from"] == last["line"] == 2
    slug = "forbidden" if rest else "unauthorized"
    assert last["error"]["type"] == f"urn:valence:problem:{slug}"


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


def test_workers_of_one_server_share_the_rate_of_a_key(file, tmp_path):
    settings = Settings(api_keys_file=str(file), key_texts_per_second=10, key_tokens_per_second=1)
    shared = tmp_path / "shared"
    shared.mkdir()

    def account_of(folder):
        access = Access(settings, Log(io.StringIO()), Metrics(version="1").keys, folder=folder)
        return access._find_account(fingerprint(SECRET.encode()))

    one, two, alone = account_of(shared), account_of(shared), account_of(None)
    one.texts.take(25)
    one.tokens.take(3)
    for account in (one, two):
        assert -15 <= account.texts.balance() < -10
        assert -2 <= account.tokens.balance() < -1
    assert alone.texts.balance() == 10
