"""Retraining: a challenger is trained on the current data, and the gate decides on its promotion.

The served model changes only in the last step, which replaces one file. After a kill at any moment,
a restart continues: with the training from its last epoch, or with the evaluation of a challenger
that is in the registry already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.service.files.lock import hold_lock
from valence.training.checks import suite
from valence.training.config.schema import Configuration
from valence.training.data.label_names import show_labels
from valence.training.data.split import Splits, hash_examples
from valence.training.pipeline import training_run
from valence.training.pipeline.gate import evaluation
from valence.training.pipeline.gate.candidate import load_candidate
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.shadow_trial import ShadowTrial
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
    trial: ShadowTrial | None = None,
) -> tuple[Verdict, Path]:
    """Train a challenger, evaluate it, and promote it if it passes the gate.

    With a ``trial``, a challenger that would replace a champion is first tried by servers on the
    texts of clients. Returns the verdict and its file. The verdict holds the findings of the quick
    data checks, and the drift from the champion's data.

    Without a champion, servers serve the latest version of a model. So the latest version is judged
    first, as a first version is: if it beats a constant answer, it becomes the champion; if not, it
    stays what is served until the verdict. Raises :class:`ConfigurationError` if another process
    retrains the model, if the champion has other labels, and for faulty data
    (:mod:`valence.training.checks.suite`).
    """
    if not configuration.data.has_test:
        raise ConfigurationError(
            'the gate needs test texts; data.dev and data.split = "stratified" leave none. '
            "Train with `valence train`, or remove these settings"
        )
    name = configuration.name
    folder = run.workspace.root / "verdicts"
    with hold_lock(folder / f".{name}", work=f"retraining {name}"):
        served = find_served(name)
        if trial is not None and served is not None:
            # before a training whose challenger could not be tried
            trial.require_servers(name)
        if served is not None:
            _check_same_labels(served, configuration)
        champion = served if store.read_champion(name) is not None else None
        loaded, splits = training_run.load_splits(configuration, run)
        hashes = {part: hash_examples(getattr(splits, part)) for part in ("train", "dev", "test")}
        gate = _Gate(splits, hashes["test"], rules, engine)
        challenger = _find_same_version(configuration, hashes)
        if challenger and (verdict := _reject_known_version(challenger, champion, gate)):
            return verdict, verdict.write(folder)
        findings = suite.check_before_training(configuration, loaded, splits, run.reporter)
        adopted: tuple[Check, ...] = ()
        if served is not None and served not in (champion, challenger):
            adopted = gate.judge_first_version(served)
            champion = _adopt_version(served, adopted, run.reporter)
        if champion is not None:
            findings += suite.check_drift(loaded, champion)
        doubts: tuple[str, ...] = ()
        if challenger is None:
            trained = training_run.train_classifier(
                configuration,
                run,
                with_baselines=False,
                tracking=tracking,
                unchecked=True,  # the data are checked above
            )
            challenger, doubts = trained.tag, trained.doubts
            if served is not None and champion is None:
                store.serve_version(served)
        else:
            run.reporter.say(
                f"{challenger} has the same data and settings, so it is only evaluated"
            )
        run.reporter.say(f"evaluating {challenger} on {len(splits.test):,} texts")
        data = (*(finding.line() for finding in findings), *doubts)
        verdict = gate.judge_challenger(champion, challenger)
        if verdict.decision == "promoted" and champion is not None and trial is not None:
            checks = trial.judge(champion, challenger, rules, run.reporter)
            verdict = gate.add_checks(verdict, checks)
        verdict = verdict.model_copy(update={"data": data, "adopted": adopted if champion else ()})
        path = verdict.write(folder)
        # last, because only this step changes what servers serve
        if verdict.decision == "promoted":
            store.promote_version(challenger)
        if trial is not None:
            trial.end(challenger)
        return verdict, path


def find_served(name: str) -> str | None:
    """The tag of the version of ``name`` that servers serve: the champion, or else the latest.

    None for a model without versions.
    """
    return f"{name}:{store.find_model(name).name}" if store.list_versions(name) else None


def _adopt_version(tag: str, checks: Sequence[Check], reporter: Reporter) -> str | None:
    """Make the version ``tag`` the champion if it passed all ``checks``; else None."""
    reasons = [check.reason for check in checks if check.passed is False]
    if reasons:
        reporter.say(
            f"{tag}, the served version, was never judged and does not become the champion: "
            + "; ".join(reasons)
        )
        return None
    store.promote_version(tag, how="adopted")
    reporter.say(f"{tag}, the served version, was judged and is now the champion")
    return tag


def _check_same_labels(served: str, configuration: Configuration) -> None:
    manifest = artifact.load(store.find_model(served)).manifest
    here, there = set(configuration.labels), set(manifest.labels)
    if manifest.task != configuration.task:
        raise ConfigurationError(
            f"{served}, which is served, is a {manifest.task} classifier, the challenger would be "
            f"{configuration.task}: they cannot be compared; train the challenger "
            "under another name"
        )
    if here != there:
        raise ConfigurationError(
            f"{served}, which is served, has the labels {show_labels(sorted(there))}, the "
            f"challenger would have {show_labels(sorted(here))}: they cannot be compared, and "
            "clients expect the labels of the served version; train the challenger under another "
            "name, or run `valence train` and `valence promote`"
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


def _reject_known_version(tag: str, champion: str | None, gate: _Gate) -> Verdict | None:
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
    return gate.make_verdict(tag, champion, (check,))


@dataclass(frozen=True, slots=True)
class _Gate:
    """The held-out texts and the rules by which versions are judged."""

    splits: Splits
    test_hash: str
    rules: Rules
    engine: str

    def judge_first_version(self, tag: str) -> tuple[Check, ...]:
        """The checks of a version that no champion is compared with."""
        return evaluation.evaluate_first_version(
            load_candidate(tag, engine=self.engine),
            self.splits.test,
            self.rules,
            train=self.splits.train,
            dev=self.splits.dev,
        )

    def judge_challenger(self, champion: str | None, challenger: str) -> Verdict:
        """The verdict on ``challenger``."""
        if champion is None:
            return self.make_verdict(
                challenger,
                None,
                self.judge_first_version(challenger),
                held_out="a hash of each text keeps the text out of the training",
            )
        champion_model, challenger_model = (
            load_candidate(tag, engine=self.engine) for tag in (champion, challenger)
        )
        checks = evaluation.evaluate_challenger(
            champion_model, challenger_model, self.splits.test, self.rules
        )
        held_out = "a hash of each text keeps the text out of every training"
        if champion_model.manifest.training.split_sha256.get("test") == self.test_hash:
            held_out = "the test texts of both models"
        return self.make_verdict(challenger, champion, checks, held_out=held_out)

    def add_checks(self, verdict: Verdict, checks: tuple[Check, ...]) -> Verdict:
        """``verdict`` after further checks."""
        return self.make_verdict(
            verdict.challenger,
            verdict.champion,
            (*verdict.checks, *checks),
            held_out=verdict.held_out,
        )

    def make_verdict(
        self,
        challenger: str,
        champion: str | None,
        checks: tuple[Check, ...],
        *,
        held_out: str = "not compared",
    ) -> Verdict:
        """The verdict that follows from ``checks``."""
        failed = any(check.passed is False for check in checks)
        return Verdict(
            model=challenger.partition(":")[0],
            challenger=challenger,
            champion=champion,
            decision="kept" if failed else "promoted",
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            held_out_texts=len(self.splits.test),
            held_out=held_out,
            rules=self.rules,
            checks=checks,
        )
