import numpy as np
from valence.service.classifier.classifier import Classifier
from valence.service.inference import long_texts
from valence.service.inference.request_cost import RequestCost, RequestLimits
from valence.service.inference.scored import ScoreRequest
from valence.service.inference.turns import Turns

from tests.support.event_loop_turns import counted


async def test_many_windows_are_merged_in_turns(tiny_artifact):
    """The means of a thousand sentences take some ten milliseconds."""
    classifier = Classifier(tiny_artifact)
    manifest = classifier.manifest
    words = "good movie " * manifest.max_tokens
    texts = [f"{words}. Bad {words}."] * 100
    request = ScoreRequest(texts, "window", sentences=True)
    limits = RequestLimits(max_windows=10**6, max_answer_bytes=10**9)
    cost = RequestCost(limits, manifest.labels)
    split = await long_texts.split_texts(classifier, request, cost, Turns())
    ids = long_texts.windows(split)
    logits = np.arange(len(ids) * len(manifest.labels), dtype=np.float32) % 7
    predictions = classifier.predict(logits.reshape(len(ids), -1))
    async with counted() as turns:
        wholes, sentences = await long_texts.merge(classifier, split, predictions, Turns())
        assert turns.count >= 3
    readings = [reading for text in split for reading in (text.whole, *text.sentences)]
    expected = iter(classifier.merge_windows(readings, predictions))
    for whole, of_text in zip(wholes, sentences, strict=True):
        assert whole == next(expected)
        assert len(of_text) == 2
        assert [sentence.prediction for sentence in of_text] == [next(expected), next(expected)]
