from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.manifest import CorpusRecord, Manifest, Training
from valence.training.behaviour.capability import ScoredText, summarize_cases
from valence.training.metrics.scores import Evaluation, evaluate
from valence.training.report import training_report
from valence.training.report.confusions import list_confusions
from valence.training.trainer.checkpoint import Epoch

pytestmark = pytest.mark.integration

HISTORY = tuple(
    Epoch(
        epoch=number,
        train_loss=1 / number,
        dev_loss=0.9,
        dev_macro_f1=0.5 + number / 100,
        seconds=1.5,
        tokens_per_second=43_210.9,
    )
    for number in (1, 2, 3)
)


def manifest(labels: tuple[str, ...]) -> Manifest:
    return Manifest(
        name="tiny",
        version="7",
        labels=labels,
        architecture=Architecture(
            vocabulary_size=9, embedding_size=2, hidden_size=2, labels=len(labels)
        ),
        max_tokens=50,
        temperature=1.25,
        metrics={},
        training=Training(
            corpora=(CorpusRecord(name="made <up>", source="x==1", sha256="f" * 64, texts=30),),
            splits={"train": 24, "test": 6},
            split_sha256={"train": "a" * 64},
            configuration={"note": "</pre><script>alert(1)</script>"},
            seed=3,
            code_version="abc123",
            packages={"numpy": "2"},
            hardware="a <b>fast</b> machine",
            started="2025-01-01T00:00:00Z",
            seconds=61.4,
            peak_memory_bytes=2**30,
            epochs=2,
        ),
    )


def scores(labels: tuple[str, ...], *, seed: int = 0) -> Evaluation:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([1.0] * len(labels), 1_234)
    return evaluate(probabilities, random.integers(0, len(labels), 1_234), labels=labels)


def write(path: Path, labels: tuple[str, ...] = ("no", "yes"), **changes: object) -> str:
    arguments: dict[str, object] = {
        "manifest": manifest(labels),
        "evaluations": {"dev": scores(labels, seed=1), "test": scores(labels)},
        "baselines": {"TF-IDF": scores(labels, seed=2)},
        "history": HISTORY,
    }
    training_report.write_training_report(path, **{**arguments, **changes})
    return path.read_text(encoding="utf-8")


class PageParser(HTMLParser):
    """Collect tags, attributes and the visible text, and check that tags are closed."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_well_formed_and_its_ids_are_unique(tmp_path) -> None:
    reader = PageParser(write(tmp_path / "report.html"))
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    # loss and macro-F1 are drawings of their own, which a phone shows one under the other
    assert reader.tags.count("svg") == 3


def test_references_inside_the_plots_resolve(tmp_path) -> None:
    page = write(tmp_path / "report.html")
    reader = PageParser(page)
    wanted = {value[1:] for name, value in reader.attributes if name.endswith("href")}
    wanted |= set(re.findall(r"url\(#([^)]*)\)", page))
    assert wanted
    assert wanted <= set(reader.ids)


def test_the_page_loads_nothing_and_runs_no_script(tmp_path) -> None:
    page = write(tmp_path / "report.html")
    reader = PageParser(page)
    assert not {"script", "link", "img", "iframe", "object", "image"} & set(reader.tags)
    for name, value in reader.attributes:
        assert not name.startswith("on")
        if name.endswith(("href", "src")):
            assert value.startswith("#")
    assert "@import" not in page


def test_external_input_is_escaped(tmp_path) -> None:
    labels = ("<script>alert(2)</script>", 'a" onclick="b', "$\\frac$")
    evil = {"<img src=x>": scores(labels)}
    reader = PageParser(write(tmp_path / "report.html", labels, baselines=evil))
    assert not {"script", "img"} & set(reader.tags)
    assert reader.tags.count("b") == 5  # the figures at the top
    assert not any(name == "onclick" for name, _ in reader.attributes)
    for text in (*labels, "<img src=x>", "made <up>", "a <b>fast</b> machine", "alert(1)"):
        assert text in reader.text


def test_the_same_input_gives_the_same_bytes(tmp_path) -> None:
    first = write(tmp_path / "a.html")
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": None}):
        second = write(tmp_path / "b.html")
    assert first == second


def test_writing_a_report_leaves_matplotlib_unchanged(tmp_path) -> None:
    with matplotlib.rc_context({"font.size": 30}):
        write(tmp_path / "a.html")
        assert matplotlib.rcParams["font.size"] == 30


def test_the_page_has_scores_baselines_and_lineage(tmp_path) -> None:
    text = PageParser(write(tmp_path / "report.html")).text
    test = scores(("no", "yes"))
    for figure in (test.macro_f1, test.ece, test.brier, test.log_loss, 1.25):
        assert f"{figure:.4f}" in text
    assert f"{scores(('no', 'yes'), seed=2).macro_f1:.4f}" in text
    for lineage in ("f" * 64, "a" * 64, "abc123", "x==1", "numpy 2", "1,024 MiB"):
        assert lineage in text
    assert "1,234" in text
    assert "43,210" in text


def test_a_report_without_history_or_baselines_leaves_them_out(tmp_path) -> None:
    page = write(tmp_path / "report.html", history=(), baselines={})
    reader = PageParser(page)
    assert reader.tags.count("svg") == 1
    assert "Learning curve" not in reader.text
    assert "VADER" not in reader.text


def test_the_page_has_pass_rates_with_failures_if_tested(
    tmp_path,
) -> None:
    failure = (ScoredText(text="I <b>liked</b> it.", label="no", polarity=-0.25),)
    tried = [
        summarize_cases("negation", "minimum functionality", "no", [True, False], [failure]),
        summarize_cases("typo", "invariance", "the same label", [True] * 8),
    ]
    reader = PageParser(write(tmp_path / "report.html", behaviour=tried))
    for told in ("negation", "50.0%", "100.0%", "I <b>liked</b> it.", "-0.25"):
        assert told in reader.text
    assert "Behavioural tests" not in PageParser(write(tmp_path / "report.html")).text


def test_without_a_test_split_the_page_shows_the_last_scores(tmp_path) -> None:
    labels = ("no", "yes")
    only = {"train": scores(labels, seed=4), "dev": scores(labels, seed=5)}
    page = write(tmp_path / "report.html", evaluations=only, baselines={})
    assert f"calibration error is {only['dev'].ece:.4f}" in page
    assert "not used in training" not in page


@pytest.mark.parametrize("count", [2, 8])
def test_the_confusion_matrix_has_a_cell_per_pair_of_labels(tmp_path, count) -> None:
    labels = tuple(f"label {i}" for i in range(count))
    page = write(tmp_path / "report.html", labels)
    assert page.count('style="--share:') == count**2


def test_many_labels_have_a_list_of_confusions_instead(tmp_path) -> None:
    labels = tuple(f"label {i}" for i in range(77))
    text = PageParser(write(tmp_path / "report.html", labels)).text
    most = list_confusions(scores(labels))[0]
    assert f"{most.truth}{most.predicted}{most.texts}{most.share:.1%}" in text


def test_missing_folders_are_created(tmp_path) -> None:
    assert write(tmp_path / "report" / "report.html").startswith("<!doctype html>")
