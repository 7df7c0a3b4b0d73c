"""FastAPI around a torch model, whose plain ``def`` handlers run in its thread pool."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel

from tests.bench.eager import EagerClassifier

app = FastAPI()
classifier = EagerClassifier()


class One(BaseModel):
    text: str


class Many(BaseModel):
    texts: list[str]


@app.get("/readyz")
def ready() -> str:
    return "ready"


@app.post("/classify")
def classify(asked: One) -> dict:
    return classifier.classify([asked.text])[0]


@app.post("/classify_many")
def classify_many(asked: Many) -> list[dict]:
    return classifier.classify(asked.texts)
