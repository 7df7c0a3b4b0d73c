"""Check for labels that are rare, missing from a split, alike, or far more frequent than others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from valence.training.checks.finding import Finding, make_finding
from valence.training.data.label_names import fold_label, name_missing_value, show_labels
from valence.training.data.split import Splits

# A label with fewer training texts is hardly learnt.
RARE = 20
# The ratio of the most to the least frequent label above which accuracy says little.
IMBALANCE = 10.0
_GROUPS_SHOWN = 10


def balance(splits: Splits, labels: Sequence[str]) -> list[Finding]:
    """Check the distribution of ``labels`` in the training texts."""
    counts = Counter(label for example in splits.train for label in example.labels)
    total = len(splits.train)
    present = [label for label in labels if counts[label]]
    found = [*_report_missing(labels, counts), *_report_rare(splits, present, counts)]
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
            found.append(
                Finding(
                    check="unjudged_labels",
                    severity="warning",
                    count=len(missing),
                    share=len(missing) / len(labels),
                    message=f"labels without a {name} text, which no figure speaks for: "
                    f"{show_labels(missing)}; add texts",
                )
            )
    return found


def find_look_alikes(splits: Splits, labels: Sequence[str]) -> list[Finding]:
    """Different labels that people read as one: by case, hidden characters, or a number's form.

    And labels that are the usual names of a missing value.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[fold_label(label)].append(label)
    alike = [group for group in groups.values() if len(group) > 1]
    shown = "; ".join(map(show_labels, alike[:_GROUPS_SHOWN]))
    more = "; …" if len(alike) > _GROUPS_SHOWN else ""
    missing = [label for label in labels if name_missing_value(label)]
    return [
        *_warn_of_names(
            splits,
            [label for group in alike for label in group],
            f"texts of different labels that look alike: {shown}{more}; write each label in one "
            "way",
        ),
        *_warn_of_names(
            splits,
            missing,
            f"texts of a label that is the name of a missing value: {show_labels(missing)}; leave "
            "these rows out if their label is missing",
        ),
    ]


def _warn_of_names(splits: Splits, labels: Sequence[str], message: str) -> list[Finding]:
    if not labels:
        return []
    examples = [example for name in splits.names for example in splits.of(name)]
    names = frozenset(labels)
    texts = [example for example in examples if not names.isdisjoint(example.labels)]
    return [make_finding("label_names", "warning", texts, len(examples), message)]


def _report_missing(labels: Sequence[str], counts: Mapping[str, int]) -> list[Finding]:
    missing = [label for label in labels if not counts.get(label)]
    if not missing:
        return []
    return [
        Finding(
            check="labels",
            severity="error",
            count=0,
            share=0.0,
            message=f"labels without a training text: {show_labels(missing)}; add texts, or take "
            "these labels out of `labels`",
        )
    ]


def _report_rare(
    splits: Splits, present: Sequence[str], counts: Mapping[str, int]
) -> list[Finding]:
    rare = sorted(
        (label for label in present if counts[label] < RARE), key=lambda label: counts[label]
    )
    if not rare:
        return []
    names = frozenset(rare)
    texts = [example for example in splits.train if not names.isdisjoint(example.labels)]
    message = (
        f"texts of {len(rare):,} labels with fewer than {RARE} training texts: "
        f"{show_labels(rare, counts)}; add texts, or merge such a label with a label like it"
    )
    return [make_finding("rare_labels", "warning", texts, len(splits.train), message)]
