"""User input appears at most in the answer: in no log, metric, header or error.

The test calls every route, also routes of future dialects. Most routes refuse what it sends; that
is intended. Errors repeat only names of unknown fields and models, so that users find typing
errors.
"""

import json

import numpy as np
import pytest
from valence.service.api.application import ROUTES
from valence.service.keys.key import fingerprint

CANARY = "xyzzy-canary-1f3a"
SECRET = "valence_canary-key-77c1"
FIELDS = ("text", "texts", "inputs", "input", "sentence", "instances", "query", "parameters", "id")
BODIES = {
    "text": json.dumps({"text": CANARY}),
    "every field": json.dumps(dict.fromkeys(FIELDS, CANARY)),
    "every field a list": json.dumps({field: [CANARY, {"a": CANARY}] for field in FIELDS}),
    "inputs": json.dumps({"inputs": CANARY}),
    "input": json.dumps({"input": [CANARY]}),
    "tensors": json.dumps(
        {
            "id": CANARY,
            "inputs": [
                {"name": "text", "shape": [1], "datatype": "BYTES", "data": [CANARY]},
            ],
        }
    ),
    "list": json.dumps([CANARY]),
    "string": json.dumps(CANARY),
    "twice": f'{{"text": "{CANARY}", "text": "{CANARY}"}}',
    "no JSON": f'{{"text": "{CANARY}',
    "too long": json.dumps({"text": f"{CANARY} " * 40, "inputs": f"{CANARY} " * 40}),
    "too large": json.dumps({"text": f"{CANARY} " * 400}),
}
MEDIA = ("application/x-ndjson", "text/plain", "text/csv", CANARY)


class FailingEngine:
    """Engine that fails with the read ids in its message."""

    name = "broken"

    def logits(self, documents: list[np.ndarray]) -> np.ndarray:
        raise FloatingPointError(CANARY)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_the_canary_is_in_no_log_metric_header_or_error(serve, tmp_path, route):
    (tmp_path / "keys").write_text(f"alice: sha256:{fingerprint(SECRET.encode()).hex()}\n")
    limits = {"max_characters": 600, "max_body_bytes": 4000, "body_memory_bytes": 100_000}
    settings = {"api_keys_file": str(tmp_path / "keys"), **limits}
    variants = (
        serve(**settings),
        serve(engine=FailingEngine(), **settings),
        serve(opened=False, **settings),
    )
    known = {"X-API-Key": SECRET}
    strange = {
        "X-API-Key": CANARY,
        "Authorization": f"Bearer {CANARY}",
        "X-Request-Timeout-Ms": CANARY,
        "traceparent": CANARY,
        "User-Agent": CANARY,
    }
    hurried = {**known, "X-Request-Timeout-Ms": CANARY}
    asked = [
        *(({**known, "Content-Type": "application/json"}, body) for body in BODIES.values()),
        *(({**known, "Content-Type": media}, BODIES["text"]) for media in MEDIA),
        (strange, BODIES["text"]),
        (hurried, BODIES["text"]),
        (hurried, BODIES["inputs"]),
    ]
    path = route.path.replace("{", "").replace("}", "")
    for served in variants:
        for headers, content in asked:
            answer = await served.client.request(
                route.method, path, params={"q": CANARY}, content=content, headers=headers
            )
            assert CANARY not in str(answer.headers)
            if answer.status_code != 200:
                assert CANARY not in answer.text
            assert SECRET not in answer.text + str(answer.headers)
        served.metrics.flush()
        exposed = served.metrics.exposition().decode()
        logged = json.dumps(served.lines())
        for secret in (CANARY, SECRET):
            assert secret not in exposed
            assert secret not in logged
