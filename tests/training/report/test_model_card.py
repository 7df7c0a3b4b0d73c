from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from valence.service.classifier import artifact
from valence.service.classifier.manifest import CorpusRecord, Manifest, VectorsRecord
from valence.service.sources import hub
from valence.training.config import loader
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.report import model_card
from valence.training.runtime.workspace import Workspace


@pytest.fixture
def manifest(trained: tuple[Trained, Workspace, Path]) -> Manifest:
    return trained[0].manifest


def tables(card: str) -> list[list[str]]:
    """Return the lines of each table."""
    blocks = re.findall(r"(?:^\|.*\n)+", card, flags=re.MULTILINE)
    return [block.splitlines() for block in blocks]


def changed(manifest: Manifest, **training: object) -> Manifest:
    return manifest.model_copy(update={"training": manifest.training.model_copy(update=training)})


def test_a_card_has_all_its_sections(
    manifest: Manifest,
) -> None:
    """Use, data, figures, calibration, limits and how to reproduce the model."""
    card = model_card.render_model_card(manifest)
    headings = re.findall(r"^## (.+)$", card, flags=re.MULTILINE)
    assert headings == [
        "Intended use", "Data", "Evaluation", "Calibration", "Behaviour", "Limits",
        "Reproduction",
    ]  # fmt: skip
    assert manifest.training.corpora[0].sha256 in card
    for split, digest in manifest.training.split_sha256.items():
        assert f"| {split} |" in card
        assert digest in card
    assert f"{manifest.metrics['test']['macro_f1']:.4f}" in card
    assert "Not bad at all" in card
    assert manifest.training.hardware.replace("|", "") in card.replace("\\", "")


def test_every_table_has_rows_of_equal_length(manifest: Manifest) -> None:
    odd = CorpusRecord(name="a|b", source="x\n| y", sha256="0" * 64, texts=3, license="<b>")
    record = VectorsRecord(name="v|", source="w", sha256="1" * 64)
    card = model_card.render_model_card(changed(manifest, corpora=(odd,), vectors=(record,)))
    found = tables(card)
    assert len(found) == 7
    for rows in found:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, rows[0]
    assert "a\\|b" in card
    assert "x \\| y" in card
    assert "<b>" not in card.replace("\\<b\\>", "")


def test_a_card_says_that_its_model_is_for_research(manifest: Manifest) -> None:
    corpus = manifest.training.corpora[0]
    limited = corpus.model_copy(update={"license": "articles [copyright], for research"})
    card = model_card.render_model_card(changed(manifest, corpora=(limited,)))
    assert "**For some uses only.**" in card
    assert f"- {corpus.name}: articles \\[copyright\\], for research\n" in card
    assert "license: other" in card.split("---")[1]
    free = model_card.render_model_card(manifest)
    assert "uses only" not in free
    assert "license:" not in free


def test_the_configuration_in_a_card_is_complete(manifest: Manifest) -> None:
    """It trains the same classifier."""
    written = model_card.format_configuration(manifest, paths=True)
    read = loader.parse_configuration(tomllib.loads(written), source="the card")
    assert read.model_dump(mode="json", exclude={"expected"}) == manifest.training.configuration
    assert read.words.vectors == ()
    assert written in model_card.render_model_card(manifest)


def test_a_card_holds_no_path(manifest: Manifest) -> None:
    settings = {
        **manifest.training.configuration,
        "data": {"files": ["/home/alice/reviews.csv"], "text": "review"},
        "words": {"vectors": "/home/alice/vectors.txt"},
    }
    told = changed(manifest, configuration=settings)
    card = model_card.render_model_card(told)
    assert "alice" not in card
    assert "reviews.csv" in card
    assert "/home/alice/vectors.txt" in model_card.format_configuration(told, paths=True)


@pytest.mark.parametrize(
    ("version", "checked_out", "warned"),
    [
        (f"0.1.0 {'a' * 40}", True, False),
        (f"0.1.0 {'a' * 40}+changes", True, True),
        ("0.1.0", False, False),
    ],
)
def test_the_commands_of_a_card_check_out_the_commit_if_known(
    manifest: Manifest, version: str, checked_out: bool, warned: bool
) -> None:
    card = model_card.render_model_card(changed(manifest, code_version=version))
    assert (f"git checkout {'a' * 40}\n" in card) is checked_out
    assert ("uncommitted changes" in card) is warned


def test_few_texts_of_a_label_or_of_test_are_limits(
    manifest: Manifest,
) -> None:
    card = model_card.render_model_card(manifest)
    count = manifest.metrics["test"]["count"]
    assert f"{count} texts: one text is {100 / count:.2f} points" in card
    support = manifest.metrics["test"]["by_label"]["neutral"]["support"]
    assert support < model_card.MIN_LABEL_TEXTS
    assert f"neutral ({support} texts)" in card


def test_an_old_artifact_has_a_card(tiny_folder: Path) -> None:
    manifest = artifact.load(tiny_folder).manifest
    assert manifest.training.vectors == ()
    card = model_card.render_model_card(manifest)
    assert "Evaluation" not in card  # the card would have only one figure
    assert "Behaviour" not in card
    assert "## Reproduction" in card


def test_a_card_has_pass_rates_and_a_note_on_fairness(manifest: Manifest) -> None:
    card = model_card.render_model_card(manifest)
    assert "fairness: gender" in manifest.behaviour
    for name, found in manifest.behaviour.items():
        row = f"| {name} | {found.kind} | {found.tried} | {found.passed} | {found.rate:.1%} |"
        assert row in card
    assert "was tested with the pairs" in card
    untried = manifest.model_copy(update={"polarity": None})
    assert "different groups of people was not tested" in model_card.render_model_card(untried)


def test_an_artifact_holds_the_card_of_its_model(stored: tuple[Trained, Workspace]) -> None:
    made, _ = stored
    written = store.find_model(made.tag) / artifact.REPORT / model_card.FILE
    assert written.read_text(encoding="utf-8") == model_card.render_model_card(made.manifest)


@pytest.mark.parametrize(
    ("code", "use", "limit"),
    [
        ("en", "labels English texts like", "**Language.** English, as detected"),
        ("fr", "labels French texts like", "**Language.** French, as detected"),
        ("zh", "labels Chinese texts like", "**Language.** Chinese, as detected"),
        ("eu", "labels language `eu` texts like", "**Language.** language `eu`, as detected"),
        (None, "labels texts like", "was not detected"),
    ],
)
def test_a_card_names_the_detected_language(
    manifest: Manifest, code: str | None, use: str, limit: str
) -> None:
    card = model_card.render_model_card(changed(manifest, language=code))
    head = card.split("---")[1]
    assert (f"language: {code}\n" in head) is (code is not None)
    assert ("language:" in head) is (code is not None)
    assert use in card
    assert limit in card
    assert ("sentences from templates are English" in card) is (code != "en")


def test_a_card_tells_how_many_words_the_vectors_have(manifest: Manifest) -> None:
    record = VectorsRecord(name="v", source="w", sha256="1" * 64, known=0.123)
    card = model_card.render_model_card(changed(manifest, vectors=(record,)))
    assert "They have 12.3% of the words of the vocabulary." in card
    unknown = record.model_copy(update={"known": None})
    assert "They have" not in model_card.render_model_card(changed(manifest, vectors=(unknown,)))


def test_a_trained_model_records_the_language_of_its_texts(manifest: Manifest) -> None:
    assert manifest.training.language == "en"


def test_the_card_is_where_the_hub_looks_for_its_page() -> None:
    assert f"report/{model_card.FILE}" == hub.CARD
