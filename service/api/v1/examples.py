"""Examples of answers in the OpenAPI document: long ones, and those of several routes.

A test validates each example against its schema.
"""

from __future__ import annotations

from typing import Any

from valence.service import errors
from valence.service.api.http.problems import KINDS

_MODEL = {"name": "sentiment", "version": "1"}
_PREDICTION_ID = (
    "WyJzZW50aW1lbnQiLCIxIixbInBvc2l0aXZlIl1d."
    "1838d8c8e7cb8200000000003f700000b1a757ce6e5117f614c26d51"
)
_SCORES = [
    {"label": "positive", "score": 0.9375},
    {"label": "neutral", "score": 0.046875},
    {"label": "negative", "score": 0.015625},
]
_POSITIVE = {"label": "positive", "labels": ["positive"], "scores": _SCORES, "polarity": 0.921875}
_NEGATIVE = {
    "label": "negative",
    "labels": ["negative"],
    "scores": [
        {"label": "negative", "score": 0.75},
        {"label": "neutral", "score": 0.125},
        {"label": "positive", "score": 0.125},
    ],
    "polarity": -0.625,
}

RESULT: dict[str, Any] = {
    **_POSITIVE,
    "usage": {
        "characters": 25,
        "tokens": 6,
        "tokens_used": 6,
        "unknown_tokens": 0,
        "truncated": False,
        "windows": 1,
    },
}
"""The result of the text "I love this little thing!"."""

_CONTRIBUTIONS = (
    (0, 1, 0.125),
    (2, 6, 2.5),
    (7, 11, 0.0625),
    (12, 18, 0.25),
    (19, 24, -0.0625),
    (24, 25, 0.125),
)


def _answer(result: dict[str, Any], model: dict[str, str] = _MODEL) -> dict[str, Any]:
    """The answer to a request with one text."""
    read = result["usage"]
    total = {"texts": 1, **{key: read[key] for key in list(read)[:4]}, "truncated_texts": 0}
    return {
        "model": model,
        "prediction_id": _PREDICTION_ID,
        "results": [result],
        "usage": total,
    }


CLASSIFIED: dict[str, Any] = {
    "one text": _answer(RESULT),
    "a text that is too long among others": _answer(RESULT | {"id": "review-17"})
    | {
        "results": [RESULT | {"id": "review-17"}, None],
        "errors": [
            {
                "index": 1,
                "id": "review-18",
                "type": KINDS[errors.TextTooLong].uri,
                "title": KINDS[errors.TextTooLong].title,
                "detail": "the text has 612 tokens, the model reads 512; shorten the text or "
                "choose another truncation",
            }
        ],
    },
    "and why": _answer(
        RESULT
        | {
            "explanation": {
                "label": "positive",
                "logit": 3.25,
                "baseline_logit": 0.25,
                "sum": 3.0,
                "completeness_error": 0.0,
                "tokens": [
                    {
                        "start": start,
                        "end": end,
                        "contribution": contribution,
                        "unknown": False,
                        "truncated": False,
                    }
                    for start, end, contribution in _CONTRIBUTIONS
                ],
            }
        }
    ),
    "sentence by sentence": _answer(
        RESULT
        | {
            "usage": RESULT["usage"] | {"characters": 35, "tokens": 9, "tokens_used": 9},
            "sentences": [
                {"start": 0, "end": 25, **_POSITIVE, "truncated": False},
                {"start": 26, "end": 35, **_NEGATIVE, "truncated": False},
            ],
        }
    ),
    "none of the labels": _answer(
        RESULT
        | {
            "label": "uncertain",
            "reason": "outside",
            "labels": [],
            "scores": [{"label": "tech", "score": 0.5}, {"label": "sports", "score": 0.5}],
            "polarity": None,
            "outside": 0.984375,
        },
        {"name": "topic", "version": "1"},
    ),
    "not sure enough": _answer(RESULT | {"label": "uncertain", "labels": []}),
    "by a model of several labels a text": _answer(
        RESULT
        | {
            "label": "late",
            "labels": ["cold", "late"],
            "scores": [
                {"label": "late", "score": 0.875},
                {"label": "cold", "score": 0.5},
                {"label": "broken", "score": 0.0625},
            ],
            "polarity": None,
        },
        {"name": "complaints", "version": "1"},
    ),
}

STREAMED: dict[str, Any] = {
    "a result": {"line": 1, **RESULT, "model": _MODEL},
    "an error": {
        "line": 2,
        "id": "review-7",
        "error": {
            "type": KINDS[errors.MalformedBody].uri,
            "title": KINDS[errors.MalformedBody].title,
            "detail": "EOF while parsing an object at line 1 column 9; send a JSON object in UTF-8",
        },
    },
    "the last line of a stream that was ended": {
        "line": 4001,
        "error": {
            "type": KINDS[errors.Unavailable].uri,
            "title": KINDS[errors.Unavailable].title,
            "detail": "the service is draining; it did not read this line and those after it, send "
            "them again",
        },
        "resume_from": 4001,
    },
}

LIMITS: dict[str, Any] = {
    "max_body_bytes": 4194304,
    "max_texts": 1024,
    "max_characters": 100000,
    "max_tokens": 128,
    "max_id_characters": 128,
    "max_explained_texts": 32,
    "max_windows": 8192,
    "max_explained_tokens": 65_536,
    "max_answer_bytes": 8_388_608,
    "queue_items": 8192,
    "queue_tokens": 262144,
    "request_timeout_seconds": 5.0,
    "body_memory_bytes": 67108864,
    "max_header_bytes": 32768,
    "max_headers": 128,
    "header_timeout_seconds": 10.0,
    "body_idle_seconds": 10.0,
    "min_body_bytes_per_second": 1024,
    "keep_alive_seconds": 75.0,
    "stream_idle_seconds": 60.0,
    "max_connections": 1024,
    "key_texts_per_second": None,
    "key_tokens_per_second": None,
}
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

CARD: dict[str, Any] = {
    **_MODEL,
    "default": True,
    "versions": ["1"],
    "aliases": {"champion": "1"},
    "task": "single_label",
    "labels": ["negative", "neutral", "positive"],
    "thresholds": {},
    "polarity": {"negative": -1.0, "neutral": 0.0, "positive": 1.0},
    "outside": None,
    "engine": "native-avx2-int16",
    "limits": LIMITS,
    "sampling": None,
    "metrics": {"test": {"texts": 5812, "accuracy": 0.735, "macro_f1": 0.73, "ece": 0.015}},
    "intervals": {"test": {"macro_f1": [0.72, 0.74]}},
    "baselines": {"linear": {"macro_f1": 0.712}},
    "behaviour": {
        "typo": {"kind": "invariance", "tried": 1000, "passed": 961, "interval": [0.947, 0.971]}
    },
    "restrictions": [],
    "training": {
        "started": "2026-01-01T00:00:00Z",
        "corpora": [
            {
                "name": "vader",
                "source": "vaderSentiment==0.5",
                "sha256": _SHA256,
                "texts": 17000,
                "license": "MIT",
            }
        ],
        "splits": {"train": 46500, "dev": 5800, "test": 5812},
        "split_sha256": {"train": _SHA256, "dev": _SHA256, "test": _SHA256},
        "seed": 1,
        "code_version": "0.1.0",
        "configuration": {},
        "packages": {"torch": "2.13.0"},
        "hardware": "CPU",
        "platform": "Linux x86_64",
        "seconds": 150.0,
        "peak_memory_bytes": 900000000,
        "epochs": 8,
    },
}
