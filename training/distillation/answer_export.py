"""Ask teachers about all texts of a configuration, and keep their answers as a file."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import require_path
from valence.training.config.schema import SELF, Configuration
from valence.training.data.preparation import prepare
from valence.training.data.split import hash_examples
from valence.training.distillation import answer_file, live_answers
from valence.training.distillation.answer_file import AnswerRecord
from valence.training.runtime import provenance
from valence.training.runtime.run import Run
from valence.training.trainer import network


def export_answers(
    configuration: Configuration, run: Run, output: Path, *, command: str
) -> AnswerRecord:
    """Write the answers about all that a student of ``configuration`` learns from to ``output``.

    Tunes the teachers first, or reads them from the workspace. Dev texts calibrate and evaluate
    them; no answer about a dev or test text is written. ``command`` is noted in the record. Raises
    :class:`ConfigurationError` without a section ``[distillation]``, and :class:`FetchError`.
    """
    check_output(configuration, output)
    prepared = prepare(configuration, run)
    settings = live_answers.distillation_section(configuration)
    # word vectors are only needed by a network that is its own teacher
    own = SELF in settings.teacher
    pretrained = network.load_word_vectors(configuration, prepared, run) if own else None
    itself = live_answers.train_self_teacher(configuration, prepared, pretrained, run)
    live = live_answers.make_answers(configuration, prepared, itself, run)
    metrics = live_answers.score_answers(live, configuration, prepared, ["dev"])
    run.reporter.say(f"teacher on dev: macro-F1 {metrics['dev']['macro_f1']:.4f}")
    questions = live_answers.list_questions(configuration, prepared.raw)
    kinds = {
        "labelled": questions.labelled,
        "augmented": questions.augmented,
        "unlabelled": questions.unlabelled,
    }
    if questions.counterfactuals:
        kinds["counterfactual"] = tuple(example.text for example in questions.counterfactuals)
    texts = tuple(dict.fromkeys(text for asked in kinds.values() for text in asked))
    record = AnswerRecord(
        sha256=answer_file.write_tensors(output, texts, live.probabilities(texts)),
        labels=configuration.labels,
        task=configuration.task,
        teachers=live.origins,
        metrics=metrics,
        settings=settings.model_dump(mode="json", exclude={"answers"}),
        corpora=prepared.raw.loaded.records,
        train_sha256=hash_examples(prepared.raw.splits.train),
        dev_sha256=hash_examples(prepared.raw.splits.dev),
        texts={kind: len(asked) for kind, asked in kinds.items()},
        command=command,
        code=provenance.code_version(),
        packages={**provenance.packages(), "transformers": version("transformers")},
        hardware=provenance.hardware(run.device),
        date=datetime.now(UTC).date().isoformat(),
    )
    answer_file.write_record(output, record)
    return record


def check_output(configuration: Configuration, output: Path) -> None:
    """Raise :class:`ConfigurationError` if answers cannot be written, before any is computed."""
    if configuration.distillation is None:
        raise ConfigurationError(
            f"{configuration.name} has no teacher; add a section [distillation] to its file"
        )
    if output.suffix != answer_file.SUFFIX:
        raise ConfigurationError(
            f"{output}: give the file a name that ends in {answer_file.SUFFIX}"
        )
    if not output.parent.is_dir():
        raise ConfigurationError(f"{output.parent}: no such folder; make it first")
    require_path(output)
