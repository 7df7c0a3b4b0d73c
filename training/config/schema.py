"""The schema of a configuration: what a classifier is trained from, and how.

The defaults are the values of the default model, except for its word vectors: an encoder takes
minutes to make those. ``docs/training-log.md`` has the measurements behind the defaults.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)
from valence.service.classifier.architecture import (
    MAX_LAYERS,
    MAX_ORDER,
    MAX_SIZE,
    MAX_WORDS,
    Cell,
    Pooling,
)
from valence.service.classifier.labels import check_labels
from valence.service.classifier.manifest import MAX_TOKENS, EmojiWords, Misspelled, Task
from valence.service.files import dialects
from valence.service.files.encodings import AUTO
from valence.training.config.columns import Columns

MINILM = "all-minilm-l6-v2"
"""The sentence encoder that is a package of PyPI."""

IN_DOMAIN = "in-domain"
"""Word vectors that are learnt from the user's own texts."""

N_GRAMS = "n-grams"
"""The teacher that is a linear model."""

SELF = "self"
"""The teacher that is the network itself, trained on the labels alone first."""

MAX_NETWORKS = 10  # of a teacher

OutsideKind = Literal["everyday", "languages", "noise"]
"""A kind of the texts that Valence has and that belong to none of the labels of most models."""

Numbers = Literal["alike", "own"]
"""Whether all numbers are one word, or frequent numbers are words of their own."""


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
"""One name, or a list of names."""

Tuning = Literal["whole", "head", "pairs"]
"""What learns when an encoder becomes a teacher."""

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(_Section):
    """The texts, and the targets that the network learns."""

    corpora: tuple[str, ...] = Field(default=(), description="Names of published corpora.")
    files: Names = Field(
        default=(),
        description="Your own texts: a path, a folder, a glob, or a list of these. Relative paths "
        "start at the current folder.",
    )
    dev: Names = Field(
        default=(),
        description="Files of dev texts. All texts of `files` are then trained on, and there are "
        "no test texts.",
    )
    split: Literal["hash", "stratified"] = Field(
        default="hash",
        description="How texts are split without `dev`. 'hash': a hash of the text assigns it to "
        "train, dev or test. 'stratified': a tenth of each label's texts are dev, the others "
        "train; test texts are elsewhere.",
    )
    text: str = Field(default="text", description="Column of the files that holds the text.")
    label: str = Field(default="label", description="Column that holds the label or labels.")
    label_separator: str = Field(
        default="|", min_length=1, description="Separator of labels that are one string."
    )
    encoding: str = Field(
        default=AUTO, description="Encoding of the files; auto: recognized file by file."
    )
    quoting: Literal[dialects.QUOTINGS] = Field(  # type: ignore[valid-type]
        default=dialects.AUTO,
        description="How CSV and TSV files have a quotation mark within a text: 'double' or "
        "'backslash'; 'none': quotation marks enclose no texts; 'auto': recognized file by file.",
    )
    streamed: bool | None = Field(
        default=None,
        description="Read files during training, for `steps` steps, instead of into memory. "
        "Without this key, files larger than 256 MiB are streamed.",
    )
    targets: Literal["shares", "labels"] = Field(
        default="shares",
        description="Learn the share of raters that chose each label, if the corpus has it (soft "
        "targets: Peterson et al. 2019), or the label alone.",
    )

    class_weights: Literal["none", "balanced"] = Field(
        default="none",
        description="'balanced': in the loss, the texts of each label weigh the same together, so "
        "that a rare label is found more often, and named wrongly more often.",
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
            quoting=self.quoting,
        )

    @property
    def has_test(self) -> bool:
        """Whether some of the texts are test texts."""
        return self.split == "hash" and not self.dev

    @model_validator(mode="after")
    def _require_texts(self) -> Data:
        if not (self.corpora or self.files):
            raise ValueError("name corpora, or files of your own")
        if self.streamed and self.corpora:
            raise ValueError("published corpora fit into memory; streamed = true is for files")
        if self.dev and not self.files:
            raise ValueError(
                "dev names files of dev texts; name the files of training texts by files"
            )
        if self.streamed and not self.has_test:
            raise ValueError("streamed texts are split by their hash; leave out dev and split")
        if self.streamed and self.class_weights != "none":
            raise ValueError(
                "class_weights need the counts of all labels, and streamed texts have none; leave "
                "out one of them"
            )
        if self.text == self.label:
            raise ValueError(f"text and label are both column {self.text!r}; name two columns")
        return self


class Text(_Section):
    """From text to word ids."""

    max_tokens: int = Field(
        default=512,
        ge=1,
        le=MAX_TOKENS,
        description="Tokens of a text that are read, in training and in serving.",
    )
    sentences_above: int = Field(
        default=0,
        ge=0,
        le=MAX_TOKENS,
        description="Serving reads texts of more tokens sentence by sentence; sentences with a "
        "feeling count most. 0: each text as a whole. For labels with a polarity.",
    )
    sharpness: float = Field(
        default=2.0,
        gt=0.0,
        le=10.0,
        description="The exponent of the mean of the sentences' probabilities.",
    )
    minimum_count: int = Field(
        default=2, ge=1, description="Rarer words of the training texts are unknown words."
    )
    maximum_words: int = Field(default=100_000, ge=1, le=MAX_WORDS)
    numbers: Numbers = Field(
        default="alike",
        description="'alike': all numbers are one word. 'own': frequent numbers are words of their "
        'own, so that "8/10" differs from "1/10".',
    )
    misspelled: Misspelled = Field(
        default="nearest",
        description="How serving reads a word that is not in the vocabulary. 'unknown': as the "
        "unknown word. 'nearest': as the most frequent word that differs by one typing error "
        "(Damerau 1964).",
    )
    emoji: EmojiWords = Field(
        default="named",
        description="'written': an emoji is the word that is written. 'named': every emoji is in "
        "the vocabulary and has the vectors of its name, one word in every skin tone; an emoticon "
        "means the same as an emoji.",
    )


class Words(_Section):
    """The word embedding: pre-trained columns, then columns learnt from scratch."""

    vectors: tuple[str, ...] = Field(
        default=("glove-6b-50d",),
        description="One or several sources, side by side: 'glove-6b-50d', 'all-minilm-l6-v2', a "
        "file of vectors in word2vec or GloVe text format, a folder of another sentence encoder, "
        "or 'in-domain', which is learnt from the training texts and the [unlabelled] texts.",
    )
    encoder_size: int = Field(
        default=128,
        ge=1,
        le=MAX_SIZE,
        description="Columns that the vectors of an encoder are reduced to.",
    )
    in_domain_size: int = Field(
        default=200, ge=1, le=MAX_SIZE, description="Columns of 'in-domain'."
    )
    trainable: bool = Field(default=True, description="Tune the pre-trained columns.")
    tuned_words: int = Field(
        default=0,
        ge=0,
        description="Tune the vectors of so many of the most frequent words alone; 0 is all words. "
        "Rarer words keep their vectors, and so stay near words that no training text has.",
    )
    learned_size: int = Field(default=64, ge=0, le=MAX_SIZE)
    unseen: int = Field(
        default=0,
        ge=0,
        description="Add so many of the most frequent words of GloVe or of a file of vectors to "
        "the vocabulary, even if no training text has them.",
    )

    @field_validator("vectors", mode="before")
    @classmethod
    def _accept_one_name(cls, value: object) -> object:
        return () if value is None or value == "" else _as_tuple(value)

    @model_validator(mode="after")
    def _require_columns(self) -> Words:
        if len(set(self.vectors)) != len(self.vectors):
            raise ValueError(f"vectors {list(self.vectors)}: a source is named twice")
        if not self.vectors and self.learned_size == 0:
            raise ValueError("without vectors, learned_size must be at least 1")
        return self


class Network(_Section):
    """The recurrent part; see :class:`valence.service.classifier.architecture.Architecture`."""

    cell: Cell = "lstm"
    hidden_size: int = Field(default=128, ge=1, le=MAX_SIZE, description="Units per direction.")
    layers: int = Field(default=1, ge=1, le=MAX_LAYERS)
    bidirectional: bool = True
    pooling: Pooling = "max_mean"


class NGramSection(_Section):
    """A linear model over n-grams, whose logits are added to those of the network.

    Both are fitted to the same targets. See :mod:`valence.training.linear`.
    """

    alone: bool = Field(
        default=False, description="Leave the network out: the n-grams are the classifier."
    )
    words: int = Field(default=2, ge=1, le=MAX_ORDER, description="Words of an n-gram, at most.")
    minimum_count: int = Field(
        default=2,
        ge=1,
        description="N-grams of two words or more that fewer texts have have no weight. At 1, the "
        "model holds pairs of words of single texts.",
    )
    characters: bool = Field(
        default=True,
        description="Learn from the characters of words, too: a rare word then resembles words "
        "that are written alike.",
    )
    character_weight: float = Field(
        default=1.0,
        gt=0.0,
        description="What the characters of a word weigh beside the word itself.",
    )
    vectors: Names = Field(
        default=(),
        description="Learn from the vectors of words, too: a rare word then resembles words of a "
        "like meaning. Sources as in [words], but for 'in-domain'; `unseen` there adds words that "
        "no text has.",
    )
    strength: float = Field(
        default=10.0,
        gt=0.0,
        description="How closely the weights follow the texts; scikit-learn's C.",
    )
    share: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Share of the n-grams in the sum of calibrated logits; without it, the share "
        "that makes the dev labels likeliest.",
    )

    @model_validator(mode="after")
    def _check_vectors(self) -> NGramSection:
        if IN_DOMAIN in self.vectors:
            raise ValueError(
                f"vectors: {IN_DOMAIN!r} are learnt from the same texts as the n-grams; name "
                "another source"
            )
        return self

    @model_validator(mode="after")
    def _check_share(self) -> NGramSection:
        if self.alone and self.share is not None:
            raise ValueError("share is that of a sum, and n-grams alone have none; leave it out")
        return self


class Regularization(_Section):
    """Dropout and other regularization in training."""

    word_dropout: Probability = Field(
        default=0.05,
        description="Probability of replacing a word by the unknown word, which is learnt so.",
    )
    embedding_dropout: Probability = 0.3
    recurrent_dropout: Probability = Field(default=0.3, description="Between stacked layers.")
    output_dropout: Probability = 0.4
    weight_decay: float = Field(default=0.01, ge=0.0)
    label_smoothing: Probability = 0.0
    averaging: Probability = Field(
        default=0.998, description="Decay of the moving average of the weights per step."
    )


class Optimization(_Section):
    """The optimizer, its schedule and the length of the training."""

    optimizer: Literal["adamw", "adagrad"] = "adamw"
    learning_rate: float = Field(default=2e-3, gt=0.0)
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear",
        description="Course of the learning rate after the warm-up; linear and cosine fall to 0.",
    )
    warmup_steps: int = Field(default=100, ge=0)
    batch_tokens: int = Field(
        default=1_280, ge=1, description="Tokens in a batch of texts of similar length."
    )
    clip_norm: float = Field(default=1.0, gt=0.0)
    epochs: int = Field(default=4, ge=1)
    steps: int | None = Field(
        default=None,
        ge=1,
        description="Batches to train on, for streamed texts, which have no epochs.",
    )
    evaluate_every: int = Field(
        default=1_000, ge=1, description="Steps between two evaluations on dev, for streamed texts."
    )
    patience: int = Field(
        default=2, ge=1, description="Epochs without a better dev macro-F1 before training stops."
    )
    mixed_precision: bool = Field(default=False, description="Compute the recurrence in bfloat16.")
    seed: int = Field(default=0, ge=0)


class UnlabelledTexts(_Section):
    """Texts that are learnt from without their labels, beside the training texts.

    'in-domain' vectors are learnt from these texts, and a teacher labels them.
    """

    corpora: tuple[str, ...] = Field(
        default=(), description="Published corpora whose texts are read without their labels."
    )
    files: Names = Field(default=(), description="Your own texts, named like `files` of [data].")
    text: str = Field(default="text", description="Column of the files that holds the text.")
    encoding: str = Field(
        default=AUTO, description="Encoding of the files; auto: recognized file by file."
    )

    @model_validator(mode="after")
    def _require_texts(self) -> UnlabelledTexts:
        if not (self.corpora or self.files):
            raise ValueError("name corpora, or files of your own")
        return self


class Distillation(_Section):
    """A teacher that learns from the training texts; the network then learns from the teacher.

    Hinton, Vinyals, Dean: *Distilling the Knowledge in a Neural Network*, 2015; for networks
    like these Tang et al.: *Distilling Task-Specific Knowledge from BERT into Simple Neural
    Networks*, 2019. See :mod:`valence.training.distillation`.
    """

    teacher: Names = Field(
        default=(MINILM,),
        min_length=1,
        description="One or several teachers, whose mean is learnt: 'all-minilm-l6-v2' or the "
        "folder of another sentence encoder, which is tuned; 'n-grams', a linear model; 'self', "
        "the network trained on the labels alone first.",
    )
    answers: str | None = Field(
        default=None,
        min_length=1,
        description="Answers that `valence teach` wrote: the path of their file, or the name of "
        "answers that Valence has. No teacher is then tuned or asked, a text without an answer "
        "keeps its labels, and a copy without one is left out.",
    )
    tuning: Tuning = Field(
        default="whole",
        description="How an encoder learns the labels. 'whole': all its weights. 'head': it stays "
        "as it is, and a logistic regression reads its vectors. 'pairs', for few labels: it first "
        "learns which texts share a label, then comes the logistic regression.",
    )
    networks: int = Field(
        default=1,
        ge=1,
        le=MAX_NETWORKS,
        description="Number of tuned encoders, each from another seed; their mean is learnt.",
    )
    epochs: int = Field(default=2, ge=1, description="Epochs of the tuning of an encoder.")
    learning_rate: float = Field(
        default=1e-4, gt=0.0, description="Learning rate of the tuning of an encoder."
    )
    weight: float = Field(
        default=0.5,
        gt=0.0,
        le=1.0,
        description="Weight of the teacher in the targets; the labels have the rest.",
    )
    temperature: float = Field(
        default=1.0,
        gt=0.0,
        le=20.0,
        description="Temperature that softens the teacher's probabilities.",
    )
    copies: int = Field(
        default=2,
        ge=0,
        description="Copies of each training text, with words left out or replaced by near words.",
    )
    counterfactuals: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Weight of the teacher in the targets of the [counterfactuals] without emoji; "
        "the shares that are known from the change have the rest.",
    )
    sentences: bool = Field(
        default=False,
        description="Label each sentence of an [unlabelled] text, not the whole text.",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="Label at most so many [unlabelled] texts, the same texts each time.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the teacher and of the copies.")

    @property
    def encoders(self) -> tuple[str, ...]:
        """The teachers that are sentence encoders."""
        return tuple(name for name in self.teacher if name not in (N_GRAMS, SELF))

    @model_validator(mode="after")
    def _check_teachers(self) -> Distillation:
        if len(set(self.teacher)) != len(self.teacher):
            raise ValueError(f"teacher {list(self.teacher)}: a teacher is named twice")
        for key in ("networks", "epochs", "learning_rate", "tuning"):
            value = getattr(self, key)
            if not self.encoders and value != type(self).model_fields[key].default:
                raise ValueError(
                    f"{key} = {value} is for sentence encoders, and teacher {list(self.teacher)} "
                    f"names none; leave {key} out, or name an encoder"
                )
        return self


class Counterfactuals(_Section):
    """Labelled copies of training texts, each with a change that the network must understand.

    They are for labels with a polarity. See :mod:`valence.training.counterfactuals`.
    """

    emoji: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Share of the training texts that are copied with emoji.",
    )
    contrast: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        description="Copies of clauses of training texts, plain, negated, strengthened and "
        "weakened, as a share of the training texts.",
    )
    people: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        description="Sentences about people of many groups, as a share of the training texts. "
        "Texts that name a person are copied with other groups too.",
    )
    distance: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        description="Clauses of training texts with a negation far before them, as a share of the "
        "training texts.",
    )
    results: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        description="Sentences of business news about figures that rise or fall, as a share of the "
        "training texts.",
    )
    experiences: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        description="Sentences of everyday life that tell what went well, went wrong or was "
        "neither, as a share of the training texts.",
    )
    ratings: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        description="Ratings in stars and points, as a share of the training texts.",
    )
    introductions: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        description="Neutral sentences that name a group of people, as a share of the training "
        "texts. No teacher answers for these sentences.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the copies.")


class Outside(_Section):
    """Texts that belong to none of the labels, so that the model can tell such texts.

    See :mod:`valence.training.outside`. Without any, the model does not tell them.
    """

    kinds: tuple[OutsideKind, ...] | None = Field(
        default=None,
        description="Texts that Valence has: 'everyday' (greetings, recipes, commands, small talk, "
        "...), 'languages' (other than English) and 'noise' (code, numbers, keys pressed at "
        "random). Without this key all of them; none if the labels have a polarity, which any "
        "text has.",
    )
    corpora: tuple[str, ...] = Field(
        default=(), description="Published corpora whose texts belong to none of the labels."
    )
    files: Names = Field(
        default=(),
        description="Your own texts that belong to none of the labels, named like `files` of "
        "[data].",
    )
    text: str = Field(default="text", description="Column of the files that holds the text.")
    encoding: str = Field(
        default=AUTO, description="Encoding of the files; auto: recognized file by file."
    )


class Expected(_Section):
    """The scores that this configuration reaches, with a margin for rounding on other machines.

    A training that reaches less says so.
    """

    metric: Literal["macro_f1", "micro_f1", "accuracy", "macro_recall"] = "macro_f1"
    test: float = Field(ge=0.0, le=1.0)
    ece: float = Field(ge=0.0, le=1.0)
    minutes: float = Field(gt=0.0, description="On two cores, with corpora already fetched.")


class Configuration(_Section):
    """A whole configuration file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    task: Task = Field(
        default="single_label",
        description="One label per text, or any number of labels, each decided alone.",
    )
    labels: tuple[str, ...] = Field(min_length=2, description="In the order of the logits.")
    polarity: dict[str, float] | None = None
    data: Data
    text: Text = Text()
    words: Words = Words()
    network: Network = Network()
    ngrams: NGramSection | None = None
    regularization: Regularization = Regularization()
    optimization: Optimization = Optimization()
    unlabelled: UnlabelledTexts | None = None
    distillation: Distillation | None = None
    counterfactuals: Counterfactuals | None = None
    outside: Outside = Outside()
    chosen: Names = Field(
        default=(), description="Why these settings were chosen; the report quotes it."
    )
    expected: Expected | None = None

    @model_validator(mode="after")
    def _check_labels(self) -> Configuration:
        check_labels(self.labels, self.polarity)
        if self.task == "multi_label" and self.polarity is not None:
            raise ValueError("polarity is for single_label classifiers; leave it out")
        return self

    @model_validator(mode="after")
    def _check_class_weights(self) -> Configuration:
        if self.task == "multi_label" and self.data.class_weights != "none":
            raise ValueError(
                "class_weights are for single_label classifiers; the thresholds of several labels "
                "are chosen one by one; leave class_weights out"
            )
        return self

    @model_validator(mode="after")
    def _check_counterfactuals(self) -> Configuration:
        if self.counterfactuals is not None and self.polarity is None:
            raise ValueError(
                "counterfactuals are for labels with a polarity; add `polarity`, or leave the "
                "section out"
            )
        return self

    @model_validator(mode="after")
    def _check_sentences(self) -> Configuration:
        if self.text.sentences_above and (self.polarity is None or self.outside_kinds):
            raise ValueError(
                f"text.sentences_above = {self.text.sentences_above}: sentences weigh by their "
                "polarity; add `polarity` and leave [outside] out, or set sentences_above = 0"
            )
        return self

    @model_validator(mode="after")
    def _check_tuned_words(self) -> Configuration:
        if self.words.tuned_words and not self.words.trainable:
            raise ValueError(
                f"words.tuned_words = {self.words.tuned_words} and words.trainable = false: set "
                "trainable = true, or leave tuned_words out"
            )
        return self

    @model_validator(mode="after")
    def _check_ngrams(self) -> Configuration:
        alone = self.ngrams is not None and self.ngrams.alone
        if alone and self.distillation is not None and SELF in self.distillation.teacher:
            raise ValueError(
                f"{SELF!r} is a network, and n-grams alone have none; name another teacher, or "
                "leave out ngrams.alone"
            )
        return self

    @model_validator(mode="after")
    def _check_unlabelled(self) -> Configuration:
        check_unlabelled_use(self.unlabelled, self.words, self.distillation)
        return self

    @property
    def outside_kinds(self) -> tuple[OutsideKind, ...]:
        """The kinds of texts that belong to none of the labels."""
        if self.outside.kinds is not None:
            return self.outside.kinds
        return () if self.polarity else get_args(OutsideKind)

    def as_json(self) -> dict[str, JsonValue]:
        """All that the weights depend on, as plain JSON values."""
        return self.model_dump(mode="json", exclude={"expected"})


def check_unlabelled_use(
    unlabelled: object, words: Words, distillation: Distillation | None
) -> None:
    """Raise ``ValueError`` if texts are ``unlabelled`` and nothing reads them."""
    if unlabelled and not (distillation or IN_DOMAIN in words.vectors):
        raise ValueError(
            "only a teacher or in-domain vectors use unlabelled texts; add [distillation], or "
            f"{IN_DOMAIN!r} to words.vectors"
        )
