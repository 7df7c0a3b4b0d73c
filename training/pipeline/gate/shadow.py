"""The checks of the gate on the evidence of shadow scoring: real texts, without their truth.

They do not say which version is right, as the held-out texts do. They say that the challenger
copes with what clients send, and changes no more than a better version would.
"""

from __future__ import annotations

from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.verdict import Check
from valence.training.shadow.evidence import Evidence


def check_evidence(evidence: Evidence, rules: Rules) -> tuple[Check, ...]:
    """The checks of a challenger by ``evidence``; without enough texts the first one alone."""
    enough = evidence.texts >= rules.shadow_texts
    texts = Check(
        name="shadow: texts",
        passed=enough,
        limit=f"at least {rules.shadow_texts:,}",
        texts=evidence.texts,
        reason=""
        if enough
        else f"{evidence.texts:,} texts of clients were scored by {evidence.challenger} beside "
        f"{evidence.version}, and {evidence.dropped:,} found no room; at least "
        f"{rules.shadow_texts:,} are needed",
    )
    if not enough:
        return (texts,)
    return (
        texts,
        _check_failures(evidence),
        _check_agreement(evidence, rules),
        _check_shift(evidence, rules),
        _show_time(evidence),
    )


def _check_failures(evidence: Evidence) -> Check:
    return Check(
        name="shadow: texts without an answer",
        passed=not evidence.failed,
        limit="none",
        texts=evidence.texts + evidence.failed,
        challenger=float(evidence.failed),
        reason=f"the challenger gave no answer to {evidence.failed:,} texts that the champion "
        "answered; the log of the servers has the error"
        if evidence.failed
        else "",
    )


def _check_agreement(evidence: Evidence, rules: Rules) -> Check:
    low, high = evidence.agreement_interval or (0.0, 1.0)
    passed = high >= rules.shadow_agreement
    return Check(
        name="shadow: agreement",
        passed=passed,
        limit=f"not below {rules.shadow_agreement:g}, chance ruled out",
        texts=evidence.texts,
        challenger=evidence.agreement,
        low=low,
        high=high,
        reason=""
        if passed
        else f"both versions gave {evidence.agreement or 0:.1%} of the texts the same label "
        f"(interval {low:.1%} to {high:.1%}), less than {rules.shadow_agreement:.0%}",
    )


def _check_shift(evidence: Evidence, rules: Rules) -> Check:
    shift = evidence.label_shift or 0.0
    passed = shift <= rules.shadow_shift
    return Check(
        name="shadow: label shift",
        passed=passed,
        limit=f"at most {rules.shadow_shift:g}",
        texts=evidence.texts,
        challenger=shift,
        reason=""
        if passed
        else f"the distribution of the labels would shift by {shift:.1%} of the texts, more than "
        f"{rules.shadow_shift:.0%}",
    )


def _show_time(evidence: Evidence) -> Check:
    """The row of the engine time, which decides nothing: the gate measures both side by side."""
    return Check(
        name="shadow: seconds of the engine",
        passed=None,
        limit="shown, not judged",
        texts=evidence.texts,
        champion=evidence.served_seconds,
        challenger=evidence.challenger_seconds,
    )
