from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from valence.service.errors import ConfigurationError
from valence.service.files.lock import hold_lock
from valence.training.checks.finding import Finding
from valence.training.config.schema import Configuration
from valence.training.corpora import catalog
from valence.training.corpora.example import Example
from valence.training.pipeline import retraining, training_run
from valence.training.pipeline.gate.rules import Rules
from valence.training.pipeline.gate.shadow_trial import ALIAS, ShadowTrial
from valence.training.pipeline.gate.verdict import Verdict
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace
from valence.training.shadow.evidence import Evidence, Report

# each test trains and judges several networks
pytestmark = pytest.mark.slow

Configured = Callable[..., Configuration]
Retrain = Callable[..., Verdict]
RULES = Rules(draws=300, latency_ratio=1_000.0)
# a network for the toy corpus that has hardly learnt anything
HASTY = {"epochs": 1, "learning_rate": 1e-5, "warmup_steps": 0}


@pytest.fixture
def retrain(workspace: Workspace, silent: type[Reporter], configured: Configured) -> Retrain:
    """Return a function that retrains the toy classifier and returns the verdict."""

    def retrain(
        reporter: Reporter | None = None, *, trial: ShadowTrial | None = None, **sections: object
    ) -> Verdict:
        verdict, path = retraining.retrain_model(
            configured(**sections),
            run=Run(workspace, reporter or silent()),
            rules=RULES,
            engine="reference",
            trial=trial,
        )
        assert Verdict.model_validate_json(path.read_bytes()) == verdict
        return verdict

    return retrain


def champion() -> str:
    return f"toy:{store.find_model('toy').name}"


def test_a_first_version_that_learnt_is_promoted(retrain: Retrain) -> None:
    verdict = retrain()
    assert verdict.decision == "promoted"
    assert verdict.champion is None
    assert store.read_champion("toy").version == verdict.challenger.partition(":")[2]
    said = verdict.summarize()
    assert said.startswith(f"promoted: {verdict.challenger} is champion, the first; macro-F1 ")
    assert ", a linear model's " in said


def test_a_first_version_that_learnt_nothing_is_not_promoted(retrain: Retrain) -> None:
    verdict = retrain(optimization=HASTY)
    assert verdict.decision == "kept"
    assert "not clearly above" in verdict.summarize()
    assert "there is no champion" in verdict.summarize()
    assert store.read_champion("toy") is None


@pytest.fixture
def train(workspace: Workspace, silent: type[Reporter], configured: Configured):
    """Return a function that trains the toy classifier without the gate; it returns the tag."""

    def train(**sections: object) -> str:
        return training_run.train_classifier(
            configured(**sections), run=Run(workspace, silent()), with_baselines=False
        ).tag

    return train


def test_a_served_version_is_judged_before_it_is_champion(
    retrain: Retrain, train, silent: type[Reporter]
) -> None:
    served = train(optimization={"epochs": 2})
    reporter = silent()
    verdict = retrain(reporter)
    assert verdict.champion == served
    assert f"{served}, the served version, was judged and is now the champion" in reporter.said
    assert [check.name for check in verdict.adopted] == [
        "macro recall against a constant answer",
        "macro-F1 beside the linear model",
    ]
    assert verdict.adopted[0].passed is True
    assert "became the champion by:" in verdict.render_markdown()
    assert store.read_champion("toy").changes[0].how == "adopted"


def test_a_served_version_that_learnt_nothing_is_no_champion(
    retrain: Retrain, train, silent: type[Reporter]
) -> None:
    """The challenger is judged as a first version."""
    served = train(optimization=HASTY)
    reporter = silent()
    verdict = retrain(reporter)
    assert (verdict.decision, verdict.champion, verdict.adopted) == ("promoted", None, ())
    assert any(
        line.startswith(f"{served}, the served version, was never") for line in reporter.said
    )
    assert [change.how for change in store.read_champion("toy").changes] == ["promoted"]
    assert champion() == verdict.challenger


def test_a_kept_challenger_is_not_served_without_champion(retrain: Retrain, train) -> None:
    served = train(optimization=HASTY)
    verdict = retrain(optimization={**HASTY, "seed": 1})
    assert (verdict.decision, verdict.champion) == ("kept", None)
    assert "there is no champion" in verdict.summarize()
    assert len(store.list_versions("toy")) == 2
    assert champion() == served


def test_a_trained_version_is_judged_without_another_training(
    retrain: Retrain, train, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = train()
    monkeypatch.setattr(training_run, "train_classifier", None)
    verdict = retrain()
    assert (verdict.decision, verdict.challenger, verdict.champion) == ("promoted", served, None)
    assert champion() == served
    assert retrain().decision == "kept"


def test_a_better_challenger_is_promoted_and_can_be_rolled_back(retrain: Retrain, train) -> None:
    worse = train(optimization=HASTY)
    store.promote_version(worse)
    verdict = retrain()
    assert verdict.decision == "promoted", verdict.reasons
    assert verdict.champion == worse
    assert champion() == verdict.challenger
    store.roll_back("toy")
    assert champion() == worse


class Counted(Report):
    """The report of servers that have compared ``texts`` of any pair."""

    texts: int

    def find(self, version: str, challenger: str) -> Evidence:
        assert store.list_aliases("toy")[ALIAS].version == challenger
        return Evidence(
            model="toy", version=version, challenger=challenger, servers=1, agreed=self.texts
        )


@pytest.mark.parametrize(("texts", "decision"), [(1_000, "promoted"), (999, "kept")])
def test_a_better_challenger_is_tried_before_it_is_promoted(
    retrain: Retrain, train, monkeypatch: pytest.MonkeyPatch, texts: int, decision: str
) -> None:
    report = Counted(model="toy", share=0.1, pairs=(), texts=texts)
    monkeypatch.setattr(ShadowTrial, "_read_report", lambda *_: report)
    worse = train(optimization=HASTY)
    store.promote_version(worse)
    verdict = retrain(trial=ShadowTrial(0.0, ("a",)))
    assert verdict.decision == decision
    assert champion() == (verdict.challenger if decision == "promoted" else worse)
    assert [check.name for check in verdict.checks if check.name.startswith("shadow")]
    assert ALIAS not in store.list_aliases("toy")


def test_a_worse_challenger_does_not_replace_the_champion(
    retrain: Retrain,
) -> None:
    first = retrain().challenger
    verdict = retrain(optimization=HASTY)
    assert verdict.decision == "kept"
    assert verdict.reasons[0].startswith("macro-F1 is worse")
    assert champion() == first
    assert set(store.list_versions("toy")) == {tag[4:] for tag in (first, verdict.challenger)}
    assert verdict.summarize().startswith(f"kept: {first} stays champion")


def test_the_same_data_and_settings_are_not_trained_again(
    retrain: Retrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrain()
    monkeypatch.setattr(training_run, "train_classifier", None)
    verdict = retrain()
    assert verdict.decision == "kept"
    assert verdict.reasons == (
        f"data and settings are those of {verdict.challenger}, which is the champion",
    )


def test_a_rolled_back_version_is_not_promoted_automatically(retrain: Retrain) -> None:
    first = retrain(optimization={"epochs": 2}).challenger
    second = retrain(optimization=HASTY).challenger
    store.promote_version(second)
    store.roll_back("toy")
    verdict = retrain(optimization=HASTY)
    assert verdict.reasons[0].endswith("which was the champion before")
    assert champion() == first


def test_a_run_interrupted_after_training_resumes_with_judging(
    retrain: Retrain, silent: type[Reporter]
) -> None:
    first = retrain().challenger
    stopped = silent(stop_saying="evaluating")
    with pytest.raises(KeyboardInterrupt):
        retrain(stopped, optimization=HASTY)
    assert champion() == first
    waiting = store.list_versions("toy")
    reporter = silent()
    verdict = retrain(reporter, optimization=HASTY)
    assert store.list_versions("toy") == waiting
    assert any("only evaluated" in line for line in reporter.said)
    assert verdict.champion == first


def test_other_labels_are_refused_before_training(
    retrain: Retrain, monkeypatch: pytest.MonkeyPatch, configured: Configured, workspace: Workspace
) -> None:
    first = retrain().challenger
    monkeypatch.setattr(training_run, "train_classifier", None)
    other = configured().model_copy(update={"labels": ("negative", "positive")})
    arguments = {
        "run": Run(workspace, Reporter()),
        "rules": RULES,
    }
    with pytest.raises(ConfigurationError, match=r"'neutral'.*would have.*valence promote"):
        retraining.retrain_model(other, **arguments)
    several = configured().model_copy(update={"task": "multi_label"})
    with pytest.raises(ConfigurationError, match="single_label classifier, the challenger"):
        retraining.retrain_model(several, **arguments)
    assert champion() == first


def test_labels_in_another_order_are_the_same_labels(
    retrain: Retrain, workspace: Workspace, silent: type[Reporter], configured: Configured
) -> None:
    retrain(optimization=HASTY)
    turned = configured().model_copy(update={"labels": ("positive", "neutral", "negative")})
    store.promote_version("toy:latest")
    verdict, _ = retraining.retrain_model(
        turned,
        run=Run(workspace, silent()),
        rules=RULES,
        engine="reference",
    )
    assert verdict.decision == "promoted", verdict.reasons


def test_the_verdict_includes_the_findings_of_the_data_checks(
    retrain: Retrain, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [line for line in retrain(optimization=HASTY).data if "drift" in line]
    store.promote_version("toy:latest")
    toy = catalog.CORPORA["toy"]

    def changed(path: Path) -> list[Example]:
        """Give a third of the texts unknown words, and repeat some texts."""
        found = list(toy.read(path))
        strange = [dataclasses.replace(one, text=f"zyx {one.text} wvu tsr") for one in found[:120]]
        return [*strange, *found[100:], *found[100:110]]

    monkeypatch.setitem(catalog.CORPORA, "toy", dataclasses.replace(toy, read=changed))
    verdict = retrain()
    assert any(": duplicates: 10 (" in line for line in verdict.data), verdict.data
    assert any("drift" in line for line in verdict.data), verdict.data
    path = next((workspace.root / "verdicts").glob(f"{verdict.challenger.replace(':', '-')}*.md"))
    assert f"- {verdict.data[0]}\n" in path.read_text()


def test_invalid_data_are_refused_before_training(
    retrain: Retrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = Finding(check="c", severity="error", count=1, share=1.0, message="all wrong")
    monkeypatch.setattr("valence.training.checks.suite.run_quick_checks", lambda *_: [error])
    with pytest.raises(ConfigurationError, match="c: all wrong"):
        retrain()
    assert store.list_versions("toy") == []


def test_two_simultaneous_retrainings_are_refused(retrain: Retrain, workspace: Workspace) -> None:
    with (
        hold_lock(workspace.root / "verdicts" / ".toy", work="retraining toy"),
        pytest.raises(ConfigurationError, match="another process is retraining toy"),
    ):
        retrain()


def test_with_more_data_models_are_compared_on_unseen_texts(
    retrain: Retrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = catalog.CORPORA["toy"]
    fewer = dataclasses.replace(toy, read=lambda path: list(toy.read(path))[:300])
    with monkeypatch.context() as patch:
        patch.setitem(catalog.CORPORA, "toy", fewer)
        first = retrain()
    verdict = retrain()
    assert verdict.held_out_texts > first.held_out_texts
    assert "a hash of each text" in verdict.held_out
    assert retrain(optimization={"seed": 1}).held_out in (
        verdict.held_out,
        "the test texts of both models",
    )


def test_the_verdict_is_a_table_and_a_file(retrain: Retrain, workspace: Workspace) -> None:
    retrain()
    verdict = retrain(optimization=HASTY)
    pages = [path.read_text() for path in Path(workspace.root / "verdicts").glob("*.md")]
    page = next(page for page in pages if "FAILED" in page)
    assert verdict.summarize() in page
    assert "| macro-F1 |" in page
    assert "| label changes, lower case |" in page
    assert "| not judged |" in page
    files = list(Path(workspace.root / "verdicts").glob("*.json"))
    assert len(files) == 2
    assert {json.loads(path.read_text())["decision"] for path in files} == {"promoted", "kept"}
