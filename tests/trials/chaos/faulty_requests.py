"""The largest bodies with as many faults as fit: a fault must cost no more than a text.

Each kind of fault fills a body as large as allowed, on every route that reads such a body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import mul
from typing import Any

from tests.trials.chaos.case import JSON, Case

# bodies that a stream answers line by line are smaller, because each line has an answer
_STREAM_SHARE = 16


def list_cases(limits: Mapping[str, Any], models: Sequence[str]) -> list[Case]:
    """Every request; each is refused, but for a stream, which refuses its lines."""
    size = limits["max_body_bytes"]
    return [*_documents(size, models[-1]), *_lines(size), *_tensors(size, models[-1])]


def _fill(begin: str, item: str, end: str, size: int) -> bytes:
    """A body of ``size`` bytes at most: ``item``, with commas between, as often as it fits."""
    count = (size - len(begin) - len(end)) // (len(item) + 1)
    return (begin + ",".join([item] * count) + end).encode()


def _fields(begin: str, end: str, size: int) -> bytes:
    """As :func:`_fill`, with fields of different names."""
    count = (size - len(begin) - len(end)) // len('"1000000":1,')
    return (begin + ",".join(f'"{1_000_000 + n}":1' for n in range(count)) + end).encode()


def _documents(size: int, model: str) -> Iterator[Case]:
    """One JSON document: a field with too many faulty items, or too many fields."""
    tensor = '{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":['
    lists = {
        "/v1/classify": ('{"texts":[', "]}"),
        "/predict": ('{"inputs":[', "]}"),
        "/classify": ('{"input":[', "]}"),
        "/invocations": ('{"inputs":[', "]}"),
        f"/v2/models/{model}/infer": (tensor, "]}]}"),
    }
    items = {
        "numbers": "1",
        "nulls": "null",
        "lists": "[]",
        "lists of one number": "[1]",
        "objects": "{}",
        "empty texts": '""',
        "lists of empty texts": '[""]',
        "texts like fields": r'"\":\":\":\":\":\":\":\":"',
    }
    for path, (begin, end) in lists.items():
        for kind, item in items.items():
            yield _case(path, kind, partial(_fill, begin, item, end, size))
        escaped = partial(_fill, begin + '"', r"\":", '"' + end, size)
        yield _case(path, "one text like fields", escaped)
        yield _case(path, "fields", partial(_fields, "{", "}", size))
        yield _case(path, "fields in a field", partial(_fields, '{"parameters":{', "}}", size))
        yield _case(path, "nested", partial(mul, b"[", size))
        yield _case(path, "nested fields", partial(mul, b'{"a":', size // 5))
        yield _case(path, "cut off", partial(_fill, begin, '"a"', "", size))
        yield _case(path, "one field twice", partial(_fill, "{", '"model":"a"', "}", size))
    ids = '{"texts":["a"],"ids":['
    outputs = '{"inputs":[],"outputs":['
    shape = '{"inputs":[{"name":"text","datatype":"BYTES","shape":['
    infer = f"/v2/models/{model}/infer"
    for path, kind, begin, item, end in (
        ("/v1/classify", "ids", ids, '""', "]}"),
        ("/v1/classify", "null ids", ids, "null", "]}"),
        (infer, "outputs", outputs, "{}", "]}"),
        (infer, "shape", shape, "1", "]}]}"),
    ):
        yield _case(path, kind, partial(_fill, begin, item, end, size))
    yield _case("/v1/activations", "fields", partial(_fields, "{", "}", size))


def _lines(size: int) -> Iterator[Case]:
    """Lines that are blank, or no texts."""
    lines = {
        "blank": b"\n",
        "numbers": b"1\n",
        "nulls": b"null\n",
        "quotes": b'"\n',
        "commas": b",",
    }
    for kind, line in lines.items():
        for media_type in ("text/csv", "application/jsonlines"):
            body = partial(mul, line, size // len(line))
            yield _case("/invocations", f"{kind}, {media_type}", body, media_type)
        body = partial(mul, line, size // _STREAM_SHARE // len(line))
        yield _case("/v1/classify/stream", kind, body, "application/x-ndjson")
    fields = partial(_fields, "{", "}", size)
    yield _case("/v1/classify/stream", "fields", fields, "application/x-ndjson")


def _tensors(size: int, model: str) -> Iterator[Case]:
    """Binary tensors of texts that are empty."""
    count = (size - 1024) // 4
    tensor = {
        "name": "text",
        "shape": [count],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": 4 * count},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    yield Case(
        f"/v2/models/{model}/infer: empty texts, binary",
        f"/v2/models/{model}/infer",
        "application/octet-stream",
        lambda: head + bytes(4 * count),
        (("Inference-Header-Content-Length", str(len(head))),),
    )


def _case(path: str, kind: str, make_body: Callable[[], bytes], media_type: str = JSON) -> Case:
    return Case(f"{path}: {kind}, faulty", path, media_type, make_body)
