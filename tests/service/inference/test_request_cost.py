import pytest
from valence.service.errors import InvalidRequest
from valence.service.inference.request_cost import LARGE_ANSWER, RequestCost, RequestLimits

LABELS = ("negative", "neutral", "positive")


def make(**limits) -> RequestCost:
    return RequestCost(RequestLimits(**limits), LABELS)


@pytest.mark.parametrize(
    ("limits", "add", "said"),
    [
        ({"max_windows": 5}, RequestCost.add_windows, r"5 \(max_windows\)"),
        ({"max_explained_tokens": 5}, RequestCost.add_explained, r"5 \(max_explained_tokens\)"),
        ({"max_answer_bytes": 5_000}, RequestCost.add_results, r"5000 \(max_answer_bytes\)"),
        ({"max_answer_bytes": 130}, RequestCost.add_numbers, r"130 \(max_answer_bytes\)"),
        ({"max_answer_bytes": 530}, RequestCost.add_explained, r"530 \(max_answer_bytes\)"),
    ],
)
def test_each_cost_is_refused_over_its_limit(limits, add, said):
    """The message names the limit and the remedy; parts of a cost add up."""
    cost = make(**limits)
    add(cost, 3)
    add(cost, 2)
    with pytest.raises(InvalidRequest, match=f"{said}; send fewer or shorter texts"):
        add(cost, 10)


def test_fewer_scores_make_a_smaller_answer():
    sizes = []
    for scores in (1, 2, 3, 4, 0):
        cost = RequestCost(RequestLimits(), LABELS, scores=scores)
        cost.add_results(1)
        sizes.append(cost.answer_bytes)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2] == sizes[3] == sizes[4]


@pytest.mark.parametrize("tokens", [10, LARGE_ANSWER])
def test_only_a_large_answer_counts_in_the_memory(tokens):
    cost, held = make(), []
    cost.add_explained(tokens)
    cost.hold(held.append)
    assert held == ([cost.answer_bytes] if tokens > 10 else [])
