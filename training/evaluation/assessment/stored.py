"""From a model's tag and a file to an assessment on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valence.service.classifier.classifier import Classifier
from valence.service.classifier.manifest import Manifest
from valence.service.errors import ConfigurationError
from valence.service.inference.engines.interface import Engine
from valence.training.behaviour import case_result, suite
from valence.training.behaviour.case_result import Capability
from valence.training.evaluation import stored_model
from valence.training.evaluation.assessment import report
from valence.training.evaluation.assessment.assessment import Assessment, assess
from valence.training.evaluation.assessment.mistakes import worst
from valence.training.evaluation.assessment.texts import Texts
from valence.training.metrics.predictions import Answers
from valence.training.metrics.scores import Evaluation
from valence.training.runtime.run import Run

MISTAKES = "errors.jsonl"

Reading = Callable[[Manifest], Texts]
"""Reads the texts to judge a model on, once it is known what it can answer."""


@dataclass(frozen=True, slots=True)
class AssessmentOptions:
    """How a stored model is evaluated.

    ``engine`` computes it; ``against`` is another model of the store, evaluated on the same texts;
    ``with_baselines`` adds the baselines on the model's own texts; ``mistakes`` limits the list of
    the worst mistakes.
    """

    engine: str
    against: str | None = None
    with_baselines: bool = False
    mistakes: int = 100


@dataclass(frozen=True, slots=True)
class Assessed:
    """``rows`` are the scores to show, by name; ``folder`` holds the report and the mistakes."""

    assessment: Assessment
    rows: Mapping[str, Evaluation]
    folder: Path


def assess_stored(
    tag: str, options: AssessmentOptions, run: Run, *, reading: Reading | None = None
) -> Assessed:
    """Evaluate the model ``tag`` on the texts of ``reading``, or on its own dev and test texts.

    Raises :class:`ConfigurationError` if the two models of a comparison have other labels.
    """
    engine, against = options.engine, options.against
    classifier, computes = stored_model.load(tag, engine)
    manifest = classifier.manifest
    name = f"{manifest.name}:{manifest.version}"
    run.reporter.say(f"{name}: engine {computes.name}")
    other = None if against is None else stored_model.load(against, engine)
    if other is not None:
        _check_alike(manifest, other[0].manifest)
    rows: dict[str, Evaluation] = {}
    if reading is None:
        splits = stored_model.held_out(classifier, run)
        if splits.judged == "test":
            _, dev = stored_model.answer(classifier, computes, splits.dev, run.reporter)
            rows[f"{name} (dev)"] = dev
        texts = Texts(splits.judged, splits.of(splits.judged))
    else:
        texts = reading(manifest)
    answers, evaluation = stored_model.answer(classifier, computes, texts.examples, run.reporter)
    rows[f"{name} ({texts.name})"] = evaluation
    behaviour = _behaviour(classifier, computes, texts, answers)
    beside: tuple[str, Answers] | None = None
    if other is not None:
        theirs = other[0].manifest
        other_answers, scores = stored_model.answer(
            *other, texts.examples, run.reporter, labels=manifest.labels
        )
        beside = (f"{theirs.name}:{theirs.version}", other_answers)
        rows[f"{beside[0]} ({texts.name})"] = scores
        others = _behaviour(*other, texts, other_answers, labels=manifest.labels)
        behaviour = case_result.beside(behaviour, others)
    if reading is None and options.with_baselines:
        run.reporter.say("training the baselines on the same texts")
        scored = stored_model.score_baselines(manifest, splits)
        rows |= {f"{name} ({texts.name})": value for name, value in scored.items()}
    found = assess(
        texts,
        answers,
        evaluation,
        model=classifier.artifact,
        against=beside,
        behaviour=behaviour,
    )
    folder = run.workspace.root / "evaluations" / name.replace(":", "-") / _slug(texts.name)
    listed = worst(texts, answers, manifest.labels, most=options.mistakes)
    _write(folder, found, rows, listed)
    return Assessed(found, rows, folder)


def _behaviour(
    classifier: Classifier,
    computes: Engine,
    texts: Texts,
    answers: Answers,
    *,
    labels: Sequence[str] | None = None,
) -> tuple[Capability, ...]:
    subject = stored_model.subject(classifier, computes, labels=labels)
    return suite.examine(subject, [example.text for example in texts.examples], answers.given)


def _check_alike(manifest: Manifest, other: Manifest) -> None:
    if manifest.task != other.task or set(manifest.labels) != set(other.labels):
        raise ConfigurationError(
            f"{manifest.name} ({manifest.task}: {', '.join(manifest.labels)}) and {other.name} "
            f"({other.task}: {', '.join(other.labels)}) do not give the same labels; compare "
            "models that do"
        )


def _write(
    folder: Path,
    found: Assessment,
    rows: Mapping[str, Evaluation],
    mistakes: Iterable[Mapping[str, Any]],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in mistakes]
    # errors="surrogatepass": a text of JSON may hold what UTF-8 does not
    (folder / MISTAKES).write_text("".join(lines), encoding="utf-8", errors="surrogatepass")
    (folder / "evaluation.json").write_text(found.model_dump_json(indent=2) + "\n")
    (folder / "report.md").write_text(report.markdown(found, rows, MISTAKES), encoding="utf-8")
    (folder / "report.html").write_text(report.html(found, rows, MISTAKES), encoding="utf-8")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "texts"
