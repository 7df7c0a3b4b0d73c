from __future__ import annotations

import itertools
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from valence.service.errors import ConfigurationError
from valence.training.config import loader
from valence.training.config.schema import Configuration
from valence.training.corpora import catalog
from valence.training.data import preparation
from valence.training.distillation import transfer_set
from valence.training.embeddings import word_vectors
from valence.training.experiments.search import search as searches
from valence.training.experiments.search import space as spaces
from valence.training.experiments.search import study as studies
from valence.training.experiments.search import trial as trials
from valence.training.experiments.search import winner
from valence.training.experiments.search.search import SearchFiles, SearchLimits, SearchResult
from valence.training.experiments.search.study import REASON, Study
from valence.training.experiments.search.trial import EPOCHS
from valence.training.pipeline import training_run
from valence.training.runtime import deadline
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace
from valence.training.trainer import network

pytestmark = pytest.mark.integration

RATES = "[optimization]\nlearning_rate = { low = 0.001, high = 0.01, log = true }\n"
SLOW = 0.006
GOOD_OR_BAD = "[optimization]\nlearning_rate = { choices = [0.03, 0.000001] }\n"
Search = Callable[..., SearchResult]


@pytest.fixture(scope="session")
def empty_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with Optuna's tables, which take longer to create than a toy trial."""
    path = tmp_path_factory.mktemp("study") / "empty.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    storage.remove_session()
    storage.engine.dispose()
    return path


@pytest.fixture
def search(
    empty_study: Path,
    workspace: Workspace,
    tmp_path: Path,
    configured: Callable[..., Configuration],
    silent: type[Reporter],
) -> Search:
    """Return a function that searches around a toy configuration; arguments change it."""

    def search(
        *,
        space: str = RATES,
        trials: int = 3,
        minutes: float | None = None,
        study: str = "toy",
        reporter: Reporter | None = None,
        fresh: bool = False,
        **sections: dict[str, object],
    ) -> SearchResult:
        path = tmp_path / "space.toml"
        path.write_text(space)
        study_file = workspace.root / "search" / f"{study}.db"
        if not study_file.exists():
            study_file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(empty_study, study_file)
        # a learning rate at which figures differ between epochs
        slow = {"learning_rate": SLOW, "batch_tokens": 500, **sections.pop("optimization", {})}
        sections["optimization"] = slow
        return searches.run_search(
            spaces.load_space(path, configured(**sections)),
            limits=SearchLimits(trials, minutes),
            files=SearchFiles(
                study_file, tmp_path / "best.toml", command="valence search toy.toml"
            ),
            run=Run(workspace, reporter or silent()),
            fresh=fresh,
            unchecked=True,
        )

    return search


def trial_outcomes(
    found: SearchResult,
) -> list[tuple[TrialState, dict[str, Any], float | None, list[float]]]:
    """Return the parts of each trial that do not depend on the clock."""
    return [
        (
            trial.state,
            trial.params,
            trial.value,
            [epoch["dev_macro_f1"] for epoch in trial.user_attrs[EPOCHS]],
        )
        for trial in found.trials
    ]


def test_the_written_best_configuration_reaches_its_score(
    search: Search, tmp_path: Path, workspace: Workspace, silent: type[Reporter]
) -> None:
    found = search()
    assert [trial.number for trial in found.trials] == [0, 1, 2]
    # the first trial is the configuration itself
    assert found.trials[0].params == {"optimization.learning_rate": SLOW}
    assert found.best is not None
    assert found.best.value == max(trial.value or 0.0 for trial in found.trials)
    assert not found.interrupted
    text = (tmp_path / "best.toml").read_text()
    assert text.startswith("# The best of 3 trials of study 'toy' (")
    assert f"trial {found.best.number}, dev macro-F1 {found.best.value:.4f}" in text
    assert "# Written by: valence search toy.toml" in text
    made = training_run.train_classifier(
        loader.load_configuration(tmp_path / "best.toml"),
        run=Run(workspace, silent()),
        with_baselines=False,
    )
    # equal to the last digit: the search trained the same weights
    assert made.evaluations["dev"].macro_f1 == found.best.value


def test_the_written_configuration_lists_its_changes(search: Search, tmp_path: Path) -> None:
    # the learning rate is too low, so that the configuration itself is not the best
    space = "[optimization]\nlearning_rate = { choices = [0.000001, 0.03] }\n"
    found = search(space=space, optimization={"learning_rate": 0.000001}, trials=5)
    assert found.best is not None
    assert found.best.params == {"optimization.learning_rate": 0.03}
    assert "# optimization.learning_rate was 1e-06\n" in (tmp_path / "best.toml").read_text()


def test_a_study_continues_to_the_wanted_number_of_trials(
    search: Search, silent: type[Reporter]
) -> None:
    first = search(trials=1)
    assert len(first.trials) == 1
    both = search(trials=3)
    assert len(both.trials) == 3
    assert both.trials[0].datetime_start == first.trials[0].datetime_start
    reporter: Any = silent()
    again = search(trials=3, reporter=reporter)
    assert trial_outcomes(again) == trial_outcomes(both)
    assert "study 'toy' already has 3 trials; for more, raise --trials" in reporter.said
    # one process, or several in turn, give the same trials to the last digit
    assert trial_outcomes(search(study="whole", trials=3)) == trial_outcomes(both)


def test_every_trial_is_reported_with_the_best_score(
    search: Search, silent: type[Reporter]
) -> None:
    """And with the time left."""
    reporter: Any = silent()
    search(trials=2, reporter=reporter)
    lines = [line for line in reporter.said if line.startswith("trial ")]
    assert len(lines) == 2
    assert lines[0].startswith("trial 0, 1 of 2: dev macro-F1 0.")
    assert ", trial 0), " in lines[0]
    assert ", about 0:00:" in lines[0]
    assert "left" not in lines[1]
    assert not [line for line in reporter.said if line.startswith("epoch")]


def test_a_resumed_search_equals_an_uninterrupted_one(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupted search leaves the best configuration so far."""
    whole = search(study="whole")
    (tmp_path / "best.toml").unlink()
    monkeypatch.setattr(deadline, "time", clock(batches_of(search) * 4, KeyboardInterrupt))
    stopped = search()
    assert stopped.interrupted
    # four epochs: three of the first trial and one of the second
    assert len(stopped.trials) == 1
    assert stopped.best is not None
    assert (tmp_path / "best.toml").exists()
    monkeypatch.setattr(deadline, "time", time)
    found = search()
    assert not found.interrupted
    assert trial_outcomes(found) == trial_outcomes(whole)
    assert found.best is not None
    assert whole.best is not None
    assert found.best.params == whole.best.params


def clock(batches: int, then: type[BaseException] | None = None) -> Any:
    """Return a clock that stands still for ``batches`` batches, and then is past the end, or
    raises.
    """
    passed = itertools.count()

    def monotonic() -> float:
        if next(passed) < batches:
            return -math.inf
        if then is not None:
            raise then
        return math.inf

    return SimpleNamespace(monotonic=monotonic)


def batches_of(search: Search) -> int:
    """Return the number of batches per epoch of the toy corpus."""
    passed = itertools.count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            deadline, "time", SimpleNamespace(monotonic=lambda: float(next(passed)) - 1e9)
        )
        search(study="counted", trials=1, optimization={"epochs": 1})
    return next(passed)


def test_a_trial_cut_by_the_time_limit_resumes(
    search: Search, monkeypatch: pytest.MonkeyPatch, silent: type[Reporter], workspace: Workspace
) -> None:
    """It resumes after its last epoch."""
    epochs: list[dict[str, Any]] = []
    monkeypatch.setattr(deadline, "time", clock(int(batches_of(search) * 1.5)))
    reporter: Any = silent()
    found = search(minutes=10.0, trials=1, reporter=reporter)
    assert not found.interrupted
    assert found.best is None
    assert found.trials == ()
    assert any("the time is up" in line for line in reporter.said)
    (checkpoint,) = (workspace.root / "search" / "toy").iterdir()
    assert checkpoint.suffix == ".safetensors"
    monkeypatch.setattr(deadline, "time", time)
    kept = trials.checkpoints.load_checkpoint(checkpoint)
    assert kept is not None
    found = search(minutes=10.0, trials=1)
    (trial,) = found.trials
    epochs = trial.user_attrs[EPOCHS]
    assert len(epochs) == 3
    # not trained again: the recorded duration is the old one
    assert epochs[0]["seconds"] == kept.history[0].seconds
    assert sorted(trial.intermediate_values) == [1, 2, 3]
    assert not (workspace.root / "search" / "toy").exists()


def test_without_time_no_trial_starts(search: Search, tmp_path: Path) -> None:
    found = search(minutes=0.0)
    assert (found.trials, found.best) == ((), None)
    assert not (tmp_path / "best.toml").exists()


def die_in_a_trial(monkeypatch: pytest.MonkeyPatch, search: Search, **options: Any) -> None:
    """Run a search whose process ends during a trial, which then seems to be running."""
    proceed = searches._run_trial

    def killed_training(*arguments: Any, **settings: Any) -> None:
        monkeypatch.setattr(Study, "postpone", lambda *_, **__: None)
        proceed(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(searches, "_run_trial", killed_training)
        # within the first epoch, so that the next start has made no progress
        patch.setattr(deadline, "time", clock(2, SystemExit))
        postpone = Study.postpone
        with pytest.raises(SystemExit):
            search(**options)
        monkeypatch.setattr(Study, "postpone", postpone)


def test_a_trial_of_a_dead_process_is_repeated_and_not_counted(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_in_a_trial(monkeypatch, search)
    found = search(trials=2)
    assert [trial.state for trial in found.trials] == [TrialState.COMPLETE] * 2
    assert found.trials[0].params == {"optimization.learning_rate": SLOW}
    assert trial_outcomes(found) == trial_outcomes(search(study="whole", trials=2))


def test_a_trial_that_always_dies_is_abandoned(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(studies.MAX_STARTS):
        die_in_a_trial(monkeypatch, search)
    found = search(trials=2)
    first, second = found.trials
    assert first.state is TrialState.FAIL
    assert first.user_attrs[REASON] == "the search died in it 3 times"
    assert second.state is TrialState.COMPLETE
    assert second.params != first.params


def test_an_error_is_raised_and_its_trial_is_repeated(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(deadline, "time", clock(5, MemoryError))
        with pytest.raises(MemoryError):
            search(trials=1)
    assert [trial.state for trial in search(trials=1).trials] == [TrialState.COMPLETE]


def test_poor_trials_are_pruned_and_repeats_are_not_trained(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "_UNPRUNED", 1)
    fits = []
    fit = network.train_network
    monkeypatch.setattr(network, "train_network", lambda *a, **k: fits.append(1) or fit(*a, **k))
    found = search(space=GOOD_OR_BAD, trials=5, optimization={"learning_rate": 0.03})
    assert len(fits) == 2
    by_rate: dict[float, set[TrialState]] = {0.03: set(), 0.000001: set()}
    for trial in found.trials:
        by_rate[trial.params["optimization.learning_rate"]].add(trial.state)
        assert len(trial.user_attrs[EPOCHS]) == (2 if trial.state is TrialState.PRUNED else 3)
    assert by_rate == {0.03: {TrialState.COMPLETE}, 0.000001: {TrialState.PRUNED}}


def test_teachers_answer_once_for_all_trials(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials differ in their settings of words."""
    asked = []
    teach = transfer_set.make_transfer_set
    monkeypatch.setattr(
        transfer_set, "make_transfer_set", lambda *a, **k: asked.append(1) or teach(*a, **k)
    )
    found = search(
        space="[text]\nmaximum_words = { choices = [3, 4, 5, 6] }\n",
        distillation={"teacher": "n-grams", "copies": 0},
    )
    assert len({trial.params["text.maximum_words"] for trial in found.trials}) > 1
    assert {trial.state for trial in found.trials} == {TrialState.COMPLETE}
    assert len(asked) == 1


def test_a_training_that_diverges_fails_and_counts(search: Search) -> None:
    space = "[optimization]\nlearning_rate = { choices = [0.03, 1e30] }\n"
    found = search(space=space, trials=4, optimization={"learning_rate": 0.03})
    failed = [trial for trial in found.trials if trial.state is TrialState.FAIL]
    assert failed
    assert all("training diverged in epoch 1" in trial.user_attrs[REASON] for trial in failed)
    assert len(found.trials) == 4


def test_trials_with_incompatible_values_fail_and_count(search: Search, tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("great 1 2\nawful -1 -2\n")
    space = (
        f'[words]\nvectors = {{ choices = ["", "{file}"] }}\n'
        "learned_size = { choices = [0, 10] }\n"
    )
    found = search(space=space, trials=8, words={"vectors": str(file)})
    reasons = [trial.user_attrs.get(REASON, "") for trial in found.trials]
    assert any("learned_size must be at least 1" in reason for reason in reasons)
    assert found.best is not None


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"space": GOOD_OR_BAD}, "space"),
        ({"regularization": {"output_dropout": 0.2}}, "configuration"),
        ({"optimization": {"seed": 1}, "space": GOOD_OR_BAD}, "configuration and another space"),
    ],
)
def test_a_study_of_another_search_is_refused_with_a_remedy(
    search: Search, changes: dict[str, Any], part: str
) -> None:
    before = search(trials=1)
    with pytest.raises(ConfigurationError) as caught:
        search(trials=2, **changes)
    assert f"study 'toy' has 1 trials of another {part}, which" in str(caught.value)
    assert "start another study with --study NAME, or discard this one with --fresh" in str(
        caught.value
    )
    # and the study is unchanged
    assert trial_outcomes(search(trials=1)) == trial_outcomes(before)
    assert len(search(trials=1, fresh=True, **changes).trials) == 1


def test_a_study_of_other_texts_is_refused(
    search: Search, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(trials=1)
    read = preparation.load_texts

    def fewer(*arguments: Any) -> Any:
        material = read(*arguments)
        splits = replace(material.splits, train=material.splits.train[1:])
        return replace(material, splits=splits)

    monkeypatch.setattr(preparation, "load_texts", fewer)
    with pytest.raises(ConfigurationError, match="1 trials of another data, which"):
        search(trials=2)


def test_a_study_of_other_word_vectors_is_refused(search: Search, tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("great 1 2\nawful -1 -2\n")
    search(trials=1, words={"vectors": str(file)})
    file.write_text("great 1 2\nawful -1 -3\n")
    with pytest.raises(ConfigurationError, match="of another word vectors, which"):
        search(trials=2, words={"vectors": str(file)})


def test_a_study_with_another_process_is_not_forgotten(
    search: Search, workspace: Workspace, other_process: Callable[..., None]
) -> None:
    search(trials=1)
    other_process(workspace.root / "search" / "toy.db")
    with pytest.raises(ConfigurationError, match="another process is at the search 'toy'"):
        search(trials=1, fresh=True)
    assert len(search(trials=2).trials) == 2


def test_a_trial_of_another_process_counts_and_is_left_to_it(
    search: Search,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    other_process: Callable[..., None],
) -> None:
    die_in_a_trial(monkeypatch, search)
    other_process(workspace.root / "search" / "toy.db", trial=0)
    found = search(trials=2)
    (only,) = found.trials
    assert (only.number, only.state) == (1, TrialState.COMPLETE)
    study = optuna.load_study(
        study_name="toy", storage=f"sqlite:///{workspace.root / 'search' / 'toy.db'}"
    )
    assert study.trials[0].state is TrialState.RUNNING


def test_a_file_that_is_not_a_study_is_left_unchanged(search: Search, workspace: Workspace) -> None:
    path = workspace.root / "search" / "toy.db"
    path.parent.mkdir()
    path.write_bytes(b"something else " * 100)
    with pytest.raises(ConfigurationError, match=r"toy.db is not a study.*--fresh"):
        search(trials=1)
    assert path.read_bytes().startswith(b"something else")
    assert len(search(trials=1, fresh=True).trials) == 1


def test_trials_with_equal_data_share_texts_and_vectors(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("great 1 2\nawful -1 -2\n")
    calls: list[str] = []

    def counted(module: Any, name: str) -> None:
        inner = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, **k: calls.append(name) or inner(*a, **k))

    counted(catalog, "load_corpora")
    counted(preparation, "encode_splits")
    counted(word_vectors, "load_word_vectors")
    space = RATES + "[text]\nminimum_count = { choices = [1, 2] }\n"
    found = search(space=space, trials=4, words={"vectors": str(file)})
    assert {trial.params["text.minimum_count"] for trial in found.trials} == {1, 2}
    assert sorted(calls) == [
        *["encode_splits"] * 2,
        "load_corpora",
        *["load_word_vectors"] * 2,
    ]


def test_a_search_needs_no_test_texts(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = preparation.encode_splits

    def without_test(*arguments: Any, **rest: Any) -> Any:
        prepared = encoded(*arguments, **rest)
        return replace(prepared, held_out={"dev": prepared.held_out["dev"]})

    monkeypatch.setattr(preparation, "encode_splits", without_test)
    assert search(trials=1).best is not None


def test_several_processes_are_refused(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigurationError, match="a search runs in one process"):
        search()


def test_a_configuration_outside_the_space_is_reported(
    search: Search, silent: type[Reporter]
) -> None:
    reporter: Any = silent()
    found = search(trials=1, reporter=reporter, optimization={"learning_rate": 0.5})
    assert "the base configuration is outside of the space, so it is not tried" in reporter.said
    assert 0.001 <= found.trials[0].params["optimization.learning_rate"] <= 0.1


def test_importances_need_enough_complete_trials(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "_MIN_TRIALS_FOR_IMPORTANCES", 3)
    space = RATES + "[regularization]\noutput_dropout = { low = 0.0, high = 0.5 }\n"
    assert search(space=space, trials=2).importances == {}
    found = search(space=space, trials=4)
    assert found.importances.keys() == {
        "optimization.learning_rate",
        "regularization.output_dropout",
    }
    assert sum(found.importances.values()) == pytest.approx(1.0)


def test_the_table_lists_the_best_trial_first(
    tmp_path: Path, configured: Callable[..., Configuration]
) -> None:
    """It names the trials that were pruned or failed."""
    path = tmp_path / "space.toml"
    path.write_text(RATES)
    space = spaces.load_space(path, configured())

    def trial(number: int, state: TrialState, value: float | None, epochs: int) -> FrozenTrial:
        return FrozenTrial(
            number=number,
            trial_id=number,
            state=state,
            value=value,
            datetime_start=None,
            datetime_complete=None,
            params={"optimization.learning_rate": 0.00123456},
            distributions=space.distributions,
            user_attrs={EPOCHS: [{"seconds": 2.0}] * epochs} if epochs else {},
            system_attrs={},
            intermediate_values={},
        )

    shown = winner.make_table(
        [
            trial(0, TrialState.FAIL, None, 0),
            trial(1, TrialState.PRUNED, 0.9, 2),
            trial(2, TrialState.COMPLETE, 0.7, 3),
            trial(3, TrialState.COMPLETE, 0.8, 3),
        ],
        space,
    )
    rows = list(zip(*(column.cells for column in shown.columns), strict=True))
    assert [column.header for column in shown.columns][-1] == "learning_rate"
    assert rows == [
        ("3", "0.8000", "3", "6", "0.00123"),
        ("2", "0.7000", "3", "6", "0.00123"),
        ("1", "0.9000 stopped", "2", "4", "0.00123"),
        ("0", "failed", "0", "0", "0.00123"),
    ]
