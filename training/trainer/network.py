"""Build the network that a configuration describes on its word vectors, and train it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from valence.service.classifier.architecture import Architecture
from valence.service.classifier.model import RecurrentClassifier
from valence.service.classifier.vocabulary import Vocabulary
from valence.training.config.schema import Configuration
from valence.training.data.preparation import Prepared
from valence.training.embeddings import coverage, word_vectors
from valence.training.embeddings.word_vectors import WordVectors
from valence.training.runtime import provenance
from valence.training.runtime.hashing import sha256_of_json
from valence.training.runtime.run import Run
from valence.training.trainer import loop
from valence.training.trainer.checkpoint import Epoch
from valence.training.trainer.initialization import initialize


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network with the weights of its selected epoch, and the history of all epochs.

    ``vector_shares`` is that of :class:`valence.training.embeddings.word_vectors.WordVectors`.
    """

    model: RecurrentClassifier
    history: tuple[Epoch, ...]
    vector_shares: Mapping[str, float] = field(default_factory=dict)


def load_word_vectors(
    configuration: Configuration, prepared: Prepared, run: Run
) -> WordVectors | None:
    """The pre-trained columns of the embedding; None if the configuration names no vectors.

    Warns of vectors that know few of the words of dev.
    """
    if not configuration.words.vectors:
        return None
    words = prepared.vocabulary
    vectors = word_vectors.load_word_vectors(
        configuration.words,
        words,
        texts=prepared.raw.in_domain_texts,
        cache=run.workspace.corpora,
        progress=run.reporter.say,
    )
    counts = prepared.held_out["dev"].count_words(len(words))
    doubt = coverage.doubt_vectors(coverage.measure_coverage(vectors, words.words, counts))
    if doubt is not None:
        run.reporter.say(f"warning: {doubt}")
    return vectors


def train_network(
    configuration: Configuration,
    prepared: Prepared,
    pretrained: WordVectors | None,
    *,
    run: Run,
    checkpoint: Path,
    observe: Callable[[Epoch], None] = lambda _: None,
) -> TrainedNetwork:
    """Build the network that ``configuration`` describes and train it.

    See :func:`valence.training.trainer.loop.train`.
    """
    model = _build_network(configuration, prepared.vocabulary, pretrained)
    initialize(model, pretrained, seed=configuration.optimization.seed)
    plan = loop.TrainingPlan(
        configuration.optimization,
        configuration.regularization,
        checkpoint,
        frozen_columns=_count_frozen_columns(configuration, pretrained),
        tuned_words=configuration.words.tuned_words,
    )
    history = loop.train(
        model, prepared.train, prepared.held_out["dev"], plan, run=run, observe=observe
    )
    return TrainedNetwork(model, history, pretrained.shares if pretrained else {})


def run_key(configuration: Configuration, hashes: Mapping[str, str], vocabulary: Vocabulary) -> str:
    """The name of a run: a hash of all that its result depends on.

    An interrupted run is continued only by a run of the same name.
    """
    # a network does not depend on what is added to it
    settings = configuration.model_copy(update={"ngrams": None, "chosen": ()}).as_json()
    content = [settings, dict(hashes), list(vocabulary), provenance.packages()]
    return sha256_of_json(content)[:16]


def _build_network(
    configuration: Configuration, vocabulary: Vocabulary, pretrained: WordVectors | None
) -> RecurrentClassifier:
    return RecurrentClassifier(
        Architecture(
            vocabulary_size=len(vocabulary),
            embedding_size=_count_columns(pretrained) + configuration.words.learned_size,
            labels=len(configuration.labels),
            **configuration.network.model_dump(),
        )
    )


def _count_frozen_columns(configuration: Configuration, pretrained: WordVectors | None) -> int:
    """The number of columns of the embedding that training does not change."""
    return 0 if configuration.words.trainable else _count_columns(pretrained)


def _count_columns(pretrained: WordVectors | None) -> int:
    return 0 if pretrained is None else pretrained.values.shape[1]
