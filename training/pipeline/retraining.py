"""Retraining: a challenger is trained on the current data, and the gate decides on its promotion.

The served model changes only in the last step, which replaces one file. After a kill at any moment,
a restart continues: with the training from its last epoch, or with the evaluation of a challenger
that is in the registry already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.service.files.lock import hold_lock
from valence.training.checks import suite
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.data.split import hash_examples
from valence.training.pipeline import training_run
from valence.training.pipeline.gate import evaluation
from valence.training.pipeline.gate.candidate import load_candidate
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.verdict import Check, Verdict
from valence.training.registry import store
from valence.training.runtime import provenance
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.tracking.tracker import UNTRACKED, Tracking


def retrain_model(
    configuration: Configuration,
    run: Run,
    *,
    rules: Rules,
    engine: str = "auto",
    tracking: Tracking = UNTRACKED,
) -> tuple[Verdict, Path]:
    """Train a challenger, evaluate it, and promote it if it passes the gate.

    Returns the verdict and its file. The verdict holds the findings of the quick data checks, and
    the drift from the champion's data.

    Without a champion, servers serve the latest version of a model. So the latest version becomes
    the champion first, and the challenger is not served before the verdict. Raises
    :class:`ConfigurationError` if another process retrains the model, if the champion has other
    labels, and for faulty data (:mod:`valence.training.checks.suite`).
    """
    if not configuration.data.has_test:
        raise ConfigurationError(
            'the gate needs test texts; data.dev and data.split = "stratified" leave none. '
            "Train with `valence train`, or remove these settings"
        )
    name = configuration.name
    folder = run.workspace.root / "verdicts"
    with hold_lock(folder / f".{name}", work=f"retraining {name}"):
        champion = find_champion(name, run.reporter)
        if champion is not None:
            _check_same_labels(champion, configuration)
        loaded, splits = training_run.load_splits(configuration, run)
        hashes = {part: hash_examples(getattr(splits, part)) for part in ("train", "dev", "test")}
        challenger = _find_same_version(configuration, hashes)
        texts = len(splits.test)
        if challenger and (verdict := _reject_known_version(challenger, champion, texts, rules)):
            return verdict, verdict.write(folder)
        findings = suite.check_before_training(configuration, loaded, splits, run.reporter)
        if champion is not None:
            findings += suite.check_drift(loaded, champion)
        if challenger is None:
            challenger = training_run.train_classifier(
                configuration,
                run,
                with_baselines=False,
                tracking=tracking,
                unchecked=True,  # the data are checked above
            ).tag
        else:
            run.reporter.say(
                f"{challenger} has the same data and settings, so it is only evaluated"
            )
        run.reporter.say(f"evaluating {challenger} on {texts:,} texts")
        verdict = _evaluate(
            champion, challenger, splits.test, hashes["test"], rules=rules, engine=engine
        ).model_copy(update={"data": tuple(finding.line() for finding in findings)})
        path = verdict.write(folder)
        # last, because only this step changes what servers serve
        if verdict.decision == "promoted":
            store.promote_version(challenger)
        return verdict, path


def find_champion(name: str, reporter: Reporter) -> str | None:
    """The tag of the champion of ``name``; None for a model without versions.

    Without a champion, the latest version becomes the champion.
    """
    if not store.list_versions(name):
        return None
    if store.read_champion(name) is None:
        latest = store.find_model(f"{name}:latest").name
        store.promote_version(f"{name}:{latest}", how="adopted")
        reporter.say(f"{name}:{latest}, the served version, is now the champion")
    return f"{name}:{store.find_model(name).name}"


def _check_same_labels(champion: str, configuration: Configuration) -> None:
    manifest = artifact.load(store.find_model(champion)).manifest
    here, there = set(configuration.labels), set(manifest.labels)
    if manifest.task != configuration.task:
        raise ConfigurationError(
            f"the champion {champion} is a {manifest.task} classifier, the challenger would be "
            f"{configuration.task}: they cannot be compared; train the challenger "
            "under another name"
        )
    if here != there:
        raise ConfigurationError(
            f"the champion {champion} has the labels {sorted(there)}, the challenger would have "
            f"{sorted(here)}: they cannot be compared, and clients expect the labels of the "
            "champion; train the challenger under another name, or run `valence train` and "
            "`valence promote`"
        )


def _find_same_version(configuration: Configuration, hashes: dict[str, str]) -> str | None:
    """The tag of the newest version with the same data, settings and packages."""
    for version in reversed(store.list_versions(configuration.name)):
        tag = f"{configuration.name}:{version}"
        training = artifact.load(store.find_model(tag)).manifest.training
        if (training.split_sha256, training.configuration, training.packages) == (
            hashes,
            configuration.as_json(),
            provenance.packages(),
        ):
            return tag
    return None


def _reject_known_version(
    tag: str, champion: str | None, texts: int, rules: Rules
) -> Verdict | None:
    """The verdict on a version that is or was the champion; None for any other version.

    A version that was rolled back is never promoted again automatically.
    """
    name, _, version = tag.partition(":")
    record = store.read_champion(name)
    if record is None or version not in {change.version for change in record.changes}:
        return None
    here = "is the champion" if tag == champion else "was the champion before"
    check = Check(
        name="something new",
        passed=False,
        limit="other data or settings",
        reason=f"data and settings are those of {tag}, which {here}",
    )
    return _make_verdict(tag, champion, (check,), texts=texts, rules=rules)


def _evaluate(
    champion: str | None,
    challenger: str,
    examples: Sequence[Example],
    test_hash: str,
    *,
    rules: Rules,
    engine: str,
) -> Verdict:
    challenger_model = load_candidate(challenger, engine=engine)
    held_out = "a hash of each text keeps the text out of every training"
    checks: tuple[Check, ...]
    if champion is None:
        checks = evaluation.evaluate_first_version(challenger_model, examples, rules)
    else:
        champion_model = load_candidate(champion, engine=engine)
        checks = evaluation.evaluate_challenger(champion_model, challenger_model, examples, rules)
        if champion_model.manifest.training.split_sha256.get("test") == test_hash:
            held_out = "the test texts of both models"
    return _make_verdict(
        challenger, champion, checks, texts=len(examples), rules=rules, held_out=held_out
    )


def _make_verdict(
    challenger: str,
    champion: str | None,
    checks: tuple[Check, ...],
    *,
    texts: int,
    rules: Rules,
    held_out: str = "not compared",
) -> Verdict:
    failed = any(check.passed is False for check in checks)
    return Verdict(
        model=challenger.partition(":")[0],
        challenger=challenger,
        champion=champion,
        decision="kept" if failed else "promoted",
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        held_out_texts=texts,
        held_out=held_out,
        rules=rules,
        checks=checks,
    )
