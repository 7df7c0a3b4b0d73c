"""A loaded model answers as the service and as ``valence score`` do."""

from __future__ import annotations

import io
import json

import pytest
import valence
from valence.service.classifier import artifact
from valence.service.inference.engines import factory
from valence.service.observability.log import Log
from valence.service.score import __main__ as score

from tests.service.api.conftest import serve  # noqa: F401 - a fixture

TEXTS = ["good", "bad movie", "", "zzz", "not very good !", "the movie was bad and good . " * 9]
OPTIONS = [
    {},
    {"truncation": "tail"},
    {"truncation": "window"},
    {"min_confidence": 0.5},
    {"unreadable": "label"},
]


@pytest.fixture(params=["labels alone", "outside too"])
def folder(request, tiny_folder, telling_folder):
    return tiny_folder if request.param == "labels alone" else telling_folder


@pytest.mark.parametrize("options", OPTIONS, ids=str)
async def test_results_are_those_of_http(serve, folder, options):  # noqa: F811
    model = valence.load(folder, **options)
    loaded = artifact.load(folder)
    engine = factory.create(loaded, name=model.engine, log=Log(io.StringIO()))
    served = serve(engine=engine, artifact=loaded)
    for text in TEXTS:
        (answered,) = (await served.classify(text=text, **options)).json()["results"]
        assert json.loads(json.dumps(model(text))) == answered
    several = (await served.classify(texts=TEXTS, **options)).json()["results"]
    assert model.predict(TEXTS).tolist() == [result["label"] for result in several]
    for text, explanation in zip(TEXTS, model.explain(TEXTS), strict=True):
        asked = {"text": text, "explain": True, **options}
        (answered,) = (await served.classify(**asked)).json()["results"]
        told = explanation._asdict() | {"tokens": list(explanation.tokens)}
        assert json.loads(json.dumps(told)) == answered["explanation"]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_results_are_those_of_a_scored_file(tmp_path, folder, options):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    model = valence.load(folder, **options)
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    score.main([str(source), str(out), "--model", str(folder), "--engine", model.engine, *given])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["label"] for row in rows] == model.predict(TEXTS).tolist()
    assert [
        [row[f"probability_{label}"] for label in model.classes_] for row in rows
    ] == model.predict_proba(TEXTS).tolist()
    results = model(TEXTS)
    assert [row.get("reason") or None for row in rows] == [one.get("reason") for one in results]
    assert [row.get("outside") for row in rows] == [one.get("outside") for one in results]
    assert ("outside" in rows[0]) is (folder.parent.name.startswith("telling"))
