from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import valence.training.cli.main as commands
from typer.testing import CliRunner
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.config.columns import Columns
from valence.training.config.loader import load_configuration
from valence.training.config.schema import Configuration
from valence.training.data import autoconfig
from valence.training.evaluation.stored_model import evaluate_stored_model
from valence.training.pipeline import training_run
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

pytestmark = pytest.mark.integration

WORDS = {"5": ("great", "lovely"), "10": ("awful", "dreadful")}
THINGS = ("film", "phone", "hotel", "song", "book", "meal", "flight", "game", "train", "shop")
TAILS = ("again", "to me", "as ever", "in the end", "for once", "this year")


def reviews() -> str:
    lines = [
        f'{stars},"The {thing} was {word}, {tail}."'
        for (stars, words), thing, tail in itertools.product(WORDS.items(), THINGS, TAILS)
        for word in words
    ]
    return "\n".join(["stars,review", *lines]) + "\n"


@pytest.fixture
def configure(tmp_path: Path, silent: type[Reporter]) -> Callable[..., Configuration]:
    """Return a function that chooses the configuration for files."""

    def configure(*patterns: Path, **options: object) -> Configuration:
        settings: dict[str, object] = {
            "text": "review",
            "label": "stars",
            "separator": "|",
            "encoding": "auto",
            "name": None,
            "multi_label": False,
            **options,
        }
        columns = Columns(
            str(settings["text"]),
            str(settings["label"]),
            str(settings["encoding"]),
            task="multi_label" if settings["multi_label"] else "single_label",
            label_separator=str(settings["separator"]),
        )
        path = autoconfig.write_configuration(
            [str(pattern) for pattern in patterns],
            columns,
            name=settings["name"],
            workspace=tmp_path,
            reporter=silent(),
        )
        assert path.parent == tmp_path / "configs"
        assert "copy this file" in path.read_text(encoding="utf-8")
        assert load_configuration(path).name == path.stem
        return load_configuration(path)

    return configure


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "My Reviews (2).csv"
    path.write_text(reviews())
    return path


def test_a_configuration_is_chosen_from_a_single_file(configure, table: Path) -> None:
    chosen = configure(table)
    assert chosen.name == "my-reviews-2"
    assert chosen.labels == ("5", "10")  # in numerical order
    assert chosen.task == "single_label"
    assert chosen.polarity is None
    assert chosen.text.max_tokens == 32
    assert chosen.data.files == (str(table),)
    assert configure(table, name="stars").name == "stars"


def test_sentiment_labels_have_a_polarity(configure, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(reviews().replace("\n5,", "\npositive,").replace("\n10,", "\nnegative,"))
    assert configure(path).polarity == {"negative": -1.0, "positive": 1.0}


def test_the_network_shrinks_for_longer_and_fewer_texts(configure, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for words, hidden, tokens in ((99, 128, 128), (100, 64, 128), (600, 64, 512)):
        rows = [f"{i % 2},{i} {'x ' * (words - 1)}" for i in range(40)]
        path.write_text("\n".join(["stars,review", *rows]))
        chosen = configure(path)
        assert chosen.network.hidden_size == hidden
        assert chosen.text.max_tokens == tokens
        assert 4 <= chosen.optimization.epochs <= 40


@pytest.mark.parametrize(("unspaced", "hidden"), [(20, 64), (21, 128)])
def test_long_texts_without_spaces_get_the_default_network(
    configure, tmp_path: Path, unspaced: int, hidden: int
) -> None:
    """GloVe, which the small network tunes, has none of their letters."""
    path = tmp_path / "a.csv"
    texts = ["我" * 100 if number < unspaced else "x " * 100 for number in range(40)]
    rows = [f"{number % 2},{number} {text}" for number, text in enumerate(texts)]
    path.write_text("\n".join(["stars,review", *rows]), encoding="utf-8")
    assert configure(path).network.hidden_size == hidden


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("12 45 {} 7", "own"),
        ("{}/10", "own"),
        ("3.5, {}; -2", "own"),
        ("room {} was 9", "alike"),
        ("it cost {} in all", "alike"),
        (":) {} !!", "own"),
    ],
)
def test_texts_of_numbers_get_words_for_numbers(
    configure, tmp_path: Path, text: str, numbers: str
) -> None:
    path = tmp_path / "a.csv"
    rows = [f'{i % 2},"{text.format(i)}"' for i in range(40)]
    path.write_text("\n".join(["stars,review", *rows]))
    assert configure(path).text.numbers == numbers


def test_lists_of_labels_or_an_option_make_it_multi_label(configure, tmp_path: Path) -> None:
    lists = tmp_path / "a.jsonl"
    rows = [
        {"review": f"visit {n}", "stars": [["cold"], ["late", "cold"], []][n % 3]}
        for n in range(60)
    ]
    lists.write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = configure(lists)
    assert (chosen.task, chosen.labels) == ("multi_label", ("cold", "late"))
    strings = tmp_path / "b.csv"
    strings.write_text("stars,review\n" + "".join(f"a;b,visit {n}\nb,call {n}\n" for n in range(9)))
    assert configure(strings).labels == ("a;b", "b")
    chosen = configure(strings, multi_label=True, separator=";")
    assert (chosen.task, chosen.labels) == ("multi_label", ("a", "b"))
    assert chosen.data.label_separator == ";"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 9, "column 'stars' holds 1 labels in 9 texts, at least two"),
        (list("abcdefghi"), "9 different labels in 9 texts; give at least twice as many"),
    ],
)
def test_a_column_without_valid_labels_is_refused(
    configure, tmp_path: Path, labels: list[str], message: str
) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{label},text {number}" for number, label in enumerate(labels)]
    path.write_text("\n".join(["stars,review", *rows]))
    with pytest.raises(ConfigurationError, match=message):
        configure(path)


def test_a_file_is_trained_on_and_evaluated_by_commands(
    workspace: Workspace, table: Path, silent: type[Reporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = training_run.train_classifier

    def small(configuration: Configuration, run: Run, **options: object) -> Trained:
        # a configuration that fetches nothing and takes a second
        changed = configuration.model_copy(
            update={
                "words": configuration.words.model_copy(update={"vectors": (), "learned_size": 8}),
                "network": configuration.network.model_copy(update={"hidden_size": 6}),
                "optimization": configuration.optimization.model_copy(
                    update={"learning_rate": 0.03}
                ),
            }
        )
        return train(changed, run, **options)

    monkeypatch.setattr(training_run, "train_classifier", small)
    arguments = ["--data", str(table), "--text", "review", "--label", "stars", "--name", "stars"]
    result = CliRunner().invoke(
        commands.app,
        ["train", *arguments, "--quality", "fast", "--workspace", str(workspace.root)],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    tag = result.stdout.strip()
    manifest = artifact.load(store.find_model(tag)).manifest
    assert manifest.name == "stars"
    (record,) = manifest.training.corpora
    assert (record.name, record.texts) == (table.name, 240)
    written = tomllib.loads((workspace.root / "configs" / "stars.toml").read_text())
    assert written["labels"] == ["5", "10"]
    scores = evaluate_stored_model(
        tag, engine="reference", run=Run(workspace, silent()), with_baselines=False
    )
    assert scores[f"{tag} (test)"].macro_f1 > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a configuration"),
        (["a.toml", "--data", "b.csv"], "not both"),
        (["--data", "absent.csv"], "absent.csv: no file of that name"),
    ],
)
def test_the_command_needs_either_a_configuration_or_data(
    arguments: list[str], message: str, model_store: Path
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CliRunner().invoke(commands.app, ["train", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("value", ["null", "NaN", "-Infinity"])
def test_a_missing_first_label_does_not_hide_lists(configure, tmp_path: Path, value: str) -> None:
    path = tmp_path / "a.jsonl"
    rows = [f'{{"review": "visit {n}", "stars": ["cold", "late"]}}' for n in range(9)]
    path.write_text("\n".join([f'{{"review": "call", "stars": {value}}}', *rows]))
    assert configure(path).labels == ("cold", "late")
