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

__all__ = ["Checked", "Finding", "before_training", "check", "drifted", "quick"]

_SHOWN = 10


class Checked(NamedTuple):
    """All that was found, the gravest first, and the texts whose labels are suspect."""

    findings: tuple[Finding, ...]
    suspects: tuple[label_noise.Suspect, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a training."""
        return tuple(one for one in self.findings if one.severity == "error")


def quick(configuration: Configuration, loaded: Loaded, splits: Splits) -> list[Finding]:
    """The checks that take seconds."""
    return [
        *encoding.guessed(loaded),
        *duplicates.empty(loaded),
        *duplicates.duplicates(loaded),
        *duplicates.conflicts(loaded),
        *duplicates.across_splits(splits),
        *duplicates.near_copies(splits),
        *labels.balance(splits, configuration.labels),
        *labels.unjudged(splits, configuration.labels),
        *lengths.lengths(loaded.examples, configuration.text.max_tokens),
        *pii.suspected(loaded.examples),
    ]


def check(
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
    found = quick(configuration, loaded, splits)
    suspects: tuple[label_noise.Suspect, ...] = ()
    if slow:
        found += language.languages(loaded.examples)
        if configuration.task == "single_label":
            suspects = label_noise.suspects(loaded.examples)
            found += label_noise.noise(suspects, len(loaded.examples))
    if against is not None:
        found += drifted(loaded, against)
    order = ("error", "warning", "note")
    return Checked(tuple(sorted(found, key=lambda one: order.index(one.severity))), suspects)


def drifted(loaded: Loaded, tag: str) -> list[Finding]:
    """How far these data have moved from those of the model ``tag`` in the store."""
    folder = store.find_model(tag)
    old = profile.read(folder / artifact.REPORT / profile.FILE)
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
    return drift.drift(
        old, profile.profile(loaded.examples, vocabulary=words, words=tuple(old.words))
    )


def before_training(
    configuration: Configuration, loaded: Loaded, splits: Splits, reporter: Reporter
) -> list[Finding]:
    """What the quick checks find, the warnings said.

    Raises :class:`ConfigurationError` if one says to stop.
    """
    found = quick(configuration, loaded, splits)
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


def folder(workspace: Path, name: str) -> Path:
    """Where reports on the data of the model ``name`` are kept."""
    return workspace / "checks" / name
