"""The reference counts what a service would count of the same texts."""

import numpy as np
from valence.service.classifier import artifact
from valence.service.classifier.classifier import Classifier, to_probabilities
from valence.service.inference.engines.reference import ReferenceEngine
from valence.service.monitoring.monitor import Monitor
from valence.service.observability.metrics.service import Metrics
from valence.training.evaluation.reference import count_answers

from tests.support.tiny_models import save_tiny_model

TEXTS = ["a good movie", "the plot was bad", "not very good !", "zzz qqq", "good " * 60]


def test_a_service_counts_the_same_classes(tiny_artifact):
    classifier, engine = Classifier(tiny_artifact), ReferenceEngine(tiny_artifact)
    documents = [classifier.encode_head(text) for text in TEXTS]
    logits = engine.logits([document.ids for document in documents])
    predictions = classifier.predict(logits)
    probabilities = to_probabilities(logits, temperature=classifier.manifest.temperature)
    truth = probabilities.argmax(axis=1)
    truth[0] = (truth[0] + 1) % 3
    found = count_answers(classifier, TEXTS, probabilities, truth)
    assert found.texts == len(TEXTS)
    assert found.accuracy == 4 / 5

    monitor = Monitor(classifier.manifest, found, Metrics(version="test").monitoring)
    monitor.observe(TEXTS, predictions, [document.usage for document in documents])
    monitor.flush()
    counted = monitor.answers.board.split(monitor.answers.read().filling)
    assert tuple(counted["label"]) == found.labels.texts
    assert tuple(counted["confidence"]) == found.confidence.texts
    assert tuple(counted["length"]) == found.lengths.texts
    assert tuple(counted["unknown_words"]) == found.unknown_words.texts
    assert sum(found.languages.texts) == len(TEXTS)


def test_a_decision_of_each_label_counts_of_several(tmp_path):
    thresholds = dict.fromkeys(("business", "sport"), 0.4)
    folder = save_tiny_model(tmp_path / "m", name="topic", thresholds=thresholds)
    classifier = Classifier(artifact.load(folder))
    probabilities = np.array([[0.9, 0.6], [0.9, 0.6], [0.3, 0.3]])
    truth = np.array([[1, 1], [1, 0], [0, 0]])
    found = count_answers(classifier, ["good", "good", "bad"], probabilities, truth)
    # confidences 0.75, 0.75 and 0.7; half of the second text is right
    assert sum(found.confidence.right) == 3
    bounds = found.confidence.bounds
    texts = dict(zip(bounds, found.confidence.texts, strict=False))
    assert texts[0.7] == 1
    assert texts[0.8] == 2
