"""What a classifier is expected to do, whatever its accuracy: pass rates by capability.

M.T. Ribeiro, T. Wu, C. Guestrin and S. Singh, *Beyond Accuracy: Behavioral Testing of NLP Models
with CheckList*, ACL 2020. Of any classifier: held-out texts, rewritten without change of meaning,
keep their labels. Of one whose labels are a sentiment, too: sentences made of templates get the
label that they must (minimum functionality), move the polarity as they must (directional), and do
not tell groups of people apart (fairness).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from valence.training.behaviour import direction, fairness, functionality, invariance
from valence.training.behaviour.result import Capability, Told, capability
from valence.training.behaviour.subject import Subject
from valence.training.behaviour.templates import Expectation
from valence.training.comparison.answers import Bools


def examine(subject: Subject, texts: Sequence[str], given: Bools) -> tuple[Capability, ...]:
    """The pass rates of ``subject``; ``given`` (N, K) are its labels of N held-out ``texts``.

    The same subject and texts give the same cases.
    """
    found = list(_rewritten(subject, texts, given))
    if subject.polarity is not None:
        found += _templates(subject, expectations(subject.polarity))
    return tuple(found)


def expectations(polarity: Mapping[str, float]) -> list[Expectation]:
    """All that is expected of a classifier whose labels have these values, with its cases."""
    return [
        *functionality.expectations(polarity),
        *direction.expectations(),
        *fairness.expectations(),
    ]


def _rewritten(subject: Subject, texts: Sequence[str], given: Bools) -> Iterator[Capability]:
    for name, pairs in invariance.rewritings(texts).items():
        changed = invariance.label_changes(subject, given, pairs)
        yield capability(name, "invariance", "the same label", (~changed).tolist())


def _templates(subject: Subject, expected: Sequence[Expectation]) -> Iterator[Capability]:
    every = dict.fromkeys(
        itertools.chain.from_iterable(case for one in expected for case in one.cases)
    )
    said = dict(zip(every, subject.answers(tuple(every)), strict=True))
    for one in expected:
        passed = [one.passes([said[text] for text in case]) for case in one.cases]
        failed = [
            tuple(
                Told(text=text, label=said[text].label, polarity=said[text].polarity)
                for text in case
            )
            for case, right in zip(one.cases, passed, strict=True)
            if not right
        ]
        yield capability(one.name, one.kind, one.expects, passed, failed)
