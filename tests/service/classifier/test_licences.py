from __future__ import annotations

import pytest
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.licences import find_restrictions
from valence.service.classifier.manifest import (
    CorpusRecord,
    TeacherOrigin,
    TeacherRecord,
    VectorsRecord,
)
from valence.training.corpora.catalog import CORPORA
from valence.training.embeddings import encoder_model, glove


def corpus(name: str, licence: str) -> CorpusRecord:
    return CorpusRecord(name=name, source="s", sha256="0" * 64, texts=1, license=licence)


@pytest.mark.parametrize(
    ("licence", "restricted"),
    [
        ("", False),
        ("MIT", False),
        ("PDDL-1.0", False),
        ("CC-BY-4.0", False),
        ("for research", True),
        ("Research use only", True),
        ("CC-BY-NC-4.0", True),
        ("non-commercial", True),
        ("researchers' own MIT", False),
    ],
)
def test_a_licence_for_some_uses_is_a_restriction(
    tiny_artifact: Artifact, licence: str, restricted: bool
) -> None:
    training = tiny_artifact.manifest.training.model_copy(
        update={"corpora": (corpus("mine", licence),)}
    )
    assert find_restrictions(training) == ([f"mine: {licence}"] if restricted else [])


def test_every_source_of_a_training_counts_once(tiny_artifact: Artifact) -> None:
    limited = "for research"
    training = tiny_artifact.manifest.training.model_copy(
        update={
            "corpora": (corpus("c", limited), corpus("free", "MIT")),
            "unlabelled": (corpus("u", limited), corpus("c", limited)),
            "vectors": (VectorsRecord(name="v", source="s", sha256="1", license=limited),),
            "teacher": TeacherRecord(
                teachers=(TeacherOrigin(name="t", source="s", license=limited),),
                metrics={},
                texts={},
                targets_sha256="2",
            ),
        }
    )
    assert find_restrictions(training) == [f"{name}: {limited}" for name in "ctuv"]


def test_of_the_published_sources_only_bbc_is_for_research(tiny_artifact: Artifact) -> None:
    packages = {name: found.package for name, found in CORPORA.items()}
    packages |= {"glove": glove.PACKAGE, "minilm": encoder_model.PACKAGE}
    training = tiny_artifact.manifest.training.model_copy(
        update={"corpora": tuple(corpus(name, one.license) for name, one in packages.items())}
    )
    assert find_restrictions(training) == [f"bbc: {packages['bbc'].license}"]
