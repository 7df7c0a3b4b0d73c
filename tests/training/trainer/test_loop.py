from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.model import RecurrentClassifier
from valence.service.errors import ConfigurationError
from valence.training.config.schema import Configuration, Text
from valence.training.corpora.example import Example
from valence.training.data import vocabulary
from valence.training.data.batches import EncodedTexts
from valence.training.data.split import split_by_hash
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace
from valence.training.trainer import loop
from valence.training.trainer.checkpoint import Epoch
from valence.training.trainer.initialization import initialize

pytestmark = pytest.mark.integration

Weights = dict[str, torch.Tensor]


@dataclass
class Result:
    weights: Weights
    history: tuple[Epoch, ...]
    model: RecurrentClassifier


@pytest.fixture(scope="module")
def encoded(examples: Sequence[Example]) -> tuple[EncodedTexts, EncodedTexts, int]:
    """Return the encoded train and dev texts of the toy corpus, and the size of the vocabulary."""
    parts = split_by_hash(examples)
    words = vocabulary.build_vocabulary(
        (e.text for e in parts.train), Text(minimum_count=1, maximum_words=999)
    )
    labels = ("negative", "neutral", "positive")
    train, dev = (
        EncodedTexts(part, words, labels=labels, max_tokens=20, use_shares=True)
        for part in (parts.train, parts.dev)
    )
    return train, dev, len(words)


@pytest.fixture(scope="module")
def fit(
    encoded: tuple[EncodedTexts, EncodedTexts, int],
    configured: Callable[..., Configuration],
    silent: type[Reporter],
) -> Callable[..., Result]:
    """Return a function that trains on the toy task; arguments change the configuration."""
    train, dev, words = encoded

    def fit(
        checkpoint: Path,
        *,
        reporter: Reporter | None = None,
        pretrained: WordVectors | None = None,
        frozen_columns: int = 0,
        tuned_words: int = 0,
        **sections: dict[str, object],
    ) -> Result:
        chosen = configured(**sections)
        model = RecurrentClassifier(
            Architecture(
                vocabulary_size=words,
                embedding_size=chosen.words.learned_size,
                labels=3,
                **chosen.network.model_dump(),
            )
        )
        initialize(model, pretrained, seed=chosen.optimization.seed)
        history = loop.train(
            model,
            train,
            dev,
            loop.TrainingPlan(
                chosen.optimization,
                chosen.regularization,
                checkpoint,
                frozen_columns,
                tuned_words,
            ),
            run=Run(Workspace(checkpoint.parent), reporter or silent()),
        )
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        return Result(weights, history, model)

    return fit


def outcome(history: tuple[Epoch, ...]) -> list[tuple[float, ...]]:
    """Return the results of each epoch without its duration."""
    return [(e.epoch, e.train_loss, e.dev_loss, e.dev_macro_f1) for e in history]


def same(left: Result, right: Result) -> bool:
    equal = all(torch.equal(left.weights[name], right.weights[name]) for name in left.weights)
    return equal and outcome(left.history) == outcome(right.history)


@pytest.fixture(scope="module")
def uninterrupted(fit: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the result of a run without interruption."""
    return fit(tmp_path_factory.mktemp("whole") / "run")


def test_training_learns_the_toy_task(uninterrupted: Result) -> None:
    result = uninterrupted
    assert [epoch.epoch for epoch in result.history] == [1, 2, 3]
    assert result.history[-1].dev_macro_f1 == 1.0
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert all(e.seconds > 0 and e.tokens_per_second > 0 for e in result.history)


@pytest.mark.parametrize(
    "sections",
    [
        {"optimization": {"optimizer": "adagrad", "learning_rate": 0.1}},
        {"optimization": {"schedule": "cosine"}},
        {"optimization": {"schedule": "constant"}},
        {"optimization": {"warmup_steps": 0}},
        {"network": {"cell": "gru"}},
        {"network": {"cell": "rnn"}},
        {"network": {"pooling": "attention"}},
        {"network": {"pooling": "last"}},
        {"network": {"pooling": "max"}},
        {"network": {"pooling": "mean"}},
        {"network": {"layers": 2}},
        {"network": {"bidirectional": False, "pooling": "last"}},
        {"regularization": {"label_smoothing": 0.1, "word_dropout": 0.0}},
    ],
    ids=str,
)
def test_every_way_to_train_learns_the_toy_task(
    fit: Callable[..., Result], tmp_path: Path, sections: dict[str, dict[str, object]]
) -> None:
    sections = {**sections, "optimization": {"epochs": 5, **sections.get("optimization", {})}}
    result = fit(tmp_path / "run", **sections)
    assert max(epoch.dev_macro_f1 for epoch in result.history) > 0.95


def test_mixed_precision_learns_the_toy_task_or_is_refused(
    fit: Callable[..., Result], tmp_path: Path
) -> None:
    """A processor without support for mixed precision is an error."""
    sections = {"optimization": {"epochs": 5, "mixed_precision": True}}
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        assert max(e.dev_macro_f1 for e in fit(tmp_path / "run", **sections).history) > 0.95
    else:
        with pytest.raises(ConfigurationError, match=r"mixed_precision.*set it to false"):
            fit(tmp_path / "run", **sections)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(
    fit: Callable[..., Result], uninterrupted: Result, tmp_path: Path
) -> None:
    torch.rand(7)  # earlier random draws must not matter
    assert same(fit(tmp_path / "run"), uninterrupted)


def test_another_seed_gives_other_weights(
    fit: Callable[..., Result], uninterrupted: Result, tmp_path: Path
) -> None:
    other = fit(tmp_path / "run", optimization={"seed": 1}).weights
    assert not any(torch.equal(value, other[name]) for name, value in uninterrupted.weights.items())


SETTINGS: dict[str, dict[str, dict[str, object]]] = {
    "adamw": {"optimization": {"epochs": 2}},
    "adagrad": {"optimization": {"epochs": 2, "optimizer": "adagrad", "learning_rate": 0.1}},
}


@pytest.mark.parametrize("optimizer", SETTINGS)
def test_a_run_interrupted_at_any_batch_ends_the_same(
    fit: Callable[..., Result], silent: type[Reporter], tmp_path: Path, optimizer: str
) -> None:
    sections = SETTINGS[optimizer]
    counting = silent()
    uninterrupted = fit(tmp_path / "whole", reporter=counting, **sections)
    assert counting.batches >= 20
    for batch in {*range(1, counting.batches + 1, 7), counting.batches // 2 + 1, counting.batches}:
        path = tmp_path / f"at-{batch}"
        with pytest.raises(KeyboardInterrupt):
            fit(path, reporter=silent(stop_at=batch), **sections)
        again = silent()
        assert same(fit(path, reporter=again, **sections), uninterrupted)
        continued = batch > counting.batches / 2
        assert (again.said[0] == "continuing after epoch 1 of an interrupted run") is continued
        assert again.batches == counting.batches / (2 if continued else 1)


def test_a_run_interrupted_repeatedly_ends_the_same(
    fit: Callable[..., Result], uninterrupted: Result, silent: type[Reporter], tmp_path: Path
) -> None:
    for stop in (5, 13, 2, 14, 13):
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / "run", reporter=silent(stop_at=stop))
    assert same(fit(tmp_path / "run"), uninterrupted)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_run_interrupted_before_a_checkpoint_ends_the_same(
    fit: Callable[..., Result],
    uninterrupted: Result,
    silent: type[Reporter],
    tmp_path: Path,
    epoch: int,
) -> None:
    """After the epoch, before its checkpoint."""
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", reporter=silent(stop_saying=f"epoch {epoch}/"))
    assert same(fit(tmp_path / "run"), uninterrupted)


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("moment", ["in the file", "before the rename", "after the rename"])
def test_a_run_interrupted_in_a_checkpoint_ends_the_same(
    fit: Callable[..., Result],
    uninterrupted: Result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    epoch: int,
    moment: str,
) -> None:
    """While the checkpoint is written."""
    save_file, replace = safetensors.torch.save_file, Path.replace
    calls = {"save": 0, "replace": 0}

    def broken_save(tensors: Weights, path: Path, metadata: dict[str, str]) -> None:
        calls["save"] += 1
        save_file(tensors, path, metadata=metadata)
        if calls["save"] == epoch and moment == "in the file":
            path.write_bytes(path.read_bytes()[:1000])
            raise KeyboardInterrupt

    def broken_replace(path: Path, target: Path) -> Path:
        calls["replace"] += 1
        if calls["replace"] == epoch and moment == "before the rename":
            raise KeyboardInterrupt
        moved = replace(path, target)
        if calls["replace"] == epoch and moment == "after the rename":
            raise KeyboardInterrupt
        return moved

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.torch, "save_file", broken_save)
        patch.setattr(Path, "replace", broken_replace)
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / "run")
    assert same(fit(tmp_path / "run"), uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_finished_run_is_not_trained_again(
    fit: Callable[..., Result], uninterrupted: Result, silent: type[Reporter], tmp_path: Path
) -> None:
    fit(tmp_path / "run")
    again = silent()
    assert same(fit(tmp_path / "run", reporter=again), uninterrupted)
    assert again.batches == 0


def test_an_epoch_is_reported_with_dev_metric_and_time_left(
    fit: Callable[..., Result], silent: type[Reporter], tmp_path: Path
) -> None:
    reporter = silent()
    fit(tmp_path / "run", reporter=reporter, optimization={"epochs": 2})
    first, second = reporter.said
    assert re.fullmatch(
        r"epoch 1/2: train loss .*, dev macro-F1 (0\.\d{4}), .* tokens/s, at most 0:\d\d:\d\d left",
        first,
    )
    assert second.endswith("tokens/s")
    # the bar continues where it was, and shows the metric of the epoch before
    (_, total, begun, nothing), (_, again, done, note) = reporter.bars
    assert (begun, nothing) == (0, "")
    assert total == again == 2 * done
    assert note in first
    assert note.startswith("dev macro-F1 ")


def test_a_checkpoint_of_another_network_is_not_resumed(
    fit: Callable[..., Result], uninterrupted: Result, silent: type[Reporter], tmp_path: Path
) -> None:
    fit(tmp_path / "run", network={"hidden_size": 5})
    reporter = silent()
    result = fit(tmp_path / "run", reporter=reporter)
    assert same(result, uninterrupted)
    assert not any("continuing" in line for line in reporter.said)


def judge_as(monkeypatch: pytest.MonkeyPatch, scores: Sequence[float]) -> list[Weights]:
    """Make the dev macro-F1 of the epochs equal ``scores``; return the judged weights."""
    judged: list[Weights] = []
    waiting = iter(scores)
    logits = loop.compute_logits

    def watch(model: RecurrentClassifier, texts: EncodedTexts) -> np.ndarray:
        judged.append({name: value.clone() for name, value in model.state_dict().items()})
        return logits(model, texts)

    monkeypatch.setattr(loop, "compute_logits", watch)
    monkeypatch.setattr(
        loop,
        "evaluate",
        lambda *_, **__: SimpleNamespace(log_loss=1.0, macro_f1=next(waiting)),
    )
    return judged


@pytest.mark.parametrize(
    ("scores", "patience", "chosen", "epochs"),
    [
        ([0.3, 0.7, 0.5, 0.5, 0.9], 2, 2, 4),  # stops before the last, which would be better
        ([0.3, 0.6, 0.3, 0.9, 0.7], 2, 4, 5),
        ([0.5, 0.7, 0.7, 0.9, 0.9], 1, 3, 3),  # an equal score is not better, but it is later
        (
            [0.5, 0.8, 0.799, 0.798, 0.5],
            2,
            4,
            4,
        ),  # worse by less than the dev texts can distinguish
        ([0.9, 0.1, 0.1, 0.1, 0.1], 5, 1, 5),
        ([0.0, 0.0, 0.0, 0.0, 0.0], 3, 4, 4),
    ],
)
def test_training_stops_when_dev_stalls_and_keeps_the_best_epoch(
    fit: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scores: list[float],
    patience: int,
    chosen: int,
    epochs: int,
) -> None:
    judged = judge_as(monkeypatch, scores)
    result = fit(tmp_path / "run", optimization={"epochs": 5, "patience": patience})
    assert len(result.history) == len(judged) == epochs
    for name, value in judged[chosen - 1].items():
        assert torch.equal(result.weights[name], value)


@pytest.mark.parametrize(
    ("scores", "texts", "chosen"),
    [
        ((0.90, 0.97, 0.95, 0.94), 100, 3),  # one standard error is 2.4 points
        ((0.90, 0.97, 0.95, 0.94), 10_000, 2),  # one standard error is 0.24 points
        ((0.92, 0.90, 0.95, 0.92), 50, 4),  # 4.4 points: not the first epoch, which is as near
        ((1.00, 0.99, 0.99, 0.99), 100, 1),
    ],
)
def test_the_last_epoch_within_one_standard_error_is_chosen(
    scores: Sequence[float], texts: int, chosen: int
) -> None:
    history = [
        Epoch(number, 1.0, 1.0, score, seconds=1.0, tokens_per_second=1.0)
        for number, score in enumerate(scores, start=1)
    ]
    assert loop.select_epoch_one_standard_error(history, texts=texts).epoch == chosen


def test_early_stopping_survives_an_interruption(
    fit: Callable[..., Result],
    silent: type[Reporter],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = [0.5, 0.7, 0.6, 0.6]
    optimization = {"epochs": 5, "patience": 2}
    with monkeypatch.context() as patch:
        judge_as(patch, scores)
        uninterrupted = fit(tmp_path / "whole", optimization=optimization)
    interrupting = silent(stop_saying="epoch 4/")
    with monkeypatch.context() as patch:
        judge_as(patch, scores)
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / "run", optimization=optimization, reporter=interrupting)
    with monkeypatch.context() as patch:
        judge_as(patch, scores[3:])
        assert same(fit(tmp_path / "run", optimization=optimization), uninterrupted)


def test_only_columns_that_are_not_frozen_change(
    fit: Callable[..., Result], encoded: tuple[EncodedTexts, EncodedTexts, int], tmp_path: Path
) -> None:
    words = encoded[2]
    values = np.random.default_rng(0).standard_normal((words, 4)).astype(np.float32)
    pretrained = WordVectors(values, np.ones(words, dtype=np.bool_))
    frozen = fit(tmp_path / "frozen", pretrained=pretrained, frozen_columns=4)
    table = frozen.weights["embedding.weight"]
    np.testing.assert_array_equal(table[:, :4], values)
    tuned = fit(tmp_path / "tuned", pretrained=pretrained).weights["embedding.weight"]
    assert not torch.equal(tuned[:, :4], torch.from_numpy(values))
    initial = RecurrentClassifier(frozen.model.architecture)
    initialize(initial, pretrained, seed=0)
    moved = (table[:, 4:] != initial.embedding.weight[:, 4:]).any(dim=1)
    # all words were read except the unknown word and words that only dev holds
    assert moved.float().mean() > 0.9


def test_only_rows_of_tuned_words_change(
    fit: Callable[..., Result], encoded: tuple[EncodedTexts, EncodedTexts, int], tmp_path: Path
) -> None:
    tuned = fit(tmp_path / "run", tuned_words=5)
    assert tuned.weights["embedding.weight"].shape[0] == encoded[2]
    initial = RecurrentClassifier(tuned.model.architecture)
    initialize(initial, None, seed=0)
    moved = (tuned.weights["embedding.weight"] != initial.embedding.weight).any(dim=1)
    assert moved[1:5].all()
    assert not moved[5:].any()
    resumed = fit(tmp_path / "run", tuned_words=5)
    assert same(resumed, tuned)


def test_weight_decay_does_not_shrink_unread_words(
    fit: Callable[..., Result], encoded: tuple[EncodedTexts, EncodedTexts, int], tmp_path: Path
) -> None:
    result = fit(tmp_path / "run", regularization={"weight_decay": 0.5, "word_dropout": 0.0})
    initial = RecurrentClassifier(result.model.architecture)
    initialize(initial, None, seed=0)
    # the unknown word, which is never read without word dropout
    assert torch.equal(result.weights["embedding.weight"][0], initial.embedding.weight[0])
    gentle = fit(tmp_path / "gentle", regularization={"weight_decay": 0.0, "word_dropout": 0.0})
    name = "left_to_right.0.weight_hh_l0"
    assert result.weights[name].norm() < gentle.weights[name].norm()


def test_diverging_training_names_the_settings_to_lower(
    fit: Callable[..., Result], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"diverged in epoch 1.*learning_rate"):
        fit(tmp_path / "run", optimization={"learning_rate": 1e38, "clip_norm": 1e38})
    assert not (tmp_path / "run").exists()


def test_logits_keep_the_order_of_texts_and_use_no_dropout(
    fit: Callable[..., Result], encoded: tuple[EncodedTexts, EncodedTexts, int], tmp_path: Path
) -> None:
    dev = encoded[1]
    model = fit(tmp_path / "run").model.train()
    together = loop.compute_logits(model, dev)
    for row in range(len(dev)):
        batch = dev.batch(np.array([row]))
        with torch.inference_mode():
            alone = model.eval()(batch.ids, batch.lengths)[0]
        np.testing.assert_allclose(together[row], alone, rtol=0, atol=1e-6)
