"""The assessment of a stored model, with its report on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from valence.service.classifier.classifier import Classifier
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import write_file
from valence.service.inference.engines.interface import Engine
from valence.training.behaviour import capability, suite
from valence.training.behaviour.capability import Capability
from valence.training.evaluation import stored_model
from valence.training.evaluation.assessment import report
from valence.training.evaluation.assessment.assessment import Assessment, assess_predictions
from valence.training.evaluation.assessment.mistakes import list_worst_mistakes
from valence.training.evaluation.assessment.outside import assess_outside
from valence.training.evaluation.assessment.texts import EvaluationTexts
from valence.training.metrics.predictions import Predictions
from valence.training.metrics.scores import Evaluation
from valence.training.runtime.run import Run

MISTAKES = "errors.jsonl"

TextReader = Callable[[Manifest], EvaluationTexts]
"""Reads the texts for an assessment, given the manifest of the model."""


@dataclass(frozen=True, slots=True)
class AssessmentOptions:
    """How a stored model is assessed.

    ``engine`` is the name of an engine, ``against`` the tag of another stored model to compare
    with. ``with_baselines`` adds the baselines on the model's own texts. ``mistakes`` is the
    largest number of mistakes that are listed; ``quoted`` is whether the page quotes their texts.
    """

    engine: str
    against: str | None = None
    with_baselines: bool = False
    mistakes: int = 100
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class StoredAssessment:
    """An assessment; ``rows`` are evaluations by name, ``folder`` holds the report files."""

    assessment: Assessment
    rows: Mapping[str, Evaluation]
    folder: Path


def assess_stored_model(
    tag: str,
    options: AssessmentOptions,
    run: Run,
    *,
    read_texts: TextReader | None = None,
    read_outside: Callable[[Manifest], Sequence[str]] | None = None,
) -> StoredAssessment:
    """Assess the model ``tag`` on the texts of ``read_texts``, or on its own held-out texts.

    ``read_outside`` reads texts that belong to none of the labels.

    Raises :class:`ConfigurationError` if the two models of a comparison have different labels.
    """
    engine, against = options.engine, options.against
    classifier, model_engine = stored_model.load_stored_model(tag, engine)
    manifest = classifier.manifest
    name = f"{manifest.name}:{manifest.version}"
    run.reporter.say(f"{name}: engine {model_engine.name}")
    other = None if against is None else stored_model.load_stored_model(against, engine)
    if other is not None:
        _check_same_labels(manifest, other[0].manifest)
    rows: dict[str, Evaluation] = {}
    if read_texts is None:
        splits = stored_model.load_own_splits(classifier, run)
        if splits.judged == "test":
            _, dev = stored_model.evaluate_examples(
                classifier, model_engine, splits.dev, run.reporter
            )
            rows[f"{name} (dev)"] = dev
        texts = EvaluationTexts(splits.judged, splits.of(splits.judged))
    else:
        texts = read_texts(manifest)
    predictions, evaluation = stored_model.evaluate_examples(
        classifier, model_engine, texts.examples, run.reporter
    )
    rows[f"{name} ({texts.name})"] = evaluation
    behaviour = _test_behaviour(classifier, model_engine, texts, predictions)
    comparison: tuple[str, Predictions] | None = None
    if other is not None:
        other_manifest = other[0].manifest
        other_predictions, scores = stored_model.evaluate_examples(
            *other, texts.examples, run.reporter, labels=manifest.labels
        )
        comparison = (f"{other_manifest.name}:{other_manifest.version}", other_predictions)
        rows[f"{comparison[0]} ({texts.name})"] = scores
        others = _test_behaviour(*other, texts, other_predictions, labels=manifest.labels)
        behaviour = capability.add_comparison(behaviour, others)
    if read_texts is None and options.with_baselines:
        run.reporter.say("training the baselines on the same texts")
        baselines = stored_model.score_baselines(manifest, splits, run.reporter)
        rows |= {f"{name} ({texts.name})": value for name, value in baselines.items()}
    assessment = assess_predictions(
        texts,
        predictions,
        evaluation,
        model=classifier.artifact,
        against=comparison,
        behaviour=behaviour,
    )
    assessment = assessment.model_copy(
        update={
            "recorded_accuracy": None if read_texts is None else _find_accuracy(manifest),
            "outside": assess_outside(
                classifier,
                model_engine,
                [example.text for example in texts.examples],
                read_outside(manifest) if read_outside else (),
            ),
        }
    )
    folder = run.workspace.root / "evaluations" / name.replace(":", "-") / _make_slug(texts.name)
    worst = list_worst_mistakes(texts, predictions, manifest.labels, most=options.mistakes)
    mistakes = report.Mistakes(MISTAKES, list(worst), with_texts=options.quoted)
    _write_report(folder, assessment, rows, mistakes)
    return StoredAssessment(assessment, rows, folder)


def _test_behaviour(
    classifier: Classifier,
    engine: Engine,
    texts: EvaluationTexts,
    predictions: Predictions,
    *,
    labels: Sequence[str] | None = None,
) -> tuple[Capability, ...]:
    model = stored_model.make_model_under_test(classifier, engine, labels=labels)
    return suite.run_suite(
        model, [example.text for example in texts.examples], predictions.predicted
    )


def _find_accuracy(manifest: Manifest) -> float | None:
    """The accuracy on the texts that judge the model: test, or else the last split."""
    split = "test" if "test" in manifest.metrics else next(reversed(manifest.metrics), "")
    scores = manifest.metrics.get(split)
    value = scores.get("accuracy") if isinstance(scores, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _check_same_labels(manifest: Manifest, other: Manifest) -> None:
    if manifest.task != other.task or set(manifest.labels) != set(other.labels):
        raise ConfigurationError(
            f"{manifest.name} ({manifest.task}: {', '.join(manifest.labels)}) and {other.name} "
            f"({other.task}: {', '.join(other.labels)}) predict different labels; compare "
            "models with the same labels"
        )


def _write_report(
    folder: Path,
    assessment: Assessment,
    rows: Mapping[str, Evaluation],
    mistakes: report.Mistakes,
) -> None:
    lines = [json.dumps(mistake, ensure_ascii=False) + "\n" for mistake in mistakes.worst]
    # surrogatepass: texts from JSON may hold lone surrogates, which UTF-8 refuses
    write_file(folder / MISTAKES, "".join(lines).encode(errors="surrogatepass"))
    write_file(folder / "evaluation.json", assessment.model_dump_json(indent=2) + "\n")
    write_file(folder / "report.md", report.render_markdown(assessment, rows, MISTAKES))
    page = report.render_html(assessment, rows, mistakes)
    write_file(folder / "report.html", page.encode(errors="replace"))


def _make_slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "texts"
