from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import typer.testing

import training.__main__ as commands
from service.classifier import artifact
from service.classifier.model import RecurrentClassifier
from service.classifier.vocabulary import Vocabulary
from service.errors import ConfigurationError
from training import model_card, pipeline, store
from training.configuration import Configuration, Pretraining
from training.corpora import Example
from training.pipeline import Trained, Workspace
from training.pretraining import start as starting
from training.pretraining.start import Start, start
from training.progress import Reporter
from training.split import Splits
from training.unlabelled import Unlabelled

Begin = Callable[..., Start]


@pytest.fixture
def begin(
    network: Callable[..., RecurrentClassifier],
    words: Vocabulary,
    splits: Splits,
    silent: type[Reporter],
    tmp_path: Path,
) -> Begin:
    """Weights to start from; what is given changes settings, texts and network."""

    def begin(
        *,
        splits: Splits = splits,
        unlabelled: tuple[str, ...] = (),
        frozen_columns: int = 0,
        words: Vocabulary = words,
        reporter: Reporter | None = None,
        shape: dict[str, object] | None = None,
        **settings: object,
    ) -> Start:
        chosen = {"epochs": 1, "learning_rate": 0.02, "batch_tokens": 256}
        return start(
            network(**(shape or {})),
            Pretraining.model_validate(chosen | settings),
            splits,
            Unlabelled(tuple(Example(text, "", "more") for text in unlabelled)),
            words=words,
            frozen_columns=frozen_columns,
            folder=tmp_path / "kept",
            device=torch.device("cpu"),
            reporter=reporter or silent(),
        )

    return begin


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each language model that is trained."""
    made: list[int] = []
    fit = starting.fit
    monkeypatch.setattr(starting, "fit", lambda *a, **k: made.append(1) or fit(*a, **k))
    return made


def test_a_language_model_is_trained_once_and_kept(
    begin: Begin, fits: list[int], tmp_path: Path
) -> None:
    first, again = begin(), begin()
    assert len(fits) == 1
    assert again.record == first.record
    assert again.weights.keys() == first.weights.keys()
    for name, value in again.weights.items():
        assert torch.equal(value, first.weights[name])
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(kept.read_bytes()[:-7])
    assert begin().record == first.record
    assert len(fits) == 2


def test_what_it_depends_on_has_another_name(begin: Begin, fits: list[int], splits: Splits) -> None:
    changed: list[dict[str, object]] = [
        {},
        {"seed": 1},
        {"epochs": 2},
        {"cutoffs": (3, 7)},
        {"frozen_columns": 4},
        {"unlabelled": ("The film was long.",)},
        {"splits": Splits(splits.train[1:], splits.dev, splits.test)},
        {"splits": Splits(splits.train, splits.dev[1:], splits.test)},
        {"shape": {"hidden_size": 7}},
        {"shape": {"seed": 3}},
    ]
    for given in (*changed, *changed):
        begin(**given)
    assert len(fits) == len(changed)
    begin(text="another column")
    assert len(fits) == len(changed)


def test_it_reads_training_and_unlabelled_texts_and_no_dev_or_test_text(
    begin: Begin, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[str]] = []
    sequences = starting.Sequences

    def watched(texts: object, words: Vocabulary, *, longest: int) -> object:
        read.append(list(texts))
        return sequences(read[-1], words, longest=longest)

    monkeypatch.setattr(starting, "Sequences", watched)
    made = begin(unlabelled=("The film was long.",))
    assert read == [
        [*(one.text for one in splits.train), "The film was long."],
        [one.text for one in splits.dev],
    ]
    assert made.record.texts == {"labelled": len(splits.train), "unlabelled": 1}
    assert made.record.tokens > 7 * len(splits.train)


def test_columns_that_are_not_tuned_stay_as_they_are(
    begin: Begin, network: Callable[..., RecurrentClassifier]
) -> None:
    before = network().embedding.weight.detach()
    after = begin(frozen_columns=4).weights["embedding.weight"]
    assert torch.equal(after[:, :4], before[:, :4])
    assert not torch.equal(after[:, 4:], before[:, 4:])


def test_cutoffs_past_the_words_and_texts_without_words_are_refused(begin: Begin) -> None:
    with pytest.raises(ConfigurationError, match=r"pretraining\.cutoffs \[3, 999\]: there are"):
        begin(cutoffs=(3, 999))
    with pytest.raises(ConfigurationError, match=r"lower text\.minimum_count"):
        begin(words=Vocabulary(["<unk>"]))


def test_a_pretrained_classifier_is_trained_recorded_and_served_like_any_other(
    workspace: Workspace,
    configured: Callable[..., Configuration],
    silent: type[Reporter],
    fits: list[int],
    tmp_path: Path,
) -> None:
    more = tmp_path / "more.csv"
    more.write_text("text\n" + "".join(f"The hotel was superb on day {n}.\n" for n in range(30)))

    def run(seed: int) -> Trained:
        return pipeline.train(
            configured(
                pretraining={"files": str(more), "learning_rate": 0.02, "batch_tokens": 256},
                optimization={"seed": seed, "epochs": 6, "patience": 6},
            ),
            workspace=workspace,
            reporter=silent(),
            device=torch.device("cpu"),
            with_baselines=False,
        )

    made = run(0)
    record = made.manifest.training.language_model
    assert record is not None
    assert record.texts["unlabelled"] > 0
    assert [one.name for one in record.unlabelled] == ["more.csv"]
    assert made.evaluations["test"].macro_f1 > 0.8
    loaded = artifact.load(store.path(made.tag))
    assert loaded.manifest.training.language_model == record
    assert "day" in loaded.vocabulary.words  # a word of the unlabelled texts alone
    told = typer.testing.CliRunner().invoke(commands.app, ["show", "toy"]).stdout
    card = model_card.render(made.manifest)
    for part in (record.sha256, f"{record.tokens:,}", f"{record.perplexity:.1f}"):
        assert part in told
        assert part in card
    # another seed of the classifier starts from the same language model
    assert run(1).manifest.training.language_model == record
    assert len(fits) == 1


def test_streamed_texts_are_refused_with_the_remedy(
    configured: Callable[..., Configuration],
    workspace: Workspace,
    silent: type[Reporter],
    tmp_path: Path,
) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(f'{{"text": "text {n}", "label": "neutral"}}\n' for n in range(99)))
    data = {"corpora": [], "files": [str(file)], "streamed": True}
    with pytest.raises(ConfigurationError, match=r"pretraining: .*data\.streamed = false"):
        pipeline.train(
            configured(pretraining={}, data=data),
            workspace=workspace,
            reporter=silent(),
            device=torch.device("cpu"),
        )
