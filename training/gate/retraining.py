"""Retraining: a challenger is trained on the data as they are now, and the gate decides.

Nothing that is served changes until the last step, which replaces one file. Killed at any moment
and started again, it continues: the training from its last epoch, or with the judging of a
challenger that is in the store already.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import torch

from service.classifier import artifact
from service.classifier.manifest import Manifest
from service.errors import ConfigurationError
from training import pipeline, store
from training.configuration import Configuration
from training.corpora import Example
from training.gate import judge
from training.gate.contender import contend
from training.gate.rules import Rules
from training.gate.verdict import Check, Verdict
from training.pipeline import Workspace
from training.progress import Reporter
from training.split import digest


def retrain(
    configuration: Configuration,
    *,
    workspace: Workspace,
    reporter: Reporter,
    device: torch.device,
    rules: Rules,
    engine: str = "auto",
) -> tuple[Verdict, Path]:
    """Train a challenger, judge it, and promote it if it passes; the verdict and its file.

    A model that has versions and no champion is being served by its latest: that one is made
    champion first, so that a challenger is not served before it was judged. Raises
    :class:`ConfigurationError` if another process is at it, and where the labels are not the
    champion's.
    """
    name = configuration.name
    with _alone(workspace, name):
        champion = incumbent(name, reporter)
        if champion is not None:
            _same_labels(champion, configuration)
        _, splits = pipeline.load_splits(configuration, workspace, reporter)
        hashes = {part: digest(getattr(splits, part)) for part in ("train", "dev", "test")}
        challenger = _waiting(configuration, hashes, champion)
        if challenger is None:
            challenger = pipeline.train(
                configuration,
                workspace=workspace,
                reporter=reporter,
                device=device,
                with_baselines=False,
            ).tag
        else:
            reporter.say(f"{challenger} is of just these data and settings: judged, not trained")
        reporter.say(f"judging {challenger} on {len(splits.test):,} texts")
        verdict = _judge(champion, challenger, splits.test, hashes["test"], rules, engine)
        path = verdict.write(workspace.root / "verdicts")
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
            "champion's; train it under another name, or train it with `make train` and promote it "
            "by hand with `make promote`"
        )


def _waiting(
    configuration: Configuration, hashes: dict[str, str], champion: str | None
) -> str | None:
    """The newest version, if it was made of these data and settings and is not the champion."""
    found = store.versions(configuration.name)
    if not found:
        return None
    tag = f"{configuration.name}:{found[-1]}"
    manifest: Manifest = artifact.load(store.path(tag)).manifest
    same = (
        manifest.training.split_sha256 == hashes
        and manifest.training.configuration == pipeline.as_json(configuration)
        and manifest.training.packages == pipeline.provenance.packages()
    )
    return tag if same and tag != champion else None


def _judge(
    champion: str | None,
    challenger: str,
    examples: Sequence[Example],
    test_hash: str,
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
    failed = any(check.passed is False for check in checks)
    return Verdict(
        model=second.manifest.name,
        challenger=challenger,
        champion=champion,
        decision="kept" if failed else "promoted",
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        held_out_texts=len(examples),
        held_out=held_out,
        rules=rules,
        checks=checks,
    )


@contextmanager
def _alone(workspace: Workspace, name: str) -> Iterator[None]:
    lock = workspace.root / "verdicts" / f".{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another process is retraining {name} ({lock}); wait for it"
            ) from None
        yield
