"""The behavioural tests of a classifier, beside its accuracy: pass rates by capability.

M.T. Ribeiro, T. Wu, C. Guestrin and S. Singh, *Beyond Accuracy: Behavioral Testing of NLP Models
with CheckList*, ACL 2020. For any classifier: held-out texts that are perturbed without change of
meaning keep their labels. For a classifier of sentiment, in addition: sentences made from templates
get the expected label (minimum functionality), move the polarity in the expected direction
(directional), and get the same result for different groups of people (fairness).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from valence.training.behaviour import direction, fairness, functionality, invariance
from valence.training.behaviour.capability import Capability, ScoredText, summarize_cases
from valence.training.behaviour.model_under_test import ModelUnderTest, SentimentPrediction
from valence.training.behaviour.templates import Case, Expectation
from valence.training.metrics.predictions import Bools


def run_suite(
    model: ModelUnderTest, texts: Sequence[str], predicted: Bools
) -> tuple[Capability, ...]:
    """The pass rates of ``model``; ``predicted`` (N, K) are its labels of N held-out ``texts``.

    The same model and texts give the same cases.
    """
    capabilities = list(_test_invariance(model, texts, predicted))
    if model.polarity is not None:
        capabilities += _test_templates(model, build_expectations(model.polarity))
    return tuple(capabilities)


def build_expectations(polarity: Mapping[str, float]) -> list[Expectation]:
    """All expectations of a classifier whose labels have these values, with their cases."""
    return [
        *functionality.build_expectations(polarity),
        *direction.build_expectations(),
        *fairness.build_expectations(),
    ]


def _test_invariance(
    model: ModelUnderTest, texts: Sequence[str], predicted: Bools
) -> Iterator[Capability]:
    for name, pairs in invariance.perturb_texts(texts).items():
        changed = invariance.find_label_changes(model, predicted, pairs)
        yield summarize_cases(name, "invariance", "the same label", (~changed).tolist())


def _test_templates(
    model: ModelUnderTest, expectations: Sequence[Expectation]
) -> Iterator[Capability]:
    texts = tuple(
        dict.fromkeys(
            itertools.chain.from_iterable(
                case for expectation in expectations for case in expectation.cases
            )
        )
    )
    predictions = dict(zip(texts, model.predict_sentiment(texts), strict=True))
    for expectation in expectations:
        passed = [
            expectation.passes([predictions[text] for text in case]) for case in expectation.cases
        ]
        failures = [
            _score_texts(case, predictions)
            for case, success in zip(expectation.cases, passed, strict=True)
            if not success
        ]
        yield summarize_cases(
            expectation.name, expectation.kind, expectation.expects, passed, failures
        )


def _score_texts(
    case: Case, predictions: Mapping[str, SentimentPrediction]
) -> tuple[ScoredText, ...]:
    return tuple(
        ScoredText(text=text, label=predictions[text].label, polarity=predictions[text].polarity)
        for text in case
    )
