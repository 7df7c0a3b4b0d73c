from __future__ import annotations

import dataclasses
from collections.abc import Callable

from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import Manifest, VectorsRecord, strip_paths

CONFIGURATION = {
    "data": {"files": ["/home/alice/reviews.csv", "more/*.csv"], "text": "review"},
    "words": {"vectors": "/home/alice/vectors.txt", "learned_size": 8},
    "optimization": {"seed": 3},
}


def with_provenance(manifest: Manifest) -> Manifest:
    training = manifest.training.model_copy(
        update={
            "configuration": CONFIGURATION,
            "vectors": (VectorsRecord(name="v", source="v.txt", sha256="1" * 64),),
            "label_counts": {"train": {"negative": 3}},
            "packages": {"numpy": "2.0"},
            "platform": "Linux",
        }
    )
    more = {"baselines": {"lexicon": {"accuracy": 0.5}}, "intervals": {"test": {"ece": (0.0, 0.1)}}}
    return manifest.model_copy(update={"training": training, **more})


async def test_a_model_card_has_the_whole_lineage_but_no_path(
    serve: Callable[..., object], tiny_artifact: Artifact
) -> None:
    manifest = with_provenance(tiny_artifact.manifest)
    served = serve(artifact=dataclasses.replace(tiny_artifact, manifest=manifest))
    answer = await served.client.get("/v1/models/sentiment")
    card, whole = answer.json(), manifest.model_dump(mode="json")
    expected = {**whole["training"], "configuration": strip_paths(CONFIGURATION)}
    assert card["training"] == expected
    assert (card["baselines"], card["intervals"]) == (whole["baselines"], whole["intervals"])
    assert "alice" not in answer.text
    assert card["training"]["configuration"]["data"]["files"] == ["reviews.csv", "*.csv"]


async def test_a_model_of_data_for_research_says_so(
    serve: Callable[..., object], tiny_artifact: Artifact
) -> None:
    free = await serve().client.get("/v1/models/sentiment")
    assert free.json()["restrictions"] == []
    corpus = tiny_artifact.manifest.training.corpora[0]
    limited = corpus.model_copy(update={"name": "bbc", "license": "provided for research"})
    training = tiny_artifact.manifest.training.model_copy(update={"corpora": (limited,)})
    manifest = tiny_artifact.manifest.model_copy(update={"training": training})
    served = serve(artifact=dataclasses.replace(tiny_artifact, manifest=manifest))
    (card,) = (await served.client.get("/v1/models")).json()["models"]
    assert card["restrictions"] == ["bbc: provided for research"]


def test_a_configuration_without_files_is_shown_unchanged() -> None:
    """It has no word vectors either."""
    for plain in ({}, {"data": {"corpora": ["bbc"]}, "words": {"vectors": None}}):
        assert strip_paths(plain) == plain
    named = {"words": {"vectors": "glove-6b-50d"}}
    assert strip_paths(named) == named
