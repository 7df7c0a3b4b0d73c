"""Bodies that no client writes, made by Hypothesis, to every route that reads one, in process."""

from __future__ import annotations

import asyncio
import collections
import io
import json
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import hypothesis
import jsonschema_rs
import pydantic_core
from hypothesis import strategies as st
from valence.service.api.application import ROUTES, Application, create_app
from valence.service.api.http.routes import Route
from valence.service.api.operations import openapi
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier
from valence.service.inference.admission import QueueLimits
from valence.service.inference.engines import factory
from valence.service.inference.models import Models
from valence.service.inference.scorer import Scorer
from valence.service.observability.log import Log
from valence.service.observability.metrics.service import Metrics
from valence.service.settings import Settings

from tests.bench.measure import say
from tests.chaos.finding import Finding
from tests.conftest import _save_tiny

_CANARY = "xyzzy-canary"
_MOST_SHOWN = 20
_SETTINGS = Settings(max_body_bytes=16_384, max_characters=500, max_texts=8)
_POSTS = tuple(route for route in ROUTES if route.method == "POST")
# what is drawn most is what a route reads most
_MEDIA = (
    *(b"application/json",) * 16,
    b"application/x-ndjson",
    b"application/jsonlines",
    b"application/octet-stream",
    b"text/csv",
    b"text/plain",
    b"",
)
_ENCODINGS = (*(b"",) * 30, b"gzip")
_MODELS = (*("sentiment",) * 12, "sentiment:1", "other")
_NAMES = (
    "text", "texts", "id", "ids", "top_k", "min_confidence", "truncation", "granularity", "explain",
    "inputs", "parameters", "function_to_apply", "raw_scores", "truncation_direction", "input",
    "name", "shape", "datatype", "data", "outputs", "contents", "bytes_contents", "label", "count",
)  # fmt: skip
_WORDS = ("head", "tail", "head_tail", "window", "error", "document", "sentence", "BYTES", "text")

_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from((0, 1, -1, 2**31, 2**63, 2**64, 10**400))
    | st.floats()
    | st.sampled_from(_WORDS)
    | st.text(st.characters()).map(lambda text: _CANARY + text)
    | st.integers(490, 510).map(lambda length: (_CANARY + "x" * length)[:length])
)
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=9)
        | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5)
        | st.fixed_dictionaries({"inputs": inner, "name": inner})
    ),
    max_leaves=12,
)
_texts = st.text(st.characters(), max_size=30).map(lambda text: _CANARY + text)
_nearly = st.fixed_dictionaries(
    {},
    optional={
        "text": _texts | _values,
        "texts": st.lists(_texts | _leaves, max_size=9),
        "inputs": _texts | st.lists(_texts | _values, max_size=9),
        "input": _texts | st.lists(_texts, max_size=9),
        "id": _texts | _leaves,
        "ids": st.lists(_texts | _leaves, max_size=9),
        "top_k": st.integers(-1, 4) | _leaves,
        "min_confidence": st.floats(0, 1) | _leaves,
        "truncation": st.sampled_from(_WORDS) | _leaves,
        "granularity": st.sampled_from(_WORDS) | _leaves,
        "explain": st.booleans() | _leaves,
        "parameters": _values,
    },
)
_tensors = st.fixed_dictionaries(
    {
        "inputs": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(("text", "other")),
                    "shape": st.lists(st.integers(-1, 4), max_size=3) | _leaves,
                    "datatype": st.sampled_from(("BYTES", "FP32", "INT64")),
                },
                optional={"data": st.lists(_texts | _values, max_size=4), "parameters": _values},
            ),
            max_size=3,
        )
    },
    optional={"id": _texts, "outputs": _values, "parameters": _values},
)


def _written(value: object) -> bytes:
    return json.dumps(value).encode()


@st.composite
def _broken(draw: st.DrawFn) -> bytes:
    """JSON with a byte changed, cut off, doubled, or nested without end."""
    body = _written(draw(_nearly | _values))
    place = draw(st.integers(0, len(body)))
    how = draw(st.sampled_from(("cut", "byte", "twice", "nested", "lines")))
    match how:
        case "cut":
            return body[:place]
        case "byte":
            return body[:place] + draw(st.binary(max_size=3)) + body[place + 1 :]
        case "twice":
            return body[:-1] + b"," + body[1:] if body[:1] == b"{" else body + body
        case "nested":
            depth = draw(st.integers(1, 4_000))
            return b'{"inputs":' * (depth // 4) + b"[" * depth + body
    return body + b"\n" + body + b"\r\n\n" + body


_bodies = st.one_of(
    _nearly.map(_written), _tensors.map(_written), _values.map(_written), _broken(), st.binary()
)


def run(count: int) -> Finding:
    """``count`` requests; every answer must be as the OpenAPI document says it is."""
    with tempfile.TemporaryDirectory() as scratch, asyncio.Runner() as runner:
        logged = io.StringIO()
        application = runner.run(_application(Path(scratch), Log(logged)))
        faults: collections.Counter[str] = collections.Counter()
        statuses: collections.Counter[int] = collections.Counter()
        judge = _Judge()

        @hypothesis.seed(1)
        @hypothesis.settings(
            max_examples=-(-count // len(_POSTS)),
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(
            st.sampled_from(_MODELS),
            st.sampled_from(_MEDIA),
            st.sampled_from(_ENCODINGS),
            _bodies,
        )
        def ask(model: str, media: bytes, encoding: bytes, body: bytes) -> None:
            headers = [(b"content-type", media)] if media else []
            headers += [(b"content-encoding", encoding)] if encoding else []
            for route in _POSTS:
                answer = runner.run(_answer(application, route, model, headers, body))
                statuses[answer.status] += 1
                for fault in judge.faults(route, answer):
                    if fault not in faults and len(faults) < _MOST_SHOWN:
                        say(f"{fault}: {headers} {body[:300]!r}: {answer.body[:300]!r}")
                    faults[fault] += 1

        ask()
        application.context.log.flush()
        leaked = _CANARY in logged.getvalue()
    asked = statuses.total()
    return Finding(
        fault="bodies that no client writes",
        tried=f"{asked // len(_POSTS):,} made by hypothesis, each to {len(_POSTS)} routes: "
        + ", ".join(f"{number:,} x {status}" for status, number in sorted(statuses.items())),
        lost=f"{faults.total()} answers at fault; texts in the log: {'yes' if leaked else 'none'}",
        promise="no 5xx, no undocumented status, answers of the documented shape, no text in an "
        "error or the log",
        held=not faults and not leaked and asked >= count,
    )


async def _application(scratch: Path, log: Log) -> Application:
    loaded = artifact.load(_save_tiny(scratch / "sentiment"))
    models, metrics = Models(), Metrics(version="fuzzed")
    scorer = Scorer(
        Classifier(loaded),
        factory.create(loaded, name="auto", log=log),
        limits=QueueLimits(_SETTINGS.queue_items, _SETTINGS.queue_tokens),
        worker=ThreadPoolExecutor(1),
        metrics=metrics,
    )
    models.open([scorer])
    return create_app(settings=_SETTINGS, models=models, metrics=metrics, log=log)


class _Answer:
    def __init__(self, messages: list[Mapping[str, Any]]) -> None:
        first, *rest = messages
        self.status: int = first["status"]
        self.whole = first["type"] == "http.response.start" and not rest[-1].get("more_body")
        self.headers: list[tuple[bytes, bytes]] = first["headers"]
        self.media = dict(self.headers)[b"content-type"].decode().partition(";")[0]
        self.body = b"".join(message["body"] for message in rest)


async def _answer(
    application: Application,
    route: Route,
    model: str,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> _Answer:
    pieces = iter([{"type": "http.request", "body": body, "more_body": False}])
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        piece = next(pieces, None)
        if piece is None:
            # the client waits for its answer
            await asyncio.Event().wait()
        assert piece is not None
        return piece

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    path = route.path.replace("{name}", model).replace("{version}", "1")
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": headers,
    }
    await application(scope, receive, send)
    return _Answer(sent)


class _Judge:
    """Compares answers with the OpenAPI document."""

    def __init__(self) -> None:
        self._document = json.loads(pydantic_core.to_json(openapi.document(ROUTES, _SETTINGS)))
        self._validators: dict[tuple[str, str, str], Any] = {}

    def faults(self, route: Route, answer: _Answer) -> list[str]:
        """What is not as documented, each by a name without the body in it."""
        found = []
        where = f"{route.path} {answer.status}"
        names = [name for name, _ in answer.headers]
        if answer.status >= 500:
            found.append(f"{where}: a server error")
        if not answer.whole:
            found.append(f"{where}: not whole")
        if len(set(names)) != len(names):
            found.append(f"{where}: a header twice")
        if answer.status >= 400 and _CANARY.encode() in answer.body:
            found.append(f"{where}: the text is in the error")
        documented = self._document["paths"][route.path]["post"]["responses"]
        described = documented.get(str(answer.status))
        if described is None:
            return [*found, f"{where}: not documented"]
        if answer.media not in described["content"]:
            return [*found, f"{where}: {answer.media} is not documented"]
        if "schema" in described["content"][answer.media]:
            found += self._of_shape(route.path, str(answer.status), answer)
        return found

    def _of_shape(self, path: str, status: str, answer: _Answer) -> list[str]:
        key = (path, status, answer.media)
        if key not in self._validators:
            steps = ("paths", path, "post", "responses", status, "content", answer.media, "schema")
            pointer = "/".join(quote(step.replace("~", "~0").replace("/", "~1")) for step in steps)
            self._validators[key] = jsonschema_rs.validator_for(
                {**self._document, "$ref": f"#/{pointer}"}
            )
        one = answer.media.endswith(("/json", "+json"))
        lines = [answer.body] if one else answer.body.splitlines()
        for line in lines:
            error = next(self._validators[key].iter_errors(json.loads(line)), None)
            if error is not None:
                return [f"{path} {status}: {list(error.schema_path)[:6]}"]
        return []
