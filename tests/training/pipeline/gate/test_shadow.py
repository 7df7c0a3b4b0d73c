import pytest
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.shadow import check_evidence
from valence.training.shadow.evidence import Evidence

RULES = Rules()


def evidence(**fields: object) -> Evidence:
    given = {
        "model": "m",
        "version": "1",
        "challenger": "2",
        "servers": 1,
        "agreed": 1_800,
        "differed": 200,
        "served_labels": {"a": 1_000, "b": 1_000},
        "challenger_labels": {"a": 1_100, "b": 900},
        "served_seconds": 2.0,
        "challenger_seconds": 2.2,
    }
    return Evidence.model_validate(given | fields)


def reasons(**fields: object) -> list[str]:
    return [
        check.reason for check in check_evidence(evidence(**fields), RULES) if check.passed is False
    ]


def test_a_challenger_that_copes_passes():
    checks = check_evidence(evidence(), RULES)
    assert [check.passed for check in checks] == [True] * 4 + [None]
    assert all(check.name.startswith("shadow: ") for check in checks)
    assert not any(check.reason for check in checks)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"failed": 3}, "no answer to 3 texts that the champion answered"),
        ({"agreed": 1_300, "differed": 700}, "65.0% of the texts the same label"),
        ({"challenger_labels": {"a": 1_300, "b": 700}}, "shift by 15.0% of the texts"),
    ],
)
def test_a_challenger_that_does_not_is_told_why(fields, reason):
    (found,) = reasons(**fields)
    assert reason in found


def test_too_few_texts_are_no_evidence():
    (check,) = check_evidence(evidence(agreed=990, differed=9, failed=5, dropped=70), RULES)
    assert check.passed is False
    assert check.reason == (
        "999 texts of clients were scored by 2 beside 1, and 70 found no room; at least 1,000 are "
        "needed"
    )


def test_an_agreement_that_may_be_chance_does_not_fail():
    assert not reasons(agreed=740, differed=260)
    assert reasons(agreed=7_350, differed=2_650)


def test_the_engine_time_is_shown_and_not_judged():
    *_, shown = check_evidence(evidence(challenger_seconds=9.0), RULES)
    assert (shown.passed, shown.champion, shown.challenger) == (None, 2.0, 9.0)
