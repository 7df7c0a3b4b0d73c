"""FastAPI around a torch model; its plain ``def`` handlers run in the thread pool of FastAPI."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel

from tests.trials.bench.eager import EagerClassifier

app = FastAPI()
classifier = EagerClassifier()


class TextRequest(BaseModel):
    text: str


class TextsRequest(BaseModel):
    texts: list[str]


@app.get("/readyz")
def ready() -> str:
    return "ready"


@app.post("/classify")
def classify(asked: TextRequest) -> dict:
    return classifier.classify([asked.text])[0]


@app.post("/classify_many")
def classify_many(asked: TextsRequest) -> list[dict]:
    return classifier.classify(asked.texts)
