"""The checks of the gate: champion and challenger on the same held-out texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from valence.training.behaviour import invariance
from valence.training.corpora.example import Example
from valence.training.evaluation.slices import make_slices
from valence.training.metrics import bootstrap
from valence.training.metrics.bootstrap import Difference, Resampling
from valence.training.metrics.definitions import CalibrationError, MacroF1
from valence.training.metrics.predictions import Predictions
from valence.training.pipeline.gate.candidate import Candidate, measure_seconds_per_text
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.verdict import Check

# speed is judged on so few texts
_TIMED_TEXTS = 64


def judge(
    champion: Candidate, challenger: Candidate, examples: Sequence[Example], rules: Rules
) -> tuple[Check, ...]:
    """Every check of ``challenger`` against ``champion`` on ``examples``.

    Both know the labels that the champion knows; in which order, does not matter.
    """
    labels = champion.manifest.labels
    first, first_unknown = champion.answers(examples, labels)
    second, second_unknown = challenger.answers(examples, labels)
    return (
        _better(first, second, rules),
        *_slices(first, second, examples, champion, rules),
        _calibration(first, second, rules),
        _unknown(first_unknown, second_unknown, rules),
        *_behaviour(champion, challenger, (first, second), examples, rules),
        *_budgets(champion, challenger, examples, rules),
    )


def judge_alone(
    challenger: Candidate, examples: Sequence[Example], rules: Rules
) -> tuple[Check, ...]:
    """The check of a first version: it must know more than which label is the commonest."""
    labels = challenger.manifest.labels
    answers, _ = challenger.answers(examples, labels)
    constant = np.zeros_like(answers.probabilities)
    constant[:, answers.truth.sum(axis=0).argmax()] = 1.0
    majority = Predictions(constant, constant == 1.0, answers.truth, answers.multi_label)
    found = bootstrap.estimate_difference(
        MacroF1(), majority, answers, Resampling(rules.draws, rules.seed, rules.confidence)
    )
    passed = found.low > 0
    one, other = (bootstrap.compute_value(MacroF1(), each) for each in (majority, answers))
    return (
        Check(
            name="macro-F1 against the commonest label",
            passed=passed,
            limit=f"higher with {rules.confidence:.0%} confidence",
            texts=len(examples),
            champion=one,
            challenger=other,
            low=found.low,
            high=found.high,
            reason=""
            if passed
            else f"macro-F1 {other:.3f} is not clearly above {one:.3f}, which always giving the "
            f"commonest label reaches {_interval(found, rules.confidence)}",
        ),
    )


def _better(first: Predictions, second: Predictions, rules: Rules) -> Check:
    found = bootstrap.estimate_difference(
        MacroF1(), first, second, Resampling(rules.draws, rules.seed)
    )
    one, other = (bootstrap.compute_value(MacroF1(), each) for each in (first, second))
    passed = found.better >= rules.confidence
    if found.high < 0:
        verdict = "is worse"
    elif found.value <= 0:
        verdict = "is not higher"
    else:
        verdict = f"is higher with {found.better:.1%} confidence only, not {rules.confidence:.0%}"
    return Check(
        name="macro-F1",
        passed=passed,
        limit=f"higher with {rules.confidence:.0%} confidence; here {found.better:.1%}",
        texts=len(first),
        champion=one,
        challenger=other,
        low=found.low,
        high=found.high,
        reason=""
        if passed
        else f"macro-F1 {verdict}: {other:.3f}, the champion's {one:.3f} {_interval(found, 0.95)}",
    )


def _slices(
    first: Predictions,
    second: Predictions,
    examples: Sequence[Example],
    champion: Candidate,
    rules: Rules,
) -> list[Check]:
    labels = champion.manifest.labels
    found = make_slices(examples, labels=labels, vocabulary=champion.classifier.artifact.vocabulary)
    judged = sum(part.size >= rules.slice_texts for part in found)
    resampling = Resampling(rules.draws, rules.seed, 1 - 0.05 / max(1, judged))
    checks: list[Check] = []
    for part in found:
        pair = (first.take(part.scored), second.take(part.scored))
        change = bootstrap.estimate_difference(part.metric, *pair, resampling)
        one, other = (bootstrap.compute_value(part.metric, each) for each in pair)
        failed = change.value < -rules.slice_margin and change.high < 0
        enough = part.size >= rules.slice_texts
        checks.append(
            Check(
                name=f"F1, {part.kind} {part.name}",
                passed=not failed if enough else None,
                limit=f"not lower by {rules.slice_margin:g}",
                texts=part.size,
                champion=one,
                challenger=other,
                low=change.low,
                high=change.high,
                reason=f"F1 on the slice {part.kind} {part.name} falls from {one:.3f} to "
                f"{other:.3f} {_interval(change, resampling.confidence)}"
                if failed and enough
                else "",
            )
        )
    return checks


def _calibration(first: Predictions, second: Predictions, rules: Rules) -> Check:
    figure = CalibrationError()
    found = bootstrap.estimate_difference(
        figure, first, second, Resampling(rules.draws, rules.seed)
    )
    one, other = (bootstrap.compute_value(figure, each) for each in (first, second))
    failed = found.value > rules.calibration_margin and found.low > 0
    return Check(
        name="calibration error",
        passed=not failed,
        limit=f"not higher by {rules.calibration_margin:g}",
        texts=len(first),
        champion=one,
        challenger=other,
        low=found.low,
        high=found.high,
        reason=f"the calibration error rises from {one:.3f} to {other:.3f} {_interval(found, 0.95)}"
        if failed
        else "",
    )


def _unknown(first: float, second: float, rules: Rules) -> Check:
    failed = second > first + rules.unknown_margin
    return Check(
        name="unknown words",
        passed=not failed,
        limit=f"not more by {rules.unknown_margin:g}",
        champion=first,
        challenger=second,
        reason=f"{second:.1%} of the words it reads are unknown to it, {first:.1%} to the champion"
        if failed
        else "",
    )


def _behaviour(
    champion: Candidate,
    challenger: Candidate,
    answers: tuple[Predictions, Predictions],
    examples: Sequence[Example],
    rules: Rules,
) -> list[Check]:
    labels = champion.manifest.labels
    found = invariance.perturb_texts([example.text for example in examples], seed=rules.seed)
    resampling = Resampling(rules.draws, rules.seed, 1 - 0.05 / max(1, len(found)))
    checks: list[Check] = []
    for name, pairs in found.items():
        places = [pair.position for pair in pairs]
        given = [
            contender.subject(labels).predict_labels([pair.text for pair in pairs])
            for contender in (champion, challenger)
        ]
        changes, mistakes = (
            [
                (told != than[places]).any(axis=1).astype(float)
                for told, than in zip(given, others, strict=True)
            ]
            for others in ([each.predicted for each in answers], [each.truth for each in answers])
        )
        change = bootstrap.estimate_mean_difference(changes[0], changes[1], resampling)
        one, other = (float(changed.mean()) for changed in changes)
        # who hardly knows the labels apart changes few; what counts then is who is right more often
        better = float(mistakes[1].mean()) < float(mistakes[0].mean()) - rules.flip_margin
        failed = change.value > rules.flip_margin and change.low > 0 and not better
        enough = len(pairs) >= rules.slice_texts
        checks.append(
            Check(
                name=f"label changes, {name}",
                passed=not failed if enough else None,
                limit=f"not more by {rules.flip_margin:g}, unless fewer mistakes by as much",
                texts=len(pairs),
                champion=one,
                challenger=other,
                low=change.low,
                high=change.high,
                reason=f"{name}: {other:.1%} of the texts change their label when rewritten so, "
                f"{one:.1%} the champion's {_interval(change, resampling.confidence)}"
                if failed and enough
                else "",
            )
        )
    return checks


def _budgets(
    champion: Candidate, challenger: Candidate, examples: Sequence[Example], rules: Rules
) -> list[Check]:
    texts = [example.text for example in examples[:_TIMED_TEXTS]]
    one, other = measure_seconds_per_text((champion, challenger), texts)
    return [
        _budget("milliseconds a text", 1e3 * one, 1e3 * other, rules.latency_ratio),
        _budget(
            "megabytes",
            champion.size / 1e6,
            challenger.size / 1e6,
            rules.size_ratio,
            allowed=rules.size_allowed / 1e6,
        ),
    ]


def _budget(name: str, one: float, other: float, limit: float, *, allowed: float = 0.0) -> Check:
    passed = other <= max(limit * one, allowed)
    return Check(
        name=name,
        passed=passed,
        limit=f"at most {limit:g} times" + (f", or {allowed:g}" if allowed else ""),
        champion=one,
        challenger=other,
        reason=""
        if passed
        else f"{name}: {other:.3g}, {other / one:.2f} times the champion's {one:.3g}; at most "
        f"{limit:g} times is allowed",
    )


def _interval(found: Difference, confidence: float) -> str:
    bounds = f"{found.low:+.3f} to {found.high:+.3f}"
    return f"(difference {found.value:+.3f}, {confidence:.4g} interval {bounds})"
