import numpy as np
import pytest

from tests.trials.bench.peers.classifiers import choose_polarity, mean_vector, read_label


@pytest.mark.parametrize(
    ("compound", "scores"),
    [
        (-0.05, (1, 0, 0)),
        (-0.049, (0, 1, 0)),
        (0.0, (0, 1, 0)),
        (0.049, (0, 1, 0)),
        (0.05, (0, 0, 1)),
    ],
)
def test_a_compound_score_has_one_label(compound: float, scores: tuple[int, ...]) -> None:
    assert choose_polarity(compound) == scores


@pytest.mark.parametrize(
    "content",
    [
        {"label": "neutral", "scores": {}},
        {"results": [{"label": "neutral"}]},
        {"outputs": [{"data": ["neutral"]}]},
    ],
    ids=["peer", "Valence", "MLServer"],
)
def test_the_label_of_each_kind_of_answer_is_read(content) -> None:
    assert read_label(content) == "neutral"


def test_a_text_without_pieces_has_a_vector_of_zeros() -> None:
    vectors = np.array([[3.0, 0.0], [0.0, 3.0]], dtype=np.float32)
    assert mean_vector(vectors, []).tolist() == [0.0, 0.0]
    assert mean_vector(vectors, [0, 1]) == pytest.approx([2**-0.5, 2**-0.5])
