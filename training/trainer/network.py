"""The network that a configuration describes: built on its word vectors, and fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from valence.service.classifier.architecture import Architecture
from valence.service.classifier.model import RecurrentClassifier
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.config.schema import Configuration
from valence.training.data.preparation import Prepared
from valence.training.embeddings import word_vectors as vectors
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.runtime import provenance
from valence.training.runtime.hashing import sha256_of_json
from valence.training.runtime.run import Run
from valence.training.trainer import loop
from valence.training.trainer.checkpoint import Epoch
from valence.training.trainer.initialization import initialize


def word_vectors(configuration: Configuration, prepared: Prepared, run: Run) -> WordVectors | None:
    """The pre-trained columns of the embedding; None if the configuration names no vectors."""
    if not configuration.words.vectors:
        return None
    return vectors.load(
        configuration.words.vectors,
        prepared.words,
        encoder_size=configuration.words.encoder_size,
        in_domain_size=configuration.words.in_domain_size,
        texts=prepared.domain,
        cache=run.workspace.corpora,
        progress=run.reporter.say,
    )


def fit(
    configuration: Configuration,
    prepared: Prepared,
    pretrained: WordVectors | None,
    *,
    run: Run,
    checkpoint: Path,
    observe: Callable[[Epoch], None] = lambda _: None,
) -> tuple[RecurrentClassifier, tuple[Epoch, ...]]:
    """The network that ``configuration`` describes with the weights of its chosen epoch, and the
    history of all; see :func:`valence.training.trainer.loop.fit`.
    """
    model = _network(configuration, prepared.words, pretrained)
    initialize(model, pretrained, seed=configuration.optimization.seed)
    history = loop.fit(
        model,
        prepared.train,
        prepared.encoded["dev"],
        optimization=configuration.optimization,
        regularization=configuration.regularization,
        frozen_columns=_frozen(configuration, pretrained),
        run=run,
        checkpoint=checkpoint,
        observe=observe,
    )
    return model, history


def run_key(configuration: Configuration, hashes: Mapping[str, str], words: Vocabulary) -> str:
    """Names a run by all that its result depends on, so that only the same run is continued."""
    content = [configuration.as_json(), dict(hashes), list(words), provenance.packages()]
    return sha256_of_json(content)[:16]


def _network(
    configuration: Configuration, words: Vocabulary, pretrained: WordVectors | None
) -> RecurrentClassifier:
    return RecurrentClassifier(
        Architecture(
            vocabulary_size=len(words),
            embedding_size=_columns(pretrained) + configuration.words.learned_size,
            labels=len(configuration.labels),
            **configuration.network.model_dump(),
        )
    )


def _frozen(configuration: Configuration, pretrained: WordVectors | None) -> int:
    """How many columns of the embedding stay as they are."""
    return 0 if configuration.words.trainable else _columns(pretrained)


def _columns(pretrained: WordVectors | None) -> int:
    return 0 if pretrained is None else pretrained.values.shape[1]
