from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from valence.service.classifier.manifest import CorpusRecord, Manifest
from valence.service.classifier.seal import sha256
from valence.service.errors import ConfigurationError
from valence.training.config.columns import Columns
from valence.training.data.split import assign_split
from valence.training.evaluation.assessment.texts import (
    EvaluationTexts,
    TextSelection,
    parse_label_mapping,
    read_evaluation_texts,
)
from valence.training.pipeline.training_run import Trained
from valence.training.runtime.progress import Reporter
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.integration

ROWS = "review,stars,shop\nThe film was great.,5,berlin\nawful,1,rome\n,3,\nugly,1,berlin\n"
MAPPING = {"5": "positive", "1": "negative", "3": ""}

Read = Callable[..., EvaluationTexts]


@pytest.fixture
def manifest(trained: tuple[Trained, Workspace, Path]) -> Manifest:
    return trained[0].manifest


@pytest.fixture
def reading(tmp_path: Path, manifest: Manifest, silent: type[Reporter]) -> Read:
    def reading(
        content: str = ROWS,
        mapping: Mapping[str, str] | None = None,
        *,
        of: Manifest = manifest,
        reporter: Reporter | None = None,
        **choice: object,
    ) -> EvaluationTexts:
        path = tmp_path / "reviews.csv"
        path.write_text(content)
        return read_evaluation_texts(
            [str(path)],
            Columns("review", "stars"),
            of,
            selection=TextSelection(MAPPING if mapping is None else mapping, **choice),
            reporter=reporter or silent(),
        )

    return reading


def test_labels_are_mapped_or_left_out(reading: Read, silent: type[Reporter]) -> None:
    reporter = silent()
    found = reading(slices=("shop", "stars"), reporter=reporter)
    assert found.name == "reviews.csv"
    assert [example.label for example in found.examples] == ["positive", "negative", "negative"]
    assert found.columns == {"shop": ("berlin", "rome", "berlin"), "stars": ("5", "1", "1")}
    assert reporter.said == ["1 texts are left out because of --map"]


def test_an_unknown_label_is_named_with_count_and_remedy(
    reading: Read,
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        reading(mapping={"5": "positive"})
    said = str(caught.value)
    assert "'1' (2 texts), '3' (1 texts)" in said
    assert "it knows negative, neutral, positive" in said
    assert "--map '1='" in said
    assert "awful" not in said
    with pytest.raises(ConfigurationError, match="has no label 'good'"):
        reading(mapping={"5": "good"})


def test_texts_in_the_column_of_labels_are_not_quoted(reading: Read) -> None:
    rows = "".join(f"text {number},zanzibar is number {number}\n" for number in range(60))
    with pytest.raises(ConfigurationError) as caught:
        reading(f"review,stars\n{rows}", mapping={})
    said = str(caught.value)
    assert "the column of the label has 60 different values in 60 rows" in said
    assert "zanzibar" not in said


def test_a_missing_column_and_an_empty_file_are_refused(reading: Read) -> None:
    with pytest.raises(ConfigurationError, match=r"no column 'shops'; did you mean 'shop'"):
        reading(slices=("shops",))
    with pytest.raises(ConfigurationError, match="no text is left to evaluate toy on"):
        reading(content="review,stars\n")


def test_a_training_file_is_evaluated_on_its_held_out_texts(
    reading: Read, manifest: Manifest, tmp_path: Path, silent: type[Reporter]
) -> None:
    rows = [f"The film was number {number} of many,1,s{number}" for number in range(60)]
    content = "\n".join(["review,stars,shop", *rows]) + "\n"
    everything = reading(content, slices=("shop",))
    assert len(everything.examples) == 60
    record = CorpusRecord(name="r", source="r", sha256=sha256(tmp_path / "reviews.csv"), texts=60)
    known = manifest.model_copy(
        update={"training": manifest.training.model_copy(update={"corpora": (record,)})}
    )
    reporter = silent()
    found = reading(content, of=known, reporter=reporter, slices=("shop",))
    assert 0 < len(found.examples) < 60
    assert all(assign_split(example) == "test" for example in found.examples)
    for example, shop in zip(found.examples, found.columns["shop"], strict=True):
        assert f"number {shop[1:]} of" in example.text
    assert (
        f"toy was trained on this file; evaluated are the {len(found.examples)} of 60"
        in (reporter.said[0])
    )
    assert len(reading(content, of=known, trained_on_too=True).examples) == 60


@pytest.mark.parametrize("pair", ["5", "=positive", "a=b", ""])
def test_an_invalid_or_ambiguous_mapping_is_refused(pair: str) -> None:
    with pytest.raises(ConfigurationError, match="5=positive"):
        parse_label_mapping(["a=c", pair])


def test_a_label_with_an_equals_sign_can_be_mapped() -> None:
    assert parse_label_mapping(["a=b=positive", " 3 = "]) == {"a=b": "positive", "3": ""}
