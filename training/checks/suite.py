"""Run the data checks before a model is trained.

Each check is a function from texts to findings (:class:`Finding`); a file has one kind of check.
The quick checks precede every training, and an error among their findings stops it. Checks that
take minutes, or need packages that training does not need, run on request.
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
    numbers,
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
    """All findings, the most severe first, and the texts whose labels are probably wrong."""

    findings: tuple[Finding, ...]
    suspects: tuple[label_noise.Suspect, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a training."""
        return tuple(one for one in self.findings if one.severity == "error")


def run_quick_checks(configuration: Configuration, loaded: Loaded, splits: Splits) -> list[Finding]:
    """Run the checks that take seconds."""
    return [
        *encoding.find_guessed_encodings(loaded),
        *duplicates.find_empty(loaded),
        *duplicates.find_duplicates(loaded),
        *duplicates.find_conflicts(loaded),
        *duplicates.find_across_splits(splits),
        *duplicates.find_near_duplicates(splits),
        *labels.balance(splits, configuration.labels),
        *labels.unjudged(splits, configuration.labels),
        *labels.find_look_alikes(splits, configuration.labels),
        *lengths.lengths(loaded.examples, configuration.text.max_tokens),
        *numbers.find_alike_numbers(loaded.examples, configuration.text.numbers),
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
    """Run all checks; without ``slow``, leave out those of language and of label noise.

    The data are compared with those of the stored model ``against``. Raises
    :class:`ConfigurationError` if ``slow`` needs a package that is not installed.
    """
    found = run_quick_checks(configuration, loaded, splits)
    suspects: tuple[label_noise.Suspect, ...] = ()
    if slow:
        found += language.languages(loaded.examples)
        if configuration.task == "single_label":
            judged = label_noise.find_suspects(loaded.examples)
            found += label_noise.report_noise(judged, len(loaded.examples))
            suspects = judged or ()
    if against is not None:
        found += check_drift(loaded, against)
    order = ("error", "warning", "note")
    return Checked(tuple(sorted(found, key=lambda one: order.index(one.severity))), suspects)


def check_drift(loaded: Loaded, tag: str) -> list[Finding]:
    """Measure the drift of the data from those of the stored model ``tag``."""
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
    """Run the quick checks and report their warnings.

    Raises :class:`ConfigurationError` if a finding is an error.
    """
    found = run_quick_checks(configuration, loaded, splits)
    for one in found:
        if one.severity == "warning":
            reporter.say(one.line())
    errors = [one for one in found if one.severity == "error"]
    if errors:
        said = "\n".join(f"  {one.check}: {one.message}" for one in errors[:_SHOWN])
        raise ConfigurationError(
            f"the data do not do for training:\n{said}\n`valence check` says where; "
            "--unchecked trains all the same"
        )
    return found


def report_folder(workspace: Path, name: str) -> Path:
    """The folder of the reports on the data of the model ``name``."""
    return workspace / "checks" / name
