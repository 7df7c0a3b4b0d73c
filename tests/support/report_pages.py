"""Reports with figures and long names, as a training, an evaluation and a data check write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from valence.service.classifier import artifact
from valence.service.classifier.manifest import CorpusRecord
from valence.training.behaviour.capability import ScoredText, add_comparison, summarize_cases
from valence.training.checks.finding import Finding
from valence.training.checks.report import Report
from valence.training.checks.report import render_html as render_checks
from valence.training.corpora.example import Example
from valence.training.evaluation.assessment import report
from valence.training.evaluation.assessment.assessment import assess_predictions
from valence.training.evaluation.assessment.texts import EvaluationTexts
from valence.training.metrics.predictions import Predictions
from valence.training.metrics.scores import evaluate
from valence.training.report.training_report import write_training_report
from valence.training.trainer.checkpoint import Epoch

from tests.support.tiny_models import save_tiny_model

_VERSION = "20261122t224725318-f0cb0a64"
_TEXTS = 400


def write_reports(folder: Path) -> Mapping[str, Path]:
    """Write the pages into ``folder``; their paths by name."""
    model = artifact.load(save_tiny_model(folder / "model", version=_VERSION))
    pages = {name: folder / f"{name}.html" for name in ("training", "evaluation", "checks")}
    random = np.random.default_rng(3)
    labels = model.manifest.labels
    truth = random.integers(len(labels), size=_TEXTS)

    def answer(share: float) -> np.ndarray:
        right = np.where(random.random(_TEXTS) < share, truth, (truth + 1) % len(labels))
        return np.eye(len(labels))[right] * 0.7 + 0.1

    good, bad = answer(0.85), answer(0.7)
    failed = (
        ScoredText(text="I can't say that I didn't like it.", label="neutral", polarity=-0.1),
    )
    passed = [number % 5 > 0 for number in range(200)]
    behaviour = [
        summarize_cases(
            name, "invariance", "the same label, polarities at most 0.1 apart", passed, [failed] * 3
        )
        for name in ("a typing error in a word", "negation", "emoji", "groups of people")
    ]
    scores = evaluate(good, truth, labels=labels)
    pages["evaluation"].write_text(
        _render_evaluation(model, (good, bad), truth, add_comparison(behaviour, behaviour)), "utf-8"
    )
    corpora = tuple(
        CorpusRecord(
            name=f"corpus {number}", source="vaderSentiment==0.5", sha256="f" * 64, texts=4_242,
            license="Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International",
        )
        for number in range(3)
    )  # fmt: skip
    training = model.manifest.training.model_copy(
        update={
            "corpora": corpora,
            "splits": {"train": 9_000, "dev": 1_000, "test": 1_000},
            "split_sha256": dict.fromkeys(("train", "dev", "test"), "a" * 64),
            "packages": {f"package-{number}": "1.2.3" for number in range(12)},
            "epochs": 3,
        }
    )
    write_training_report(
        pages["training"],
        manifest=model.manifest.model_copy(update={"training": training}),
        evaluations={"dev": scores, "test": scores},
        baselines={"TF-IDF and a linear model": evaluate(bad, truth, labels=labels)},
        history=[Epoch(number, 1 / number, 0.9, 0.7, 12.5, 43_210.0) for number in range(1, 9)],
        behaviour=behaviour,
    )
    pages["checks"].write_text(render_checks(_make_findings(), suspects="suspects.csv"), "utf-8")
    return pages


def _render_evaluation(model, answers, truth, behaviour) -> str:  # type: ignore[no-untyped-def]
    labels, (good, bad) = model.manifest.labels, answers
    examples = tuple(
        Example(f"text {number} of a customer", labels[index], "reviews.csv")
        for number, index in enumerate(truth)
    )
    shops = tuple(f"a shop with a long name, number {number % 9}" for number in range(len(truth)))
    scores = evaluate(good, truth, labels=labels)
    found = assess_predictions(
        EvaluationTexts("reviews-of-last-year.csv", examples, {"shop": shops}),
        Predictions.from_probabilities(good, truth),
        scores,
        model=model,
        against=(f"challenger:{_VERSION}", Predictions.from_probabilities(bad, truth)),
        behaviour=behaviour,
    ).model_copy(update={"recorded_accuracy": 0.97})
    rows = {
        f"{found.model} (reviews-of-last-year.csv)": scores,
        f"challenger:{_VERSION} (reviews-of-last-year.csv)": evaluate(bad, truth, labels=labels),
    }
    worst = [
        {
            "labels": ["negative"], "given": ["positive"], "loss": 2.3,
            "text": "It was not that I did not like it. " * 12 + "x" * 300,
        }
    ] * 8  # fmt: skip
    return report.render_html(found, rows, report.Mistakes("errors.jsonl", worst, with_texts=True))


def _make_findings() -> Report:
    places = tuple(f"reviews-of-last-year.csv, line {number}" for number in range(100))
    message = "the same text has another label; correct one of the two, or leave both out"
    found = (
        Finding(check="across_splits", severity="error", count=2_210, share=0.2, message=message,
                places=places),
        Finding(check="label_noise", severity="warning", count=88, share=0.01, message=message),
        Finding(check="lengths", severity="note", count=7, share=0.001, message=message),
    )  # fmt: skip
    return Report(name="reviews", texts=11_000, findings=found)
