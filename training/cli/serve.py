"""``valence serve``."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

SERVICE = "valence.service.app:Valence"


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 3000,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Model to serve: NAME or NAME:VERSION. May be repeated.",
            show_default="VALENCE_MODELS, else `sentiment` and `topic`",
        ),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            help="Processes that answer on the port, or `auto` for one on each core.",
            show_default="VALENCE_WORKERS, else 1",
        ),
    ] = None,
) -> None:
    """Serve models of the store over HTTP, until a signal ends the server.

    All settings are environment variables: docs/reference/settings.md lists them.
    """
    if find_spec("bentoml") is None:
        # otherwise the next program would say so, and not name the extra
        raise ModuleNotFoundError("No module named 'bentoml'", name="bentoml")
    if model:
        os.environ["VALENCE_MODELS"] = ",".join(model)
    if workers is not None:
        os.environ["VALENCE_WORKERS"] = workers
    command = [sys.executable, "-m", "bentoml", "serve", SERVICE]
    # the server takes the place of this process, so that signals reach it
    os.execv(sys.executable, [*command, "--host", host, "--port", str(port)])  # noqa: S606
