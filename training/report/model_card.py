"""A model's card: what it is for, how good it is and on what, its limits, how to make it again.

M. Mitchell and others, *Model Cards for Model Reporting*, FAT* 2019. It is told by the manifest
alone, so every artifact has one, however old.
"""

from __future__ import annotations

import re

from valence.service.classifier.manifest import Manifest, strip_paths
from valence.training.config import toml
from valence.training.metrics.scores import Evaluation
from valence.training.report.environment import make_environment

FILE = "MODEL_CARD.md"
# below it one text is worth a tenth of a point or more
FEW_TEXTS = 1_000
# figures of a label rest on as many texts at least, or the card says that they do not
FEW_OF_A_LABEL = 50
_COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
# what Markdown would read as its own, in names that others gave
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")


def render(manifest: Manifest) -> str:
    """The card of ``manifest`` in Markdown; the same manifest gives the same text.

    It holds no text of the data, and of paths only their last part.
    """
    environment = make_environment(escaped=False)
    environment.filters["name"] = _name
    environment.filters["number"] = lambda count: f"{count:,}"
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    evaluations = evaluations_of(manifest)
    split = "test" if "test" in evaluations else next(iter(evaluations), None)
    commit = _COMMIT.search(manifest.training.code_version)
    return environment.get_template("model_card.md.jinja").render(
        manifest=manifest,
        training=manifest.training,
        evaluations=evaluations,
        split=split,
        main=evaluations.get(split or ""),
        intervals=manifest.intervals.get(split or "", {}),
        weak=_weak(manifest, evaluations.get(split or "")),
        few_texts=FEW_TEXTS,
        commit=commit[0] if commit else None,
        changed=manifest.training.code_version.endswith("+changes"),
        configuration=configuration_toml(manifest),
    )


def evaluations_of(manifest: Manifest) -> dict[str, Evaluation]:
    """The metrics of a manifest by split, of those splits that hold whole evaluations."""
    found = {}
    for split, content in manifest.metrics.items():
        if isinstance(content, dict) and "by_label" in content:
            # what the first artifacts do not say: of one label a text it is the accuracy
            whole = {"micro_f1": content.get("accuracy"), **content}
            found[split] = Evaluation.model_validate(whole)
    return found


def configuration_toml(manifest: Manifest, *, paths: bool = False) -> str:
    """The configuration as a file that ``train`` reads; ``paths`` are whole or their last part."""
    whole = dict(manifest.training.configuration)
    return toml.format_toml(whole if paths else strip_paths(whole))


def _weak(manifest: Manifest, main: Evaluation | None) -> list[str]:
    """The labels whose figures rest on few texts, or are well below the others'."""
    if main is None:
        return []
    found = []
    for label in manifest.labels:
        score = main.by_label.get(label)
        if score is None:
            continue
        if score.support < FEW_OF_A_LABEL:
            found.append(f"{_name(label)} ({score.support} texts)")
        elif score.f1 < main.macro_f1 - 0.1:
            found.append(f"{_name(label)} (F1 {score.f1:.3f})")
    return found


def _name(text: object) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
