"""What a classifier is trained from and how: one TOML file, read into one frozen object.

The values that come here as defaults are those of the default model but for its words, which an
encoder takes minutes for; ``docs/training-log.md`` holds the measurements behind them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)
from valence.service.classifier.architecture import Cell, Pooling
from valence.service.classifier.manifest import Misspelled, Task, check_labels
from valence.service.files.encodings import AUTO
from valence.training.config.columns import Columns

MINILM = "all-minilm-l6-v2"
"""The sentence encoder that comes as a package of PyPI."""

IN_DOMAIN = "in-domain"
"""Word vectors that are learnt from one's own texts."""

N_GRAMS = "n-grams"
"""The teacher that is a linear model."""

SELF = "self"
"""The teacher that is the network itself, after learning from the labels alone."""

MOST_NETWORKS = 10  # of a teacher

Numbers = Literal["alike", "own"]
"""Whether all numbers are one word, or frequent ones words of their own."""


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


OneOrSeveral = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""Names; a single one needs no list."""

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(_Section):
    """Which texts, and what the network is to say of them."""

    corpora: tuple[str, ...] = Field(default=(), description="published corpora, by name")
    files: OneOrSeveral = Field(
        default=(),
        description="one's own: a path, folder or glob, or a list of these; from where the command "
        "is run",
    )
    dev: OneOrSeveral = Field(
        default=(), description="files of dev texts; `files` are all trained on, and none is test"
    )
    split: Literal["hash", "stratified"] = Field(
        default="hash",
        description="where `dev` names none: by a hash of the text into train, dev and test; or a "
        "tenth of each label's texts for dev and the others for train, test texts lying elsewhere",
    )
    text: str = Field(default="text", description="the column of the files that holds the text")
    label: str = Field(default="label", description="and the one that holds the label or labels")
    label_separator: str = Field(
        default="|", min_length=1, description="between a text's labels, where they are one string"
    )
    encoding: str = Field(default=AUTO, description="of the files; auto lets each tell")
    streamed: bool | None = Field(
        default=None,
        description="read files while training on them instead of into memory, for `steps` steps; "
        "if not said, where they are larger than 256 MiB",
    )
    targets: Literal["shares", "labels"] = Field(
        default="shares",
        description="learn the share of raters that chose each label, where the corpus tells; or "
        "the one label (soft targets: Peterson et al. 2019)",
    )

    def columns(self, task: Task) -> Columns | None:
        """The columns of the files and how they are read; None without files."""
        if not self.files:
            return None
        return Columns(
            text=self.text,
            label=self.label,
            encoding=self.encoding,
            task=task,
            label_separator=self.label_separator,
        )

    @property
    def has_test(self) -> bool:
        """Whether some of the texts are held out for a test."""
        return self.split == "hash" and not self.dev

    @model_validator(mode="after")
    def _something_to_read(self) -> Data:
        if not (self.corpora or self.files):
            raise ValueError("name corpora, or files of your own")
        if self.streamed and self.corpora:
            raise ValueError("published corpora fit into memory; streamed = true is for files")
        if self.dev and not self.files:
            raise ValueError("dev names files of dev texts; name those of train by files")
        if self.streamed and not self.has_test:
            raise ValueError("streamed texts are split by their hash; leave out dev and split")
        if self.text == self.label:
            raise ValueError(f"text and label are both column {self.text!r}; name two columns")
        return self


class Text(_Section):
    """From text to word ids."""

    max_tokens: int = Field(default=512, ge=1, description="read of a text, here and when served")
    minimum_count: int = Field(default=2, ge=1, description="rarer training words are unknown")
    maximum_words: int = Field(default=100_000, ge=1)
    numbers: Numbers = Field(
        default="alike",
        description='all are one word, or frequent ones have their \'own\': "8/10" is not "1/10"',
    )
    misspelled: Misspelled = Field(
        default="nearest",
        description="how a word that is not in the vocabulary is read, but in training: 'unknown', "
        "or 'nearest' for the most frequent one that is a slip of the keys away (Damerau 1964)",
    )


class Words(_Section):
    """The word embedding: pre-trained columns, then columns learnt from scratch."""

    vectors: tuple[str, ...] = Field(
        default=("glove-6b-50d",),
        description="one or several, side by side: 'glove-6b-50d', 'all-minilm-l6-v2', a file of "
        "vectors in word2vec or GloVe text format, a folder of another sentence encoder, or "
        "'in-domain': learnt from the training texts and [unlabelled] ones",
    )
    encoder_size: int = Field(
        default=128, ge=1, description="columns that an encoder's vectors are reduced to"
    )
    in_domain_size: int = Field(default=200, ge=1, description="columns of 'in-domain'")
    trainable: bool = Field(default=True, description="whether pre-trained columns are tuned")
    learned_size: int = Field(default=64, ge=0)
    unseen: int = Field(
        default=0,
        ge=0,
        description="so many of the most frequent words that have vectors are in the vocabulary, "
        "whether or not a training text has them; of GloVe or a file of vectors",
    )

    @field_validator("vectors", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return () if value is None or value == "" else _several(value)

    @model_validator(mode="after")
    def _some_columns(self) -> Words:
        if len(set(self.vectors)) != len(self.vectors):
            raise ValueError(f"vectors {list(self.vectors)} hold one twice")
        if not self.vectors and self.learned_size == 0:
            raise ValueError("without vectors, learned_size must be at least 1")
        return self


class Network(_Section):
    """The recurrent part; see :class:`valence.service.classifier.architecture.Architecture`."""

    cell: Cell = "lstm"
    hidden_size: int = Field(default=128, ge=1, description="units a direction")
    layers: int = Field(default=1, ge=1)
    bidirectional: bool = True
    pooling: Pooling = "max_mean"


class Regularization(_Section):
    """Probabilities of leaving out, in training."""

    word_dropout: Probability = Field(
        default=0.05, description="a word becomes the unknown word, which so is learnt"
    )
    embedding_dropout: Probability = 0.3
    recurrent_dropout: Probability = Field(default=0.3, description="between stacked layers")
    output_dropout: Probability = 0.4
    weight_decay: float = Field(default=0.01, ge=0.0)
    label_smoothing: Probability = 0.0
    averaging: Probability = Field(
        default=0.998, description="share of the old in the moving average of the weights a step"
    )


class Optimization(_Section):
    """How the weights are found."""

    optimizer: Literal["adamw", "adagrad"] = "adamw"
    learning_rate: float = Field(default=2e-3, gt=0.0)
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="after the warm-up, down to zero over all epochs"
    )
    warmup_steps: int = Field(default=100, ge=0)
    batch_tokens: int = Field(default=1_280, ge=1, description="words in a batch of like lengths")
    clip_norm: float = Field(default=1.0, gt=0.0)
    epochs: int = Field(default=4, ge=1)
    steps: int | None = Field(
        default=None, ge=1, description="batches to train on where texts are streamed: no epochs"
    )
    evaluate_every: int = Field(
        default=1_000, ge=1, description="steps between two scores on dev texts, where streamed"
    )
    patience: int = Field(
        default=2, ge=1, description="epochs without a better dev macro-F1 before stopping"
    )
    mixed_precision: bool = Field(default=False, description="recurrences in bfloat16")
    seed: int = Field(default=0, ge=0)


class UnlabelledTexts(_Section):
    """Texts to learn from without their labels, beside the training texts.

    'in-domain' vectors are learnt from them, and a teacher labels them.
    """

    corpora: tuple[str, ...] = Field(
        default=(), description="published ones whose texts are read too, without their labels"
    )
    files: OneOrSeveral = Field(
        default=(), description="one's own texts that are read too, as [data] names files"
    )
    text: str = Field(default="text", description="the column of the files that holds the text")
    encoding: str = Field(default=AUTO, description="of the files; auto lets each tell")

    @model_validator(mode="after")
    def _something_to_read(self) -> UnlabelledTexts:
        if not (self.corpora or self.files):
            raise ValueError("name corpora, or files of your own")
        return self


class Distillation(_Section):
    """A teacher that learns from the training texts first and then teaches the network.

    Hinton, Vinyals, Dean: *Distilling the Knowledge in a Neural Network*, 2015; for networks
    like these Tang et al.: *Distilling Task-Specific Knowledge from BERT into Simple Neural
    Networks*, 2019. See :mod:`valence.training.distillation`.
    """

    teacher: OneOrSeveral = Field(
        default=(MINILM,),
        min_length=1,
        description="one or several, whose mean is learnt: 'all-minilm-l6-v2' or a folder of "
        "another sentence encoder, which are tuned; 'n-grams', a linear model; 'self', the network "
        "after learning from the labels alone",
    )
    networks: int = Field(
        default=1,
        ge=1,
        le=MOST_NETWORKS,
        description="encoders that are tuned, from other seeds each; the mean of what they say is "
        "learnt",
    )
    epochs: int = Field(default=2, ge=1, description="of an encoder's tuning")
    learning_rate: float = Field(default=1e-4, gt=0.0, description="of an encoder's tuning")
    weight: float = Field(
        default=0.5, gt=0.0, le=1.0, description="of the teacher's word; the labels have the rest"
    )
    temperature: float = Field(
        default=1.0, gt=0.0, le=20.0, description="the teacher's probabilities are softened by it"
    )
    copies: int = Field(
        default=2,
        ge=0,
        description="of each training text, with words left out and replaced by near ones",
    )
    sentences: bool = Field(
        default=False, description="label each sentence of an [unlabelled] text, not the whole"
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="label so many [unlabelled] ones at most, the same ones each time",
    )
    seed: int = Field(default=0, ge=0, description="of the teacher and the copies")

    @property
    def encoders(self) -> tuple[str, ...]:
        """The teachers that are sentence encoders."""
        return tuple(name for name in self.teacher if name not in (N_GRAMS, SELF))

    @model_validator(mode="after")
    def _teachers_that_are_asked(self) -> Distillation:
        if len(set(self.teacher)) != len(self.teacher):
            raise ValueError(f"teacher {list(self.teacher)} holds one twice")
        for key in ("networks", "epochs", "learning_rate"):
            value = getattr(self, key)
            if not self.encoders and value != type(self).model_fields[key].default:
                raise ValueError(
                    f"{key} = {value} is of sentence encoders, and teacher {list(self.teacher)} "
                    f"holds none; leave {key} out, or name one"
                )
        return self


class Expected(_Section):
    """What this configuration reaches, rounding on other machines allowed for.

    A run that falls short says so.
    """

    metric: Literal["macro_f1", "micro_f1", "accuracy", "macro_recall"] = "macro_f1"
    test: float = Field(ge=0.0, le=1.0)
    ece: float = Field(ge=0.0, le=1.0)
    minutes: float = Field(gt=0.0, description="on two cores, corpora already fetched")


class Configuration(_Section):
    """A whole configuration file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    task: Task = Field(
        default="single_label", description="one label a text, or any number, each decided alone"
    )
    labels: tuple[str, ...] = Field(min_length=2, description="in the order of the logits")
    polarity: dict[str, float] | None = None
    data: Data
    text: Text = Text()
    words: Words = Words()
    network: Network = Network()
    regularization: Regularization = Regularization()
    optimization: Optimization = Optimization()
    unlabelled: UnlabelledTexts | None = None
    distillation: Distillation | None = None
    expected: Expected | None = None

    @model_validator(mode="after")
    def _labels_that_a_manifest_takes(self) -> Configuration:
        check_labels(self.labels, self.polarity)
        if self.task == "multi_label" and self.polarity is not None:
            raise ValueError("polarity is for single_label classifiers; leave it out")
        return self

    @model_validator(mode="after")
    def _somebody_to_read_the_unlabelled(self) -> Configuration:
        check_read(self.unlabelled, self.words, self.distillation)
        return self

    def as_json(self) -> dict[str, JsonValue]:
        """What the weights depend on, as plain JSON values."""
        return self.model_dump(mode="json", exclude={"expected"})


def check_read(unlabelled: object, words: Words, distillation: Distillation | None) -> None:
    """Raise ``ValueError`` if texts are ``unlabelled`` and nothing reads them."""
    if unlabelled and not (distillation or IN_DOMAIN in words.vectors):
        raise ValueError(
            "unlabelled texts are for a teacher or in-domain vectors; add [distillation], or "
            f"{IN_DOMAIN!r} to words.vectors"
        )
