"""A corpus that is learnt in a second, and a model store for the tests."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from valence.service.classifier import seal
from valence.training.config.loader import parse_configuration
from valence.training.config.schema import Configuration
from valence.training.corpora import catalog
from valence.training.corpora.archive import Package
from valence.training.corpora.catalog import Corpus
from valence.training.corpora.example import Example
from valence.training.embeddings import glove
from valence.training.pipeline import training_run
from valence.training.pipeline.training_run import Trained
from valence.training.runtime.progress import Advance, Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.support.glove_wheels import write_glove
from tests.support.model_stores import models_in

TELLING = {
    "negative": ("awful", "dreadful", "boring", "ugly"),
    "neutral": ("square", "wooden", "yearly", "local"),
    "positive": ("great", "lovely", "superb", "charming"),
}
POLARITY = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
SUBJECTS = ("film", "phone", "hotel", "song", "book", "meal", "flight", "game", "train", "shop")
TAILS = ("in the end", "to me", "as they say", "again", "this year", "on Monday", "for once")


def toy_examples() -> list[Example]:
    """Return 420 sentences in shuffled order; one word determines the label of each sentence."""
    made = []
    for (label, words), subject, tail in itertools.product(TELLING.items(), SUBJECTS, TAILS):
        for word in words[:2] if subject in SUBJECTS[:5] else words[2:]:
            shares = {other: 0.8 if other == label else 0.1 for other in TELLING}
            made.append(Example(f"The {subject} was {word} {tail}.", label, "toy", shares))
    random.Random(0).shuffle(made)
    return made


@pytest.fixture(scope="session", autouse=True)
def _no_tracking_server() -> Iterator[None]:
    """Keep the tests away from the user's own tracking server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    return toy_examples()


def read_toy(path: Path) -> Iterator[Example]:
    for line in path.read_text().splitlines():
        label, text = line.split("\t")
        shares = {other: 0.8 if other == label else 0.1 for other in TELLING}
        yield Example(text, label, "toy", shares)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sentence encoder of two small layers in the format of transformers; it knows the toy
    words.
    """
    import transformers

    folder = tmp_path_factory.mktemp("encoder")
    words = {word.lower() for example in toy_examples() for word in example.text[:-1].split()}
    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "un", "##der", "##stand")
    torch.manual_seed(0)
    configuration = transformers.BertConfig(
        vocab_size=len(pieces) + len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.2,
    )
    transformers.BertModel(configuration).save_pretrained(folder)
    vocabulary = {piece: place for place, piece in enumerate((*pieces, *sorted(words)))}
    transformers.BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    return folder


@pytest.fixture
def pin_archive(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, Path], None]:
    """Return a function that makes an archive the published one of a module with a ``PACKAGE``."""

    def pin_archive(module: ModuleType, archive: Path) -> None:
        package = replace(module.PACKAGE, sha256=seal.sha256(archive))
        monkeypatch.setattr(module, "PACKAGE", package)

    return pin_archive


@pytest.fixture
def publish_glove(
    pin_archive: Callable[[ModuleType, Path], None],
) -> Callable[[Path, Sequence[str], NDArray[np.float32]], None]:
    """Return a function that replaces GloVe: ``publish_glove(cache, words, values)``."""

    def publish_glove(cache: Path, words: Sequence[str], values: NDArray[np.float32]) -> None:
        pin_archive(glove, write_glove(cache, words, values))

    return publish_glove


@pytest.fixture
def near_words(publish_glove: Callable[..., None], workspace: Workspace) -> None:
    """Replace GloVe by vectors of the toy words, for the copies that a teacher labels."""
    words = sorted(
        {word.lower() for example in toy_examples() for word in example.text[:-1].split()}
    )
    function_words = [f"function{place}" for place in range(200)]
    values = np.random.default_rng(0).normal(size=(len(function_words) + len(words), 50))
    publish_glove(workspace.corpora, [*function_words, *words], values.astype(np.float32))


@contextmanager
def toy_corpus(workspace: Workspace) -> Iterator[Package]:
    """Yield the corpus ``toy``, as if pip had already fetched it."""
    content = "".join(f"{example.label}\t{example.text}\n" for example in toy_examples()).encode()
    package = Package(
        name="toy",
        version="1",
        filename="toy.tsv",
        sha256=hashlib.sha256(content).hexdigest(),
        license="none",
    )
    workspace.corpora.mkdir(parents=True, exist_ok=True)
    (workspace.corpora / package.filename).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalog.CORPORA, "toy", Corpus(package, read_toy, tuple(TELLING)))
        # a toy does not need hundreds of sentences of each kind
        patch.setattr("valence.training.behaviour.templates.MAX_CASES", 20)
        yield package


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Yield an empty workspace with an empty model store; the corpus ``toy`` is fetched."""
    made = Workspace(tmp_path / "workspace")
    with toy_corpus(made), models_in(tmp_path / "models"):
        yield made


@pytest.fixture
def model_store(tmp_path: Path) -> Iterator[Path]:
    """Yield an empty model store."""
    with models_in(tmp_path / "models"):
        yield tmp_path / "models"


def toy_configuration(**sections: dict[str, object]) -> Configuration:
    """Return a configuration that learns ``toy`` in three epochs; ``sections`` change its keys.

    Its models do not tell texts outside their labels.
    """
    content: dict[str, dict[str, object]] = {
        "data": {"corpora": ["toy"]},
        "text": {"max_tokens": 20, "minimum_count": 1},
        "words": {"vectors": None, "learned_size": 10},
        "network": {"hidden_size": 6},
        "regularization": {
            "word_dropout": 0.02,
            "embedding_dropout": 0.1,
            "recurrent_dropout": 0.1,
            "output_dropout": 0.1,
        },
        "optimization": {
            "learning_rate": 0.03,
            "batch_tokens": 150,
            "epochs": 3,
            "patience": 3,
            "warmup_steps": 3,
        },
        "outside": {"kinds": []},
    }
    for name, section in sections.items():
        content[name] = {**content.get(name, {}), **section}
    return parse_configuration(
        {"name": "toy", "labels": list(TELLING), **content}, source="the test"
    )


@pytest.fixture(scope="session")
def configured() -> Callable[..., Configuration]:
    """Return a maker of configurations: ``configured(network={"cell": "gru"})``."""
    return toy_configuration


class Silent(Reporter):
    """Reporter that records messages; ``stop_at`` interrupts after that many batches of
    this run.
    """

    def __init__(self, *, stop_at: int | None = None, stop_saying: str | None = None) -> None:
        super().__init__()
        self.said: list[str] = []
        self.batches = 0
        self.bars: list[tuple[str, int, int, str]] = []
        self._stop_at = stop_at
        self._stop_saying = stop_saying

    def say(self, message: str) -> None:
        self.said.append(message)
        if self._stop_saying is not None and message.startswith(self._stop_saying):
            raise KeyboardInterrupt

    @contextmanager
    def bar(self, title: str, *, total: int, done: int = 0, note: str = "") -> Iterator[Advance]:
        self.bars.append((title, total, done, note))

        def advance(*, tokens_per_second: float) -> None:
            assert tokens_per_second > 0
            self.batches += 1
            if self.batches == self._stop_at:
                raise KeyboardInterrupt

        yield advance


@pytest.fixture(scope="session")
def silent() -> type[Silent]:
    """Return a reporter class that prints nothing, records messages and can interrupt a run."""
    return Silent


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Workspace, Path]:
    """Return a stored toy classifier: the result of training, its workspace and the store's
    folder.
    """
    folder = tmp_path_factory.mktemp("trained")
    workspace = Workspace(folder / "workspace")
    with toy_corpus(workspace), models_in(folder / "models"):
        made = training_run.train_classifier(
            toy_configuration().model_copy(update={"polarity": POLARITY}),
            run=Run(workspace, Silent()),
        )
    return made, workspace, folder / "models"


@pytest.fixture
def stored(trained: tuple[Trained, Workspace, Path]) -> Iterator[tuple[Trained, Workspace]]:
    """Yield the toy classifier with its store and corpus in place; tests must not change them."""
    made, workspace, models = trained
    with toy_corpus(workspace), models_in(models):
        yield made, workspace
