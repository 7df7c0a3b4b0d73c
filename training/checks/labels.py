"""Check for labels that are rare, missing from a split, or far more frequent than others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from valence.training.checks.finding import Finding, make_finding
from valence.training.data.split import Splits

# A label with fewer training texts is hardly learnt.
RARE = 20
# The ratio of the most to the least frequent label above which accuracy says little.
IMBALANCE = 10.0


def balance(splits: Splits, labels: Sequence[str]) -> list[Finding]:
    """Check the distribution of ``labels`` in the training texts."""
    counts = Counter(label for example in splits.train for label in example.labels)
    total = len(splits.train)
    missing = [label for label in labels if not counts[label]]
    found = [
        Finding(
            check="labels",
            severity="error",
            count=0,
            share=0.0,
            message=f"no training text has the label {label!r}; add some, or take it out of "
            "`labels`",
        )
        for label in missing
    ]
    present = [label for label in labels if counts[label]]
    for label in present:
        if counts[label] < RARE:
            texts = [example for example in splits.train if label in example.labels]
            message = (
                f"{counts[label]} training texts have the label {label!r}, fewer than {RARE}; add "
                "some, or merge it with a label like it"
            )
            found.append(make_finding("rare_labels", "warning", texts, total, message))
    if len(present) > 1:
        most, least = (pick(present, key=lambda label: counts[label]) for pick in (max, min))
        ratio = counts[most] / counts[least]
        if ratio >= IMBALANCE:
            found.append(
                Finding(
                    check="imbalance",
                    severity="warning",
                    count=counts[most],
                    share=counts[most] / total,
                    message=f"{most!r} has {ratio:,.0f} times the training texts of {least!r}; "
                    "judge the model by macro-F1, and add texts of the rare labels",
                )
            )
    return found


def unjudged(splits: Splits, labels: Sequence[str]) -> list[Finding]:
    """Labels that no dev or no test text has, so that their scores are unknown."""
    found = []
    for name in splits.names[1:]:
        part = splits.of(name)
        there = {label for example in part for label in example.labels}
        missing = [label for label in labels if label not in there]
        if missing:
            shown = ", ".join(map(repr, missing[:10])) + (", …" if len(missing) > 10 else "")
            found.append(
                Finding(
                    check="unjudged_labels",
                    severity="warning",
                    count=len(missing),
                    share=len(missing) / len(labels),
                    message=f"labels without a {name} text, which no figure speaks for: {shown}; "
                    "add texts",
                )
            )
    return found
