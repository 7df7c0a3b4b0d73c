"""The largest requests that the documentation allows: every combination of options of every route.

The order of the requests is random and always the same. So each beginning of the list has all
routes, options and texts in about equal shares.
"""

from __future__ import annotations

import itertools
import json
import random
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.trials.chaos import faulty_requests
from tests.trials.chaos.case import JSON, Case

_TRUNCATIONS = ("head", "tail", "head_tail", "window", "error")
_SEED = 25
# bytes that a body has beside its texts
_ENVELOPE = 4_096


class Texts(NamedTuple):
    """Texts of one kind, as many and as long as a limit allows."""

    name: str
    count: int
    text: str

    def all(self, most: int) -> list[str]:
        """At most ``most`` of the texts."""
        return [self.text] * min(self.count, most)


def list_cases(limits: Mapping[str, Any], models: Sequence[str]) -> list[Case]:
    """Every request, in the order in which they are tried; the first two have killed a worker."""
    cases = [
        case
        for texts in _list_texts(limits)
        for make in (_classify, _dialects, _stream, _activations)
        for case in make(texts, limits, models)
    ]
    cases += faulty_requests.list_cases(limits, models)
    random.Random(_SEED).shuffle(cases)
    return [*_known(limits), *cases]


def _known(limits: Mapping[str, Any]) -> Iterator[Case]:
    """The requests that ended a worker, or held it for many seconds, before costs were bounded."""
    characters = limits["max_characters"]
    explained = ["a " * (characters // 2)] * 32
    split = ["a. " * (characters * 33 // 100)] * 32
    yield _json_case("words x 32, explain", "/v1/classify", {"texts": explained, "explain": True})
    yield _json_case(
        "sentences x 32, sentence", "/v1/classify", {"texts": split, "granularity": "sentence"}
    )


def _list_texts(limits: Mapping[str, Any]) -> Iterator[Texts]:
    """Each kind of text: one as long as allowed, as many of these as a body holds, and short ones.

    A kind is what makes a character expensive: many tokens, many sentences, signs that may end one,
    look-ups of words that the vocabulary lacks, long pieces without white space, wide characters.
    """
    characters, most = limits["max_characters"], limits["max_texts"]
    budget = limits["max_body_bytes"] - _ENVELOPE
    random_words = random.Random(_SEED)
    letters = "abcdefghijklmnopqrstuvwxyz"
    strange = ["".join(random_words.choices(letters, k=5)) for _ in range(characters // 6 + 1)]
    kinds = {
        "words": "a " * characters,
        "sentences": "a. " * characters,
        "ends": "! " * characters,
        "signs": "," * characters,
        "strange words": " ".join(strange),
        "one piece": ",".join(strange),
        "emoji": "\U0001f600 " * characters,
    }
    for kind, long in kinds.items():
        text = long[:characters]
        size = len(json.dumps(text, ensure_ascii=False).encode()) + 2
        # a quarter for what the formats have beside each text
        short = long[: max(1, int(characters * (budget / most / size) * 0.75))]
        yield Texts(kind, 1, text)
        yield Texts(kind, int(budget / size * 0.95), text)
        yield Texts(kind, most, short)


def _json_case(name: str, path: str, content: Mapping[str, Any]) -> Case:
    return Case(
        f"{path}: {name}",
        path,
        JSON,
        lambda: json.dumps(content, ensure_ascii=False).encode(),
    )


def _classify(texts: Texts, limits: Mapping[str, Any], models: Sequence[str]) -> Iterator[Case]:
    # scores of a few labels only make an answer smaller; both ends are tried
    for truncation, sentences, explain, narrow, model in itertools.product(
        _TRUNCATIONS, (False, True), (False, True), (False, True), models
    ):
        most = limits["max_explained_texts"] if explain else limits["max_texts"]
        content: dict[str, Any] = {
            "texts": texts.all(most),
            "truncation": truncation,
            "model": model,
        }
        if sentences:
            content["granularity"] = "sentence"
        if explain:
            content["explain"] = True
        if narrow:
            content |= {"top_k": 1, "min_confidence": 1.0}
        options = [truncation, *["sentence"] * sentences, *["explain"] * explain]
        options += [*["top_k"] * narrow, model]
        name = f"{texts.name} x {texts.count}, {', '.join(options)}"
        yield _json_case(name, "/v1/classify", content)


def _dialects(texts: Texts, limits: Mapping[str, Any], models: Sequence[str]) -> Iterator[Case]:
    every = texts.all(limits["max_texts"])
    name = f"{texts.name} x {len(every)}"
    rows = [[text] for text in every]
    for truncate, direction, parameters in itertools.product(
        (True, False), ("Left", "Right"), ({}, {"parameters": {"top_k": 1}})
    ):
        content = {"inputs": rows, "truncate": truncate, "truncation_direction": direction}
        for path in ("/predict", f"/models/{models[-1]}"):
            yield _json_case(
                f"{name}, {truncate}, {direction}{', top_k' if parameters else ''}",
                path,
                content | parameters,
            )
    for tokens, side in itertools.product((-1, None), ("left", "right")):
        content = {"input": every, "truncate_prompt_tokens": tokens, "truncation_side": side}
        yield _json_case(f"{name}, {tokens}, {side}", "/classify", content)
    for threshold in (0, 1):
        content = {"contents": every, "detector_params": {"threshold": threshold}}
        yield _json_case(f"{name}, threshold {threshold}", "/api/v1/text/contents", content)
    for backend in ("/label-studio", f"/label-studio/{models[-1]}"):
        content = {"tasks": [{"id": 1, "data": {"text": text}} for text in every]}
        yield _json_case(name, f"{backend}/predict", content)
    for truncation, binary, model in itertools.product(_TRUNCATIONS, (False, True), models):
        yield _infer(name, every, truncation, binary, model)
    yield Case(
        f"/invocations: {name}, JSON lines",
        "/invocations",
        "application/jsonlines",
        lambda: "\n".join(
            json.dumps({"inputs": text}, ensure_ascii=False) for text in every
        ).encode(),
    )
    yield Case(
        f"/invocations: {name}, CSV",
        "/invocations",
        "text/csv",
        lambda: "\n".join(f'"{text}"' for text in every).encode(),
    )


def _infer(name: str, every: Sequence[str], truncation: str, binary: bool, model: str) -> Case:
    path = f"/v2/models/{model}/infer"
    tensor: dict[str, Any] = {"name": "text", "shape": [len(every)], "datatype": "BYTES"}
    parameters = {"truncation": truncation, "binary_data_output": binary}
    if not binary:
        content = {"parameters": parameters, "inputs": [{**tensor, "data": every}]}
        return _json_case(f"{name}, {truncation}", path, content)
    size = sum(4 + len(text.encode()) for text in every)
    tensor["parameters"] = {"binary_data_size": size}
    head = json.dumps({"parameters": parameters, "inputs": [tensor]}).encode()

    def make_body() -> bytes:
        encoded = [text.encode() for text in every]
        return head + b"".join(struct.pack("<I", len(text)) + text for text in encoded)

    return Case(
        f"{path}: {name}, {truncation}, binary",
        path,
        "application/octet-stream",
        make_body,
        (("Inference-Header-Content-Length", str(len(head))),),
    )


def _stream(texts: Texts, limits: Mapping[str, Any], models: Sequence[str]) -> Iterator[Case]:
    every = texts.all(limits["max_texts"])
    for truncation, model in itertools.product(_TRUNCATIONS, models):
        query = urlencode({"truncation": truncation, "model": model})
        yield Case(
            f"/v1/classify/stream: {texts.name} x {len(every)}, {truncation}, {model}",
            f"/v1/classify/stream?{query}",
            "application/x-ndjson",
            lambda: "\n".join(json.dumps(text, ensure_ascii=False) for text in every).encode(),
        )


def _activations(texts: Texts, limits: Mapping[str, Any], models: Sequence[str]) -> Iterator[Case]:
    del limits
    if texts.count > 1:
        return
    for units, model in itertools.product((1, 1024), models):
        content = {"text": texts.text, "units": units, "model": model}
        yield _json_case(f"{texts.name}, {units} units, {model}", "/v1/activations", content)
