"""The feedback database as commands open it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from valence.service.errors import ConfigurationError

if TYPE_CHECKING:
    from valence.service.feedback.store import Store
    from valence.service.sampling.store import SampleStore

Opened = TypeVar("Opened", "Store", "SampleStore")
SETTING = "VALENCE_FEEDBACK_DATABASE"
DatabaseOption = Annotated[
    str,
    typer.Option(
        help=f"The database: a path of an SQLite file or a URL. Without it: {SETTING}.",
        show_default=False,
    ),
]


@contextmanager
def open_store(address: str) -> Iterator[Store]:
    """The store at ``address``, or at the setting of the service; raises on purpose only."""
    address = _require_address(address)
    from valence.service.feedback.store import Store

    with _opened(Store.open(address)) as store:
        yield store


@contextmanager
def open_sample(address: str) -> Iterator[SampleStore]:
    """The sample of texts in that database."""
    address = _require_address(address)
    from valence.service.sampling.store import SampleStore

    with _opened(SampleStore.open(address)) as store:
        yield store


def _require_address(address: str) -> str:
    address = address or os.environ.get(SETTING, "")
    if not address:
        raise ConfigurationError(
            f"no feedback database is named: give --database, or set {SETTING}"
        )
    return address


@contextmanager
def _opened(store: Opened) -> Iterator[Opened]:
    from sqlalchemy.exc import SQLAlchemyError
    from valence.service.feedback import database

    try:
        store.prepare()
        yield store
    except SQLAlchemyError as error:
        raise ConfigurationError(
            f"the feedback database cannot be used: {database.explain(error)}"
        ) from None
    finally:
        store.close()
