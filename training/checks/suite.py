"""What is wrong with data, said before a model is trained on it.

Each check is a function from texts to findings (:class:`Finding`), one kind a file. The quick ones
precede every training, and an error among them stops it; those that take minutes, or packages that
training does without, are made when asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.checks import (
    drift,
    duplicates,
    encoding,
    label_noise,
    labels,
    language,
    lengths,
    pii,
    profile,
)
from valence.training.checks.finding import Finding
from valence.training.config.schema import Configuration
from valence.training.corpora.catalog import Loaded
from valence.training.data.split import Splits
from valence.training.registry import store
from valence.training.runtime.progress import Reporter

__all__ = [
    "Checked",
    "Finding",
    "check_before_training",
    "check_drift",
    "run_checks",
    "run_quick_checks",
]

_SHOWN = 10


class Checked(NamedTuple):
    """All that was found, the gravest first, and the texts whose labels are suspect."""

    findings: tuple[Finding, ...]
    suspects: tuple[label_noise.Suspect, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a training."""
        return tuple(one for one in self.findings if one.severity == "error")


def run_quick_checks(configuration: Configuration, loaded: Loaded, splits: Splits) -> list[Finding]:
    """The checks that take seconds."""
    return [
        *encoding.find_guessed_encodings(loaded),
        *duplicates.find_empty(loaded),
        *duplicates.find_duplicates(loaded),
        *duplicates.find_conflicts(loaded),
        *duplicates.find_across_splits(splits),
        *duplicates.find_near_duplicates(splits),
        *labels.balance(splits, configuration.labels),
        *labels.unjudged(splits, configuration.labels),
        *lengths.lengths(loaded.examples, configuration.text.max_tokens),
        *pii.suspected(loaded.examples),
    ]


def run_checks(
    configuration: Configuration,
    loaded: Loaded,
    splits: Splits,
    *,
    slow: bool = True,
    against: str | None = None,
) -> Checked:
    """Every check; without ``slow`` not those of language and of label noise.

    ``against`` is the model in the store whose data these are compared with. Raises
    :class:`ConfigurationError` where ``slow`` needs a package that is not installed.
    """
    found = run_quick_checks(configuration, loaded, splits)
    suspects: tuple[label_noise.Suspect, ...] = ()
    if slow:
        found += language.languages(loaded.examples)
        if configuration.task == "single_label":
            suspects = label_noise.find_suspects(loaded.examples)
            found += label_noise.report_noise(suspects, len(loaded.examples))
    if against is not None:
        found += check_drift(loaded, against)
    order = ("error", "warning", "note")
    return Checked(tuple(sorted(found, key=lambda one: order.index(one.severity))), suspects)


def check_drift(loaded: Loaded, tag: str) -> list[Finding]:
    """How far these data have moved from those of the model ``tag`` in the store."""
    folder = store.find_model(tag)
    old = profile.read_profile(folder / artifact.REPORT / profile.FILE)
    if old is None:
        return [
            Finding(
                check="drift",
                severity="note",
                count=0,
                share=0.0,
                message=f"{tag} keeps no profile of its data, so drift is not judged; models that "
                "are trained from now on do",
            )
        ]
    words = artifact.load(folder).vocabulary
    return drift.measure_drift(
        old, profile.profile_examples(loaded.examples, vocabulary=words, words=tuple(old.words))
    )


def check_before_training(
    configuration: Configuration, loaded: Loaded, splits: Splits, reporter: Reporter
) -> list[Finding]:
    """What the quick checks find, the warnings said.

    Raises :class:`ConfigurationError` if one says to stop.
    """
    found = run_quick_checks(configuration, loaded, splits)
    for one in found:
        if one.severity == "warning":
            reporter.say(one.line())
    errors = [one for one in found if one.severity == "error"]
    if errors:
        said = "\n".join(f"  {one.check}: {one.message}" for one in errors[:_SHOWN])
        raise ConfigurationError(
            f"the data do not do for training:\n{said}\n`python -m training check` says where; "
            "--unchecked trains all the same"
        )
    return found


def report_folder(workspace: Path, name: str) -> Path:
    """Where reports on the data of the model ``name`` are kept."""
    return workspace / "checks" / name
