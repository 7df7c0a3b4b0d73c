"""The checks of the gate: champion and challenger on the same held-out texts."""

from __future__ import annotations

from collections.abc import Sequence

from valence.training.behaviour import invariance
from valence.training.corpora.example import Example
from valence.training.evaluation import baselines
from valence.training.evaluation.baselines import Baselines
from valence.training.evaluation.slices import make_slices
from valence.training.metrics import bootstrap
from valence.training.metrics.bootstrap import Difference, Resampling
from valence.training.metrics.constant import compare_with_constant
from valence.training.metrics.definitions import CalibrationError, MacroF1
from valence.training.metrics.predictions import Predictions
from valence.training.pipeline.gate.candidate import Candidate, measure_seconds_per_text
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.verdict import LINEAR_CHECK, Check

# texts of the measurement of speed
_TIMED_TEXTS = 64


def evaluate_challenger(
    champion: Candidate, challenger: Candidate, examples: Sequence[Example], rules: Rules
) -> tuple[Check, ...]:
    """All checks of ``challenger`` against ``champion`` on ``examples``.

    Both models have the same labels, in any order.
    """
    labels = champion.manifest.labels
    champion_predictions, champion_unknown = champion.predict_examples(examples, labels)
    challenger_predictions, challenger_unknown = challenger.predict_examples(examples, labels)
    return (
        _check_macro_f1(champion_predictions, challenger_predictions, rules),
        *_check_slices(champion_predictions, challenger_predictions, examples, champion, rules),
        _check_calibration(champion_predictions, challenger_predictions, rules),
        _check_unknown_words(champion_unknown, challenger_unknown, rules),
        *_check_label_changes(
            champion, challenger, (champion_predictions, challenger_predictions), examples, rules
        ),
        *_check_budgets(champion, challenger, examples, rules),
    )


def evaluate_first_version(
    challenger: Candidate,
    examples: Sequence[Example],
    rules: Rules,
    *,
    train: Sequence[Example] = (),
    dev: Sequence[Example] = (),
) -> tuple[Check, ...]:
    """The checks of a first version: it must beat a constant answer.

    It is shown beside the linear model that is fitted to ``train`` and ``dev``, if there are any.
    """
    labels = challenger.manifest.labels
    predictions, _ = challenger.predict_examples(examples, labels)
    checks = [_check_learning(predictions, rules)]
    if train:
        fitted = baselines.score_baselines(
            train, examples, labels=labels, task=challenger.manifest.task, dev=dev
        )
        checks.append(_show_linear_model(predictions, fitted))
    return tuple(checks)


def _check_learning(predictions: Predictions, rules: Rules) -> Check:
    found = compare_with_constant(
        predictions, Resampling(rules.draws, rules.seed, rules.confidence)
    )
    return Check(
        name=f"{found.metric} against a constant answer",
        passed=found.is_beaten,
        limit=f"higher with {rules.confidence:.0%} confidence",
        texts=len(predictions),
        champion=found.constant,
        challenger=found.value,
        low=found.difference.low,
        high=found.difference.high,
        reason=""
        if found.is_beaten
        else f"{found.metric} {found.value:.3f} is not clearly above {found.constant:.3f}, the "
        f"score of {found.answer} {_format_interval(found.difference, rules.confidence)}",
    )


def _show_linear_model(predictions: Predictions, fitted: Baselines) -> Check:
    """The row of the linear model, which decides nothing."""
    linear = fitted.linear
    if linear is None:
        return Check(name=LINEAR_CHECK, passed=None, limit=fitted.left_out, texts=len(predictions))
    difference = bootstrap.estimate_difference(MacroF1(), linear, predictions)
    return Check(
        name=LINEAR_CHECK,
        passed=None,
        limit="shown, not judged",
        texts=len(predictions),
        champion=bootstrap.compute_value(MacroF1(), linear),
        challenger=bootstrap.compute_value(MacroF1(), predictions),
        low=difference.low,
        high=difference.high,
    )


def _check_macro_f1(
    champion_predictions: Predictions, challenger_predictions: Predictions, rules: Rules
) -> Check:
    difference = bootstrap.estimate_difference(
        MacroF1(), champion_predictions, challenger_predictions, Resampling(rules.draws, rules.seed)
    )
    champion_score, challenger_score = (
        bootstrap.compute_value(MacroF1(), predictions)
        for predictions in (champion_predictions, challenger_predictions)
    )
    passed = difference.better >= rules.confidence
    if difference.high < 0:
        verdict = "is worse"
    elif difference.value <= 0:
        verdict = "is not higher"
    else:
        verdict = (
            f"is higher with {difference.better:.1%} confidence only, not {rules.confidence:.0%}"
        )
    return Check(
        name="macro-F1",
        passed=passed,
        limit=f"higher with {rules.confidence:.0%} confidence; here {difference.better:.1%}",
        texts=len(champion_predictions),
        champion=champion_score,
        challenger=challenger_score,
        low=difference.low,
        high=difference.high,
        reason=""
        if passed
        else f"macro-F1 {verdict}: {challenger_score:.3f}, the champion's {champion_score:.3f} "
        f"{_format_interval(difference, 0.95)}",
    )


def _check_slices(
    champion_predictions: Predictions,
    challenger_predictions: Predictions,
    examples: Sequence[Example],
    champion: Candidate,
    rules: Rules,
) -> list[Check]:
    labels = champion.manifest.labels
    slices = make_slices(
        examples, labels=labels, vocabulary=champion.classifier.artifact.vocabulary
    )
    judged_slices = sum(slice_.size >= rules.slice_texts for slice_ in slices)
    resampling = Resampling(rules.draws, rules.seed, 1 - 0.05 / max(1, judged_slices))
    checks: list[Check] = []
    for slice_ in slices:
        pair = (
            champion_predictions.take(slice_.scored),
            challenger_predictions.take(slice_.scored),
        )
        difference = bootstrap.estimate_difference(slice_.metric, *pair, resampling)
        champion_score, challenger_score = (
            bootstrap.compute_value(slice_.metric, predictions) for predictions in pair
        )
        failed = difference.value < -rules.slice_margin and difference.high < 0
        enough = slice_.size >= rules.slice_texts
        checks.append(
            Check(
                name=f"F1, {slice_.kind} {slice_.name}",
                passed=not failed if enough else None,
                limit=f"not lower by {rules.slice_margin:g}",
                texts=slice_.size,
                champion=champion_score,
                challenger=challenger_score,
                low=difference.low,
                high=difference.high,
                reason=f"F1 on the slice {slice_.kind} {slice_.name} falls from "
                f"{champion_score:.3f} to {challenger_score:.3f} "
                f"{_format_interval(difference, resampling.confidence)}"
                if failed and enough
                else "",
            )
        )
    return checks


def _check_calibration(
    champion_predictions: Predictions, challenger_predictions: Predictions, rules: Rules
) -> Check:
    metric = CalibrationError()
    difference = bootstrap.estimate_difference(
        metric, champion_predictions, challenger_predictions, Resampling(rules.draws, rules.seed)
    )
    champion_score, challenger_score = (
        bootstrap.compute_value(metric, predictions)
        for predictions in (champion_predictions, challenger_predictions)
    )
    failed = difference.value > rules.calibration_margin and difference.low > 0
    return Check(
        name="calibration error",
        passed=not failed,
        limit=f"not higher by {rules.calibration_margin:g}",
        texts=len(champion_predictions),
        champion=champion_score,
        challenger=challenger_score,
        low=difference.low,
        high=difference.high,
        reason=f"the calibration error rises from {champion_score:.3f} to "
        f"{challenger_score:.3f} {_format_interval(difference, 0.95)}"
        if failed
        else "",
    )


def _check_unknown_words(champion_share: float, challenger_share: float, rules: Rules) -> Check:
    failed = challenger_share > champion_share + rules.unknown_margin
    return Check(
        name="unknown words",
        passed=not failed,
        limit=f"not more by {rules.unknown_margin:g}",
        champion=champion_share,
        challenger=challenger_share,
        reason=f"{challenger_share:.1%} of the words are unknown to the challenger, "
        f"{champion_share:.1%} to the champion"
        if failed
        else "",
    )


def _check_label_changes(
    champion: Candidate,
    challenger: Candidate,
    predictions: tuple[Predictions, Predictions],
    examples: Sequence[Example],
    rules: Rules,
) -> list[Check]:
    labels = champion.manifest.labels
    perturbed = invariance.perturb_texts([example.text for example in examples], seed=rules.seed)
    resampling = Resampling(rules.draws, rules.seed, 1 - 0.05 / max(1, len(perturbed)))
    checks: list[Check] = []
    for name, pairs in perturbed.items():
        positions = [pair.position for pair in pairs]
        predicted = [
            candidate.make_model_under_test(labels).predict_labels([pair.text for pair in pairs])
            for candidate in (champion, challenger)
        ]
        # per text and candidate, whether the labels differ from the original's, and from the truth
        changes, mistakes = (
            [
                (new != expected[positions]).any(axis=1).astype(float)
                for new, expected in zip(predicted, references, strict=True)
            ]
            for references in (
                [original.predicted for original in predictions],
                [original.truth for original in predictions],
            )
        )
        difference = bootstrap.estimate_mean_difference(changes[0], changes[1], resampling)
        champion_score, challenger_score = (float(changed.mean()) for changed in changes)
        # a model that hardly separates the labels changes few of them, so fewer mistakes count too
        better = float(mistakes[1].mean()) < float(mistakes[0].mean()) - rules.flip_margin
        failed = difference.value > rules.flip_margin and difference.low > 0 and not better
        enough = len(pairs) >= rules.slice_texts
        checks.append(
            Check(
                name=f"label changes, {name}",
                passed=not failed if enough else None,
                limit=f"not more by {rules.flip_margin:g}, unless fewer mistakes by as much",
                texts=len(pairs),
                champion=champion_score,
                challenger=challenger_score,
                low=difference.low,
                high=difference.high,
                reason=f"{name}: {challenger_score:.1%} of the texts change their label under this "
                f"perturbation, {champion_score:.1%} for the champion "
                f"{_format_interval(difference, resampling.confidence)}"
                if failed and enough
                else "",
            )
        )
    return checks


def _check_budgets(
    champion: Candidate, challenger: Candidate, examples: Sequence[Example], rules: Rules
) -> list[Check]:
    texts = [example.text for example in examples[:_TIMED_TEXTS]]
    champion_score, challenger_score = measure_seconds_per_text((champion, challenger), texts)
    return [
        _check_budget(
            "milliseconds a text", 1e3 * champion_score, 1e3 * challenger_score, rules.latency_ratio
        ),
        _check_budget(
            "megabytes",
            champion.size / 1e6,
            challenger.size / 1e6,
            rules.size_ratio,
            allowed=rules.size_allowed / 1e6,
        ),
    ]


def _check_budget(
    name: str,
    champion_score: float,
    challenger_score: float,
    limit: float,
    *,
    allowed: float = 0.0,
) -> Check:
    passed = challenger_score <= max(limit * champion_score, allowed)
    return Check(
        name=name,
        passed=passed,
        limit=f"at most {limit:g} times" + (f", or {allowed:g}" if allowed else ""),
        champion=champion_score,
        challenger=challenger_score,
        reason=""
        if passed
        else f"{name}: {challenger_score:.3g}, {challenger_score / champion_score:.2f} times the "
        f"champion's {champion_score:.3g}; at most "
        f"{limit:g} times is allowed",
    )


def _format_interval(difference: Difference, confidence: float) -> str:
    bounds = f"{difference.low:+.3f} to {difference.high:+.3f}"
    return f"(difference {difference.value:+.3f}, {confidence:.4g} interval {bounds})"
