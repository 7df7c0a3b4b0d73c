"""Check for empty texts, and for copies of a text within the files and across splits."""

from __future__ import annotations

from valence.training.checks.finding import Finding, Severity, make_finding
from valence.training.corpora.catalog import Loaded
from valence.training.corpora.example import Example
from valence.training.data.near_duplicates import MAX_WITHDRAWN
from valence.training.data.split import Splits

# With a larger share of empty texts, the wrong column was probably named.
_MAX_EMPTY = 0.5
_MANY_DUPLICATES = 0.5
# With a larger share of contradicting labels, the labels cannot be learnt.
_MAX_CONFLICTS = 0.2


def find_empty(loaded: Loaded) -> list[Finding]:
    """Texts with nothing but white space."""
    found = [example for example, same in loaded.dropped if same is None]
    total = len(loaded.examples) + len(loaded.dropped)
    if not found:
        return []
    if len(found) > _MAX_EMPTY * total:
        remedy = "name the column that holds the text"
        return [make_finding("empty", "error", found, total, f"most texts are empty; {remedy}")]
    return [make_finding("empty", "note", found, total, "empty texts, which are left out")]


def find_duplicates(loaded: Loaded) -> list[Finding]:
    """Copies of a text, which differ in case, punctuation, links or @names."""
    found = [example for example, same in loaded.dropped if same is not None]
    total = len(loaded.examples) + len(loaded.dropped)
    if not found:
        return []
    if len(found) > _MANY_DUPLICATES * total:
        message = (
            "more than half of the texts are copies of another, which are left out; look whether "
            "the file was written twice or the column holds a category"
        )
        return [make_finding("duplicates", "warning", found, total, message)]
    message = "copies of another text, which are left out; the first stays"
    return [make_finding("duplicates", "note", found, total, message)]


def find_conflicts(loaded: Loaded) -> list[Finding]:
    """Copies of a text with another label."""
    found = [
        example
        for example, same in loaded.dropped
        if same is not None and set(same.labels) != set(example.labels)
    ]
    total = len(loaded.examples) + len(loaded.dropped)
    if not found:
        return []
    severe = len(found) > _MAX_CONFLICTS * total
    message = (
        "texts that are there before with another label; the first label is trained on. Decide "
        "which is right, and correct the others"
    )
    return [make_finding("conflicts", "error" if severe else "warning", found, total, message)]


def find_across_splits(splits: Splits) -> list[Finding]:
    """Copies of a text in two splits."""
    seen: dict[str, int] = {}
    found: list[Example] = []
    parts = (splits.train, splits.dev, splits.test)
    for number, part in enumerate(parts):
        found += [
            example for example in part if seen.setdefault(example.normal_form, number) != number
        ]
    message = (
        "texts in two splits: the model is judged by what it was trained on; remove them from one"
    )
    total = sum(len(part) for part in parts)
    return [make_finding("across_splits", "error", found, total, message)] if found else []


def find_near_duplicates(splits: Splits) -> list[Finding]:
    """Near-duplicates in two splits: texts that differ in a word or a sentence."""
    if not splits.near_duplicates:
        return []
    total = len(splits.train) + len(splits.dev) + len(splits.test) + splits.withdrawn
    said = "texts that differ in little from one in another split"
    severe = not splits.withdrawn and len(splits.near_duplicates) > MAX_WITHDRAWN * total
    message = (
        f"{said}: so many that they stay in train, and figures tell of texts like those alone; "
        "judge the model on texts of another source too"
        if severe
        else f"{said}; {splits.withdrawn:,} of train were taken out of it, which would flatter the "
        "model"
    )
    severity: Severity = "warning" if severe else "note"
    texts = [pair.first for pair in splits.near_duplicates]
    return [make_finding("near_copies", severity, texts, total, message)]
