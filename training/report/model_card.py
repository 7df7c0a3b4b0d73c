"""Model cards: intended use, data, evaluation, limits and reproduction of a classifier.

M. Mitchell and others, *Model Cards for Model Reporting*, FAT* 2019. A card is made from the
manifest alone, so every artifact has a card, however old the artifact is.
"""

from __future__ import annotations

import re

from valence.service.classifier.licences import find_restrictions
from valence.service.classifier.manifest import Manifest, strip_paths
from valence.training.config import toml
from valence.training.metrics.scores import Evaluation
from valence.training.report.environment import make_environment

FILE = "MODEL_CARD.md"
# with fewer texts, one text is worth a tenth of a point or more, and the card says so
MIN_TEXTS = 1_000
# with fewer texts of a label, the card warns about the scores of the label
MIN_LABEL_TEXTS = 50
# names of the languages by ISO 639-1; another language is shown by its code
LANGUAGES = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
_COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
# characters of names that Markdown would read as markup
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")


def render_model_card(manifest: Manifest) -> str:
    """The card of ``manifest`` in Markdown. The same manifest gives the same card.

    The card holds no text of the data, and only the last part of paths.
    """
    environment = make_environment(escaped=False)
    environment.filters["name"] = _escape_name
    evaluations = read_evaluations(manifest)
    split = "test" if "test" in evaluations else next(iter(evaluations), None)
    code = manifest.training.language
    commit = _COMMIT.search(manifest.training.code_version)
    return environment.get_template("model_card.md.jinja").render(
        manifest=manifest,
        training=manifest.training,
        evaluations=evaluations,
        split=split,
        main=evaluations.get(split or ""),
        intervals=manifest.intervals.get(split or "", {}),
        weak=_find_weak_labels(manifest, evaluations.get(split or "")),
        few_texts=MIN_TEXTS,
        language=LANGUAGES.get(code, f"language `{code}`") if code else None,
        commit=commit[0] if commit else None,
        changed=manifest.training.code_version.endswith("+changes"),
        configuration=format_configuration(manifest),
        restrictions=find_restrictions(manifest.training),
    )


def read_evaluations(manifest: Manifest) -> dict[str, Evaluation]:
    """The evaluations of a manifest by split; splits without a whole evaluation are left out."""
    evaluations = {}
    for split, content in manifest.metrics.items():
        if isinstance(content, dict) and "by_label" in content:
            # the first artifacts lack micro-F1, which equals accuracy in a single-label task
            whole = {"micro_f1": content.get("accuracy"), **content}
            evaluations[split] = Evaluation.model_validate(whole)
    return evaluations


def format_configuration(manifest: Manifest, *, paths: bool = False) -> str:
    """The configuration as a TOML file for ``valence train``.

    With ``paths``, the file holds whole paths, else only their last part.
    """
    whole = dict(manifest.training.configuration)
    return toml.format_toml(whole if paths else strip_paths(whole))


def _find_weak_labels(manifest: Manifest, main: Evaluation | None) -> list[str]:
    """The labels with few texts, and the labels whose F1 is well below macro-F1."""
    if main is None:
        return []
    weak = []
    for label in manifest.labels:
        score = main.by_label.get(label)
        if score is None:
            continue
        if score.support < MIN_LABEL_TEXTS:
            weak.append(f"{_escape_name(label)} ({score.support} texts)")
        elif score.f1 < main.macro_f1 - 0.1:
            weak.append(f"{_escape_name(label)} (F1 {score.f1:.3f})")
    return weak


def _escape_name(text: object) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
