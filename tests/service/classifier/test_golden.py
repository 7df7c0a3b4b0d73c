import pytest
from valence.service.classifier import golden
from valence.service.classifier.golden import GoldenAnswer
from valence.service.errors import ArtifactError

from tests.support.tiny_models import WORDS


def test_answers_are_read_as_they_were_written(tmp_path):
    answers = [GoldenAnswer(text="a b", probabilities=(0.25, 0.75))]
    golden.write(tmp_path / golden.FILE, answers)
    assert golden.read(tmp_path / golden.FILE, labels=2) == tuple(answers)


def test_an_older_artifact_has_no_answers(tmp_path):
    assert golden.read(tmp_path / golden.FILE, labels=2) == ()


def test_the_texts_are_words_of_the_vocabulary():
    empty, unknown, *texts = golden.choose_texts(WORDS)
    assert empty == ""
    assert not set(unknown.split()) & set(WORDS)
    assert len(set(texts)) == len(texts)
    assert all(set(text.split()) <= set(WORDS) for text in texts)
    assert {word for text in texts for word in text.split()} == set(WORDS)


def test_long_words_make_no_text_too_long():
    for text in golden.choose_texts(["<unk>", "x" * 5_000]):
        GoldenAnswer(text=text, probabilities=(0.5, 0.5))


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1]",
        '[{"text": "a", "probabilities": [0.5]}]',
        '[{"text": "a", "probabilities": [0.5, "secret"]}]',
        "[" + ",".join(['{"text": "a", "probabilities": [0.5, 0.5]}'] * 65) + "]",
    ],
)
def test_damaged_answers_are_refused_without_a_text(tmp_path, content):
    (tmp_path / golden.FILE).write_text(content)
    with pytest.raises(ArtifactError, match=r"golden.json.*train the model again") as error:
        golden.read(tmp_path / golden.FILE, labels=2)
    assert "secret" not in str(error.value)
