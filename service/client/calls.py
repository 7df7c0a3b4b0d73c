"""The calls of a client as steps: requests, pauses, and what their replies mean."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from valence.service.api.v1.cards import ModelCard, ModelList
from valence.service.api.v1.schemas import ClassifyResponse, ItemError
from valence.service.client.answer import (
    NOTHING,
    Answer,
    join_answers,
    list_prediction_ids,
)
from valence.service.client.batches import Batch, Room, cut_batches, encode_texts
from valence.service.client.exchange import Request, Steps, exchange
from valence.service.errors import ServiceError, ServiceRefused
from valence.service.estimator.texts import Texts, list_texts

_CLASSIFY = "/v1/classify"
_TEXT = re.compile(r"texts\.(\d+)")
_ONE_TEXT = Room(texts=1, body_bytes=0)
Model = TypeVar("Model", bound=BaseModel)


class Calls:
    """Makes the steps of calls, and remembers what each model has room for."""

    def __init__(self) -> None:
        self._cards: dict[str, ModelCard] = {}

    def list_models(self, seconds: float) -> Steps[list[ModelCard]]:
        """``GET /v1/models``."""
        deadline = time.monotonic() + seconds
        content = yield from exchange(Request("GET", "/v1/models"), deadline)
        return _parse(ModelList, content).models

    def show_model(self, name: str, seconds: float) -> Steps[ModelCard]:
        """``GET /v1/models/{name}``."""
        deadline = time.monotonic() + seconds
        path = f"/v1/models/{quote(name, safe=':')}"
        content = yield from exchange(Request("GET", path), deadline)
        return _parse(ModelCard, content)

    def classify(
        self, texts: str | Texts, options: Mapping[str, Any], seconds: float
    ) -> Steps[Answer]:
        """The answer to one text, or to several in as many requests as they need.

        A text of several that the service refuses is an error of the answer.
        """
        deadline = time.monotonic() + seconds
        if isinstance(texts, str):
            body = Batch(0, list(encode_texts(iter([texts])))).encode(options)
            return (yield from self._ask(body, 0, deadline))
        # faults of later texts are told before the first request
        rows = list_texts(texts)
        batches = list((yield from self.cut(iter(rows), options, seconds)))
        answers = []
        for batch in batches:
            left = deadline - time.monotonic()
            answers.append((yield from self.classify_batch(batch, options, left)))
        return join_answers(answers)

    def classify_batch(
        self, batch: Batch, options: Mapping[str, Any], seconds: float
    ) -> Steps[Answer]:
        """The answer to one batch; a batch that costs more than one request may is halved."""
        deadline = time.monotonic() + seconds
        waiting = [batch]
        answers = []
        while waiting:
            one = waiting.pop(0)
            try:
                answers.append((yield from self._ask(one.encode(options), one.start, deadline)))
            except ServiceRefused as error:
                told = _find_faults(error, texts=len(one.texts))
                if len(told) == len(one.texts):
                    errors = _make_errors(error, told, one.start)
                    none = [None] * len(one.texts)
                    answers.append(Answer(none, errors, [], NOTHING, [""] * len(none)))
                elif told or (_costs_too_much(error) and len(one.texts) > 1):
                    # the limits may be others than those that are remembered; and of many faults
                    # the service tells a few
                    self._cards.clear()
                    waiting[:0] = one.halve()
                else:
                    raise
        return join_answers(answers)

    def _ask(self, body: bytes, start: int, deadline: float) -> Steps[Answer]:
        content = yield from exchange(Request("POST", _CLASSIFY, body), deadline)
        response = _parse(ClassifyResponse, content)
        errors = [
            error.model_copy(update={"index": error.index + start}) for error in response.errors
        ]
        ids = list_prediction_ids(response.prediction_id, response.results)
        return Answer(response.results, errors, [response.model], response.usage, ids)

    def cut(
        self, texts: Iterator[str], options: Mapping[str, Any], seconds: float
    ) -> Steps[Iterator[Batch]]:
        """The batches of ``texts``, which are read as the batches are asked for.

        The limits of the model are asked for once, and not for a single text.
        """
        encoded = encode_texts(texts)
        first: list[bytes] = []
        try:
            first.extend(islice(encoded, 2))
        except Exception as error:
            # told after the answer to the text before it
            encoded = _fail(error)
        if len(first) < 2:
            return cut_batches(chain(first, encoded), options, _ONE_TEXT)
        card = yield from self._find_card(options, seconds)
        limits = card.limits
        count = limits.max_explained_texts if options.get("explain") else limits.max_texts
        room = Room(min(count, limits.max_texts), limits.max_body_bytes)
        return cut_batches(chain(first, encoded), options, room)

    def _find_card(self, options: Mapping[str, Any], seconds: float) -> Steps[ModelCard]:
        name = options.get("model", "")
        card = self._cards.get(name)
        if card is None:
            if name:
                card = yield from self.show_model(name, seconds)
            else:
                cards = yield from self.list_models(seconds)
                card = next(one for one in cards if one.default)
            self._cards[name] = card
        return card


def _fail(error: Exception) -> Iterator[bytes]:
    """No texts, and then the error."""
    yield from ()
    raise error


def _parse(model: type[Model], content: bytes) -> Model:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise ServiceError(
            f"the answer is not one of Valence ({where}: {first['msg']}); is the address right?"
        ) from None


def _costs_too_much(error: ServiceRefused) -> bool:
    """Whether fewer texts may be answered: the body is too large, or the fault is no text's."""
    faults = _list_faults(error)
    too_many = any(fault.get("location") in ("texts", "explain") for fault in faults)
    return error.status == 413 or (error.status == 422 and (not faults or too_many))


def _find_faults(error: ServiceRefused, *, texts: int) -> dict[int, str]:
    """The faults of a request with so many texts, by text; empty if one is a fault of the rest."""
    if texts == 1 and _costs_too_much(error):
        return {0: str(error.problem.get("detail", error))}
    told = {}
    for fault in _list_faults(error):
        match = _TEXT.fullmatch(str(fault.get("location")))
        if not match:
            return {}
        told[int(match[1])] = str(fault.get("message"))
    return told


def _make_errors(error: ServiceRefused, told: Mapping[int, str], start: int) -> list[ItemError]:
    kind, title = (str(error.problem.get(key, "")) for key in ("type", "title"))
    return [
        ItemError(index=start + index, type=kind, title=title, detail=detail)
        for index, detail in sorted(told.items())
    ]


def _list_faults(error: ServiceRefused) -> list[Mapping[str, Any]]:
    faults = error.problem.get("errors")
    return (
        [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []
    )
