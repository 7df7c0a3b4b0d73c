from __future__ import annotations

import dataclasses
import io
import random
import re
from collections.abc import Callable
from pathlib import Path

import bentoml
import numpy as np
import pytest
import torch
from valence.service.classifier import artifact
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Classifier
from valence.service.classifier.model import RecurrentClassifier
from valence.service.errors import ArtifactError, ConfigurationError
from valence.service.inference import warm_up
from valence.service.inference.engines import factory
from valence.service.inference.engines.reference import ReferenceEngine
from valence.service.observability.log import Log
from valence.training.config.schema import Configuration
from valence.training.corpora import catalog
from valence.training.data.batches import EncodedTexts
from valence.training.data.split import hash_examples, split_by_hash
from valence.training.pipeline import training_run
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace
from valence.training.trainer import loop, network

pytestmark = pytest.mark.integration

Train = Callable[..., Trained]


@pytest.fixture
def run(
    workspace: Workspace, configured: Callable[..., Configuration], silent: type[Reporter]
) -> Train:
    """Return a function that trains on the corpus ``toy``; arguments change the configuration."""

    def run(
        *, reporter: Reporter | None = None, fresh: bool = False, **sections: dict[str, object]
    ) -> Trained:
        return training_run.train_classifier(
            configured(**sections),
            run=Run(workspace, reporter or silent()),
            fresh=fresh,
            with_baselines=False,
        )

    return run


def load(made: Trained) -> Artifact:
    return artifact.load(store.find_model(made.tag))


def same(left: Artifact, right: Artifact) -> bool:
    return (
        left.vocabulary.words == right.vocabulary.words
        and left.manifest.temperature == right.manifest.temperature
        and left.manifest.metrics == right.manifest.metrics
        and all(np.array_equal(v, right.tensors[n]) for n, v in left.tensors.items())
    )


def test_a_published_model_records_its_data_and_training(
    stored: tuple[Trained, Workspace], configured: Callable[..., Configuration]
) -> None:
    made, workspace = stored
    loaded = load(made)
    record = loaded.manifest.training
    package = catalog.CORPORA["toy"].package
    (corpus,) = record.corpora
    assert (corpus.name, corpus.source, corpus.sha256) == ("toy", "toy==1", package.sha256)
    parts = split_by_hash(catalog.load_corpora(["toy"], cache=workspace.corpora).examples)
    for name in ("train", "dev", "test"):
        assert record.splits[name] == len(getattr(parts, name))
        assert record.split_sha256[name] == hash_examples(getattr(parts, name))
    expected = configured().model_dump(mode="json", exclude={"expected"})
    assert record.configuration == {**expected, "polarity": made.manifest.polarity}
    assert record.seed == 0
    assert re.match(r"\d+\.\d+\.\d+", record.code_version)
    assert record.packages["torch"] == torch.__version__
    assert record.epochs in (1, 2, 3)
    assert record.seconds > 0
    assert record.peak_memory_bytes > 2**26
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record.started)
    assert made.tag == f"toy:{loaded.manifest.version}"
    assert loaded.manifest == made.manifest


def test_the_store_lists_lineage_and_scores(
    stored: tuple[Trained, Workspace],
) -> None:
    """Without opening the model."""
    made, _ = stored
    info = bentoml.models.get(made.tag).info
    assert info.metadata["data_sha256"] == {"toy": made.manifest.training.corpora[0].sha256}
    assert info.metadata["code_version"] == made.manifest.training.code_version
    assert info.metadata["macro_f1"] == made.evaluations["test"].macro_f1


def test_the_toy_corpus_is_learnt_and_compared_with_baselines(
    stored: tuple[Trained, Workspace],
) -> None:
    made, _ = stored
    assert made.evaluations["test"].macro_f1 > 0.95
    assert made.baselines.keys() == {"TF-IDF + logistic regression", "VADER"}
    for beside in made.baselines.values():
        assert beside.count == made.evaluations["test"].count
    assert made.manifest.metrics["test"] == made.evaluations["test"].as_json()


def test_a_report_is_sealed_into_the_model(stored: tuple[Trained, Workspace]) -> None:
    folder = store.find_model(stored[0].tag)
    report = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert "toy" in report
    assert "report/report.html" in (folder / artifact.CHECKSUMS).read_text()


def test_a_published_model_records_golden_answers(stored_artifact: Artifact) -> None:
    """They are those of the engine that serves, and a change of the weights shows in them."""
    assert len({answer.text for answer in stored_artifact.golden}) > 5
    engine = factory.create(stored_artifact, name="auto", log=Log(io.StringIO()))
    warm_up.check_answers(Classifier(stored_artifact), engine)
    bias = stored_artifact.tensors["output.bias"].copy()
    bias[0] += 0.05
    changed = dataclasses.replace(
        stored_artifact, tensors={**stored_artifact.tensors, "output.bias": bias}
    )
    with pytest.raises(ArtifactError, match="the recorded one"):
        warm_up.check_answers(Classifier(changed), ReferenceEngine(changed))


def test_a_published_model_scores_like_the_trained_network(
    run: Train, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[np.ndarray] = []
    logits = loop.compute_logits

    def watch(model: RecurrentClassifier, texts: EncodedTexts) -> np.ndarray:
        kept.append(logits(model, texts))
        return kept[-1]

    monkeypatch.setattr(loop, "compute_logits", watch)
    monkeypatch.setattr(
        "valence.training.evaluation.fitted_model.suite.run_suite", lambda *_: ()
    )  # this would call the network too
    loaded = load(run())
    classifier, engine = Classifier(loaded), ReferenceEngine(loaded)
    parts = split_by_hash(catalog.load_corpora(["toy"], cache=workspace.corpora).examples)
    # the last two calls judge the published network, on dev and on test
    for examples, expected in ((parts.dev, kept[-2]), (parts.test, kept[-1])):
        documents = [classifier.encode_head(example.text).ids for example in examples]
        np.testing.assert_allclose(engine.logits(documents), expected, rtol=0, atol=1e-6)


def test_the_seed_determines_the_published_model(run: Train, stored_artifact: Artifact) -> None:
    first, again = stored_artifact, load(run())
    assert same(first, again)
    # the name ends with a hash of the weights
    hashes = [one.manifest.version.rpartition("-")[2] for one in (first, again)]
    assert hashes[0] == hashes[1]
    other = load(run(optimization={"seed": 3}))
    assert not same(first, other)
    assert other.manifest.training.seed == 3
    assert other.manifest.version.rpartition("-")[2] != hashes[0]


def test_an_interrupted_run_resumes_to_the_same_model(
    run: Train,
    workspace: Workspace,
    silent: type[Reporter],
    stored_artifact: Artifact,
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(reporter=silent(stop_at=20))
    assert len(list(workspace.runs.iterdir())) == 1
    reporter = silent()
    made = run(reporter=reporter)
    assert "continuing after epoch 1 of an interrupted run" in reporter.said
    assert same(load(made), stored_artifact)
    assert list(workspace.runs.iterdir()) == []


@pytest.fixture(scope="module")
def stored_artifact(trained: tuple[Trained, Workspace, Path]) -> Artifact:
    """Return the artifact of an uninterrupted run."""
    made, _, models = trained
    return artifact.load(models / made.tag.replace(":", "/"))


@pytest.mark.parametrize(
    "step",
    [
        "evaluation.fitted_model.calibration.fit_temperature",
        "pipeline.publication.training_report.write_training_report",
        "pipeline.publication.store.publish_model",
    ],
)
def test_a_run_interrupted_after_training_is_not_retrained(
    run: Train,
    silent: type[Reporter],
    stored_artifact: Artifact,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    def interrupt(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"valence.training.{step}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run()
    reporter = silent()
    made = run(reporter=reporter)
    assert reporter.batches == 0
    assert same(load(made), stored_artifact)


def test_a_fresh_run_discards_the_interrupted_one(run: Train, silent: type[Reporter]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(reporter=silent(stop_at=20))
    reporter = silent()
    run(reporter=reporter, fresh=True)
    assert not any("continuing" in line for line in reporter.said)


@pytest.mark.parametrize(
    "sections",
    [
        {"optimization": {"seed": 1}},
        {"network": {"hidden_size": 7}},
        {"text": {"minimum_count": 2}},
    ],
)
def test_only_the_same_run_is_resumed(
    run: Train, silent: type[Reporter], sections: dict[str, dict[str, object]]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(reporter=silent(stop_at=20))
    reporter = silent(stop_saying="epoch 1/")
    with pytest.raises(KeyboardInterrupt):
        run(reporter=reporter, **sections)
    assert reporter.batches > 0  # batches of the first epoch
    assert not any("continuing" in line for line in reporter.said)


def test_another_vocabulary_makes_another_run(
    configured: Callable[..., Configuration], tiny_artifact: Artifact
) -> None:
    words = tiny_artifact.vocabulary
    other = type(words)((*words.words[:-1], "else"))
    keys = {network.run_key(configured(), {"train": "x"}, one) for one in (words, words, other)}
    assert len(keys) == 2


@pytest.mark.parametrize("misspelled", ["unknown", "nearest"])
def test_a_published_model_reads_misspellings_as_configured(run: Train, misspelled: str) -> None:
    loaded = load(run(text={"misspelled": misspelled}))
    assert loaded.manifest.normalization.misspelled == misspelled
    assert loaded.vocabulary.misspelled == misspelled


@pytest.mark.parametrize("emoji", ["written", "named"])
def test_a_published_model_reads_emoji_as_configured(
    run: Train, tmp_path: Path, emoji: str
) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("film 1 2\nface 3 1\ngrinning 5 5\n")
    loaded = load(run(text={"emoji": emoji}, words={"vectors": str(vectors)}))
    assert loaded.manifest.normalization.emoji == loaded.vocabulary.emoji == emoji
    assert [loaded.vocabulary.knows(face) for face in ("😀", "👍🏽")] == [emoji == "named"] * 2


def test_without_vectors_no_emoji_is_added(run: Train) -> None:
    """A row of random numbers would say nothing."""
    loaded = load(run(text={"emoji": "named"}, words={"vectors": []}))
    assert loaded.vocabulary.emoji == "named"
    assert not loaded.vocabulary.knows("😀")


def test_a_published_model_reads_numbers_as_configured(run: Train, tmp_path: Path) -> None:
    draw = random.Random(0)
    plots = [f"{one}{other}" for one in ("ba", "de", "gi", "ko", "lu") for other in "bdfglmnrst"]
    ratings = {"negative": (1, 2), "neutral": (5, 6), "positive": (9, 10)}
    rows = [
        f"{' '.join(draw.sample(plots, 6))} {draw.choice(given)}/10,{label}"
        for label, given in ratings.items()
        for _ in range(200)
    ]
    file = tmp_path / "rated.csv"
    file.write_text("\n".join(["text,label", *rows]))

    def trained(numbers: str) -> Trained:
        return run(
            data={"corpora": [], "files": str(file)},
            text={"numbers": numbers},
            optimization={"epochs": 6},
        )

    own, alike = trained("own"), trained("alike")
    assert own.evaluations["test"].accuracy > 0.9
    assert alike.evaluations["test"].accuracy < 0.6
    loaded = load(own)
    high, low = (Classifier(loaded).encode_head(f"bab deb {rating}/10").ids for rating in (9, 2))
    assert high.tolist() != low.tolist()
    assert "10" not in load(alike).vocabulary.words


def test_word_vectors_are_used_and_may_be_frozen(run: Train, tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("great 1 2 3\nawful -1 -2 -3\nsquare 0 1 0\nunseen 1 1 1\n")
    words = {"vectors": str(path), "trainable": False, "learned_size": 10}
    loaded = load(run(words=words))
    assert loaded.manifest.architecture.embedding_size == 13
    table = loaded.tensors["embedding.weight"]
    row = {word: table[loaded.vocabulary.id(word), :3] for word in ("great", "awful", "square")}
    # unchanged except for one factor for all
    np.testing.assert_allclose(row["great"], -row["awful"], rtol=1e-6)
    np.testing.assert_allclose(row["great"] / row["great"][0], [1, 2, 3], rtol=1e-6)
    assert row["square"].tolist() == [0, pytest.approx(row["great"][0], rel=1e-6), 0]


def test_a_word_that_only_the_vectors_know_is_read(run: Train, tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("great 1 2 3\nawful -1 -2 -3\nsplendid 1 2 3\ntriangle 1 1 1\n")
    words = {"vectors": str(path), "trainable": False, "learned_size": 0}
    loaded = load(run(words={**words, "unseen": 3}))
    assert "splendid" in loaded.vocabulary.words
    assert "triangle" not in loaded.vocabulary.words
    table = loaded.tensors["embedding.weight"]
    one, other = (table[loaded.vocabulary.id(word)] for word in ("splendid", "great"))
    np.testing.assert_array_equal(one, other)
    assert "splendid" not in load(run(words=words)).vocabulary.words


def test_a_model_of_sentences_is_served_as_it_was_sealed(run: Train) -> None:
    sealed = run(
        polarity={"negative": -1.0, "neutral": 0.0, "positive": 1.0},
        text={"sentences_above": 10},
        words={"tuned_words": 5, "learned_size": 10},
    )
    loaded = load(sealed)
    assert loaded.manifest.sentences is not None
    assert loaded.manifest.sentences.longer_than == 10
    engine = factory.create(loaded, name="auto", log=Log(io.StringIO()))
    warm_up.check_answers(Classifier(loaded), engine)
    ids = Classifier(loaded).encode_head("The film was great again and again. " * 6).ids
    assert len(ids) > 10
    whole = factory.create_reference(
        dataclasses.replace(loaded, manifest=loaded.manifest.model_copy(update={"sentences": None}))
    )
    read, at_once = engine.logits([ids])[0], whole.logits([ids])[0]
    assert not np.allclose(read, at_once, atol=0.01)


def test_labels_missing_in_the_configuration_are_named(
    configured: Callable[..., Configuration], workspace: Workspace, silent: type[Reporter]
) -> None:
    lacking = configured().model_copy(update={"labels": ("negative", "positive")})
    with pytest.raises(ConfigurationError, match="lack 'neutral', which the corpora use"):
        training_run.load_splits(lacking, Run(workspace, silent()))


def test_too_few_texts_are_refused_before_training(
    configured: Callable[..., Configuration],
    workspace: Workspace,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = catalog.CORPORA["toy"]
    few = dataclasses.replace(toy, read=lambda path: list(toy.read(path))[:1])
    monkeypatch.setitem(catalog.CORPORA, "toy", few)
    with pytest.raises(ConfigurationError, match="split is empty: too few texts"):
        training_run.load_splits(configured(), Run(workspace, silent()))


def test_read_and_dropped_texts_are_reported(
    configured: Callable[..., Configuration],
    workspace: Workspace,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = catalog.CORPORA["toy"]
    doubled = dataclasses.replace(toy, read=lambda path: [*toy.read(path), *toy.read(path)])
    monkeypatch.setitem(catalog.CORPORA, "toy", doubled)
    reporter = silent()
    loaded, _ = training_run.load_splits(configured(), Run(workspace, reporter))
    count = len(loaded.examples)
    assert (
        f"toy: {count:,} texts ({2 * count:,} read; dropped 0 empty, {count:,} duplicates, "
        "0 duplicates of another corpus)"
    ) in reporter.said


def test_in_domain_vectors_use_unlabelled_texts(run: Train, tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    words = {"vectors": "in-domain", "in_domain_size": 8, "learned_size": 0}
    made = []
    for text in ("a tale of two cities", "a tale of seven seas"):
        file.write_text(f'text\n"{text}"\n')
        made.append(run(words=words, unlabelled={"files": str(file)}).manifest)
    for manifest in made:
        assert manifest.architecture.embedding_size == 8
        assert [item.name for item in manifest.training.vectors] == ["in-domain"]
        assert [(corpus.name, corpus.texts) for corpus in manifest.training.unlabelled] == [
            ("more.csv", 1)
        ]
        counts = manifest.training.splits["train"] + 1
        assert manifest.training.vectors[0].source == f"{counts:,} of one's own texts"
    assert made[0].training.vectors != made[1].training.vectors
