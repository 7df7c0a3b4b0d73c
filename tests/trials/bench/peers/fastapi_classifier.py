"""FastAPI around a classifier of the part ``peers``.

python -m tests.trials.bench.peers.fastapi_classifier NAME FOLDER PORT

The handler runs in the event loop and no access log is written: the cheapest form of FastAPI.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from tests.trials.bench.peers.classifiers import LABELS, LOADERS, Classify


class TextRequest(BaseModel):
    text: str


class TextAnswer(BaseModel):
    label: str
    scores: dict[str, float]


def make_application(classify: Classify) -> FastAPI:
    """Return the application."""
    app = FastAPI()

    @app.get("/readyz")
    async def ready() -> str:
        return "ready"

    @app.post("/classify")
    async def answer(asked: TextRequest) -> TextAnswer:
        scores = dict(zip(LABELS, classify(asked.text), strict=True))
        return TextAnswer(label=max(scores, key=scores.__getitem__), scores=scores)

    return app


if __name__ == "__main__":
    name, folder, port = sys.argv[1:]
    app = make_application(LOADERS[name](Path(folder)))
    uvicorn.run(app, host="127.0.0.1", port=int(port), access_log=False, log_level="warning")
