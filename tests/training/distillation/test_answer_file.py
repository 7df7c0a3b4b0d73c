from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from valence.service.classifier.manifest import TeacherOrigin
from valence.service.errors import ConfigurationError
from valence.training.distillation import answer_file
from valence.training.distillation.answer_file import AnswerFile, AnswerRecord

LABELS = ("negative", "neutral", "positive")
TEXTS = ("It was good.", "It was bad.", "It is a map. 🗺", "\ud800 alone")
ANSWERS = np.array([[0.0, 0.1, 0.9], [0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.3, 0.3, 0.4]])


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes answers about a few texts; arguments change the record."""

    def write(
        texts: tuple[str, ...] = TEXTS, answers: np.ndarray = ANSWERS, **changes: object
    ) -> Path:
        path = tmp_path / "said.safetensors"
        content = {
            "sha256": answer_file.write_tensors(path, texts, answers),
            "labels": LABELS,
            "task": "single_label",
            "teachers": (TeacherOrigin(name="one", source="somewhere"),),
            "metrics": {"dev": {"macro_f1": 0.5}},
            "settings": {"copies": 0},
            "corpora": (),
            "train_sha256": "",
            "dev_sha256": "",
            "texts": {"labelled": len(texts)},
            "command": "valence teach toy said.safetensors",
            "code": "",
            "packages": {},
            "hardware": "",
            "date": "2026-01-01",
        }
        answer_file.write_record(path, AnswerRecord.model_validate(content | changes))
        return path

    return write


def read(path: Path) -> AnswerFile:
    return answer_file.read_answers(path, labels=LABELS, task="single_label")


def test_answers_are_found_by_their_text(write: Callable[..., Path]) -> None:
    stored = read(write())
    found = stored.probabilities([TEXTS[2], "It was good", *TEXTS])
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[[0, 2, 3, 4, 5]], ANSWERS[[2, 0, 1, 2, 3]], atol=0.003)
    np.testing.assert_allclose(found[[0, 2, 3, 4, 5]].sum(axis=1), 1.0)
    assert stored.probabilities([]).shape == (0, 3)
    assert stored.origins[0].name == "one"


def test_a_file_holds_no_text_and_no_order(write: Callable[..., Path]) -> None:
    path = write()
    content = path.read_bytes()
    assert not any(text.encode("utf-8", "replace") in content for text in TEXTS)
    assert write(TEXTS[::-1], ANSWERS[::-1]).read_bytes() == content


def test_several_labels_keep_their_own_probabilities(write: Callable[..., Path]) -> None:
    answers = np.array([[0.9, 0.9, 0.0]])
    path = write(TEXTS[:1], answers, task="multi_label")
    stored = answer_file.read_answers(path, labels=LABELS, task="multi_label")
    np.testing.assert_allclose(stored.probabilities(TEXTS[:1]), answers, atol=0.003)


def test_a_file_of_no_answers_answers_nothing(write: Callable[..., Path]) -> None:
    assert np.isnan(read(write((), np.zeros((0, 3)))).probabilities(TEXTS)).all()


def test_a_missing_file_is_refused_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"answers 'nothing': .* `valence teach` wrote"):
        answer_file.find_answers("nothing")


def test_a_path_names_answers_too(write: Callable[..., Path]) -> None:
    path = write()
    assert answer_file.find_answers(str(path)) == path
    with pytest.raises(ConfigurationError, match="no such file"):
        answer_file.find_answers(str(path.with_suffix(".json")))


def test_answers_of_other_labels_are_refused(write: Callable[..., Path]) -> None:
    path = write()
    with pytest.raises(ConfigurationError, match=r"single_label \['negative', .* \['bad', 'good'"):
        answer_file.read_answers(path, labels=("bad", "good"), task="single_label")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(b"{}"), "is damaged"),
        (lambda path: path.with_suffix(".json").unlink(), "said.json: no such file"),
        (lambda path: path.with_suffix(".json").write_text("{"), "said.json: the file: "),
        (lambda path: path.with_suffix(".json").write_text("{}"), "sha256: Field required"),
    ],
    ids=["missing", "damaged", "no record", "damaged record", "empty record"],
)
def test_damaged_answers_are_refused(
    write: Callable[..., Path], damage: Callable[[Path], object], told: str
) -> None:
    path = write()
    damage(path)
    with pytest.raises(ConfigurationError, match=rf"{told}.*`valence teach`"):
        read(path)


def test_answers_of_another_record_are_refused(write: Callable[..., Path]) -> None:
    path = write()
    record = json.loads(path.with_suffix(".json").read_text())
    write(TEXTS[:2], ANSWERS[:2])
    path.with_suffix(".json").write_text(json.dumps(record))
    with pytest.raises(ConfigurationError, match=r"is not the file that said\.json describes"):
        read(path)
