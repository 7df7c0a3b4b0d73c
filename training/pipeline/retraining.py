"""Retraining: a challenger is trained on the data as they are now, and the gate decides.

Nothing that is served changes until the last step, which replaces one file. Killed at any moment
and started again, it continues: the training from its last epoch, or with the judging of a
challenger that is in the store already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.checks import suite
from valence.training.config.schema import Configuration
from valence.training.corpora.example import Example
from valence.training.data.split import hash_examples
from valence.training.pipeline import training_run
from valence.training.pipeline.gate import judge
from valence.training.pipeline.gate.candidate import contend
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.verdict import Check, Verdict
from valence.training.registry import store
from valence.training.runtime import provenance
from valence.training.runtime.lock import hold_lock
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.tracking.tracker import UNTRACKED, Tracking


def retrain(
    configuration: Configuration,
    run: Run,
    *,
    rules: Rules,
    engine: str = "auto",
    tracking: Tracking = UNTRACKED,
) -> tuple[Verdict, Path]:
    """Train a challenger, judge it, and promote it if it passes; the verdict and its file.

    The verdict tells what the quick checks of the data found, and their drift from the champion's.

    A model that has versions and no champion is being served by its latest: that one is made
    champion first, so that a challenger is not served before it was judged. Raises
    :class:`ConfigurationError` if another process is at it, where the labels are not the
    champion's, and for data that are wrong (:mod:`valence.training.checks.suite`).
    """
    if not configuration.data.has_test:
        raise ConfigurationError(
            'the gate judges on test texts, which data.dev and data.split = "stratified" leave '
            "none of; train with `valence train`, or leave these settings out"
        )
    name = configuration.name
    folder = run.workspace.root / "verdicts"
    with hold_lock(folder / f".{name}", work=f"retraining {name}"):
        champion = incumbent(name, run.reporter)
        if champion is not None:
            _same_labels(champion, configuration)
        loaded, splits = training_run.load_splits(configuration, run)
        hashes = {part: hash_examples(getattr(splits, part)) for part in ("train", "dev", "test")}
        challenger = _made_of(configuration, hashes)
        texts = len(splits.test)
        if challenger and (verdict := _nothing_new(challenger, champion, texts, rules)):
            return verdict, verdict.write(folder)
        findings = suite.check_before_training(configuration, loaded, splits, run.reporter)
        if champion is not None:
            findings += suite.check_drift(loaded, champion)
        if challenger is None:
            challenger = training_run.train(
                configuration,
                run,
                with_baselines=False,
                tracking=tracking,
                unchecked=True,  # they have been
            ).tag
        else:
            run.reporter.say(f"{challenger} was made of just these data and settings: only judged")
        run.reporter.say(f"judging {challenger} on {texts:,} texts")
        verdict = _judge(
            champion, challenger, splits.test, hashes["test"], rules=rules, engine=engine
        ).model_copy(update={"data": tuple(one.line() for one in findings)})
        path = verdict.write(folder)
        # the last step, and the only one that changes what is served
        if verdict.decision == "promoted":
            store.promote(challenger)
        return verdict, path


def incumbent(name: str, reporter: Reporter) -> str | None:
    """The tag of the champion of ``name``; its latest version becomes it where there is none."""
    if not store.versions(name):
        return None
    if store.current(name) is None:
        latest = store.path(f"{name}:latest").name
        store.promote(f"{name}:{latest}", how="adopted")
        reporter.say(f"{name}:{latest}, which is being served, is the champion from now on")
    return f"{name}:{store.path(name).name}"


def _same_labels(champion: str, configuration: Configuration) -> None:
    manifest = artifact.load(store.path(champion)).manifest
    here, there = set(configuration.labels), set(manifest.labels)
    if manifest.task != configuration.task:
        raise ConfigurationError(
            f"the champion {champion} is a {manifest.task} classifier, the challenger would be "
            f"{configuration.task}: they cannot be compared; train it under another name"
        )
    if here != there:
        raise ConfigurationError(
            f"the champion {champion} has the labels {sorted(there)}, the challenger would have "
            f"{sorted(here)}: they cannot be compared, and who reads the answers expects the "
            "champion's; train it under another name, or train it with `valence train` and promote it "
            "by hand with `valence promote`"
        )


def _made_of(configuration: Configuration, hashes: dict[str, str]) -> str | None:
    """The newest version that was made of these data, settings and packages."""
    for version in reversed(store.versions(configuration.name)):
        tag = f"{configuration.name}:{version}"
        made = artifact.load(store.path(tag)).manifest.training
        if (made.split_sha256, made.configuration, made.packages) == (
            hashes,
            configuration.as_json(),
            provenance.packages(),
        ):
            return tag
    return None


def _nothing_new(tag: str, champion: str | None, texts: int, rules: Rules) -> Verdict | None:
    """The verdict on what is, or was, champion already; None on what never was.

    Who was rolled back is not promoted again by a machine.
    """
    name, _, version = tag.partition(":")
    record = store.current(name)
    if record is None or version not in {change.version for change in record.changes}:
        return None
    here = "is the champion" if tag == champion else "was champion and is no more"
    check = Check(
        name="something new",
        passed=False,
        limit="other data or settings",
        reason=f"data and settings are those of {tag}, which {here}",
    )
    return _verdict(tag, champion, (check,), texts=texts, rules=rules)


def _judge(
    champion: str | None,
    challenger: str,
    examples: Sequence[Example],
    test_hash: str,
    *,
    rules: Rules,
    engine: str,
) -> Verdict:
    second = contend(challenger, engine=engine)
    held_out = "a hash of the text keeps them out of every training, whenever they came"
    checks: tuple[Check, ...]
    if champion is None:
        checks = judge.judge_alone(second, examples, rules)
    else:
        first = contend(champion, engine=engine)
        checks = judge.judge(first, second, examples, rules)
        if first.manifest.training.split_sha256.get("test") == test_hash:
            held_out = "the test texts of both"
    return _verdict(
        challenger, champion, checks, texts=len(examples), rules=rules, held_out=held_out
    )


def _verdict(
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
