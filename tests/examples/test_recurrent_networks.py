"""The examples of recurrent networks: the figures that they state, and the parts of each.

The figures take minutes: ``make test ARGS="-m slow tests/examples"``.
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "recurrent_networks"
PICTURES = ROOT / "docs" / "images" / "recurrent_networks"
SECONDS = 300.0
"""The most processor time of an example, however busy the machine is."""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, pictures: Path) -> dict[str, float]:
    """Return the figures of an example, which draws its picture in time."""
    # more threads would burn processor time while each waits for a core of a busy machine
    torch.set_num_threads(1)
    started = time.process_time()
    figures: dict[str, float] = load(name).main(pictures)
    assert time.process_time() - started < SECONDS
    assert (pictures / f"{name}.png").stat().st_size > 5_000
    return figures


@pytest.mark.slow
def test_cells_with_gates_remember_over_a_gap(tmp_path: Path) -> None:
    figures = run("recurrence", tmp_path)
    assert figures["difference"] < 1e-5
    assert figures["vanilla_gradient"] < 1e-9
    assert figures["relu_gradient"] > 10
    assert figures["lstm"] > figures["vanilla"] + 0.1
    assert figures["gru"] > figures["vanilla"] + 0.1


@pytest.mark.slow
def test_the_network_of_numpy_learns(tmp_path: Path) -> None:
    figures = run("min_char_rnn", tmp_path)
    assert figures["gradient_error"] <= 1e-6
    assert figures["bits"] < 2.9 < figures["frequency_bits"]


@pytest.mark.slow
def test_images_are_described_in_words(tmp_path: Path) -> None:
    figures = run("captions", tmp_path)
    assert figures["attention"] >= 0.8
    assert figures["attention"] > figures["vector"]


@pytest.mark.slow
def test_digits_are_read_in_order_through_a_window(tmp_path: Path) -> None:
    figures = run("glimpses", tmp_path)
    assert figures["digits"] >= 0.75
    assert figures["images"] >= 0.6


@pytest.mark.slow
def test_images_are_drawn_step_by_step(tmp_path: Path) -> None:
    figures = run("drawing", tmp_path)
    assert figures["last"] < figures["average"] / 2
    assert figures["last"] < figures["first"] / 3


@pytest.mark.slow
def test_encoder_and_decoder_learn_as_one(tmp_path: Path) -> None:
    figures = run("encoder_decoder", tmp_path)
    assert figures["together"] >= 0.8
    assert figures["frozen"] < 0.2


def test_every_example_has_its_picture_and_place_in_the_guide() -> None:
    page = (ROOT / "docs" / "guide" / "recurrent-networks.md").read_text("utf-8")
    names = sorted(path.stem for path in FOLDER.glob("*.py"))
    assert len(names) >= 6
    for name in names:
        assert (PICTURES / f"{name}.png").is_file()
        assert f"recurrent_networks/{name}.png" in page
        assert f"make examples ONLY={name}" in page


def test_formulas_of_the_cells_are_those_of_torch() -> None:
    assert load("recurrence").compare_with_torch() < 1e-5


def test_gradients_by_hand_are_those_of_autograd() -> None:
    assert load("min_char_rnn").compare_with_autograd() <= 1e-6


def test_the_network_of_numpy_starts_to_learn(tmp_path: Path) -> None:
    example = load("min_char_rnn")
    ids = np.array([0, 1, 2, 3] * 500)
    bits, samples, weights = example.train(ids, list("abcd"), 200)
    assert bits[0] == pytest.approx(2.0, abs=0.01)  # of four characters, all equally likely
    assert bits[-1] < 0.1
    assert samples[200].count("abcd") > 40
    assert example.measure_bits(weights, ids) < 0.2
    example.draw(bits, samples, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").is_file()


def test_words_of_a_composed_image_are_its_digits_from_left() -> None:
    example = load("captions")
    pixels = torch.stack([torch.full((8, 8), (name + 1) / 10) for name in range(10)])
    images, words = example.compose(
        (pixels, torch.arange(10)), 20, torch.Generator().manual_seed(0)
    )
    for image, said in zip(images, words, strict=True):
        columns = image[0].amax(dim=0)
        shown = [round(float(value) * 10) - 1 for value in columns if value > 0]
        number = said.tolist().index(example.END)
        assert shown == [name for name in said[:number].tolist() for _ in range(8)]
        assert said[number + 1 :].eq(-100).all()


def test_nothing_is_said_after_the_end() -> None:
    example = load("captions")
    torch.manual_seed(0)
    model = example.Captioner(attends=True)
    images = torch.rand(30, 1, example.HEIGHT, example.WIDTH)
    words, weights = model.describe(images, torch.Generator().manual_seed(1))
    for said in words.tolist():
        if example.END in said:
            after = said[said.index(example.END) + 1 :]
            assert after == [-100] * len(after)
    assert (words == example.END).any()
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(weights.shape[:2]))


@pytest.mark.parametrize("name", ["glimpses", "drawing"])
def test_a_window_sees_what_lies_under_it(name: str) -> None:
    example = load(name)
    center, one = torch.tensor([9.5]), torch.ones(1)
    filters = example.make_filters(center, one, 0.1 * one, 20)[0]
    half = example.POINTS // 2
    image = torch.arange(20.0)
    expected = torch.arange(10.0 - half, 10.0 + half)
    torch.testing.assert_close(filters @ image, expected, atol=1e-3, rtol=0)
    wide = example.make_filters(center, 2 * one, 0.5 * one, 20)[0] @ image
    assert wide[-1] - wide[0] == pytest.approx(2 * (example.POINTS - 1), abs=0.01)


def test_where_to_look_gets_a_gradient_from_the_names() -> None:
    example = load("glimpses")
    torch.manual_seed(0)
    model = example.Reader()
    scores, windows = model(torch.rand(4, example.HEIGHT, example.WIDTH))
    scores.logsumexp(dim=2).sum().backward()
    assert model.aim.weight.grad.abs().sum() > 0
    assert windows.shape == (4, example.MOST + 1, 3)


def test_names_end_with_the_end() -> None:
    example = load("glimpses")
    scores = torch.eye(11)[torch.tensor([[3, example.END, 4, example.END], [1, 2, 3, 4]])]
    assert example.read_names(scores).tolist() == [[3, example.END, -100, -100], [1, 2, 3, 4]]


def test_a_drawing_needs_no_image() -> None:
    example = load("drawing")
    model = example.Draw()
    canvases, nats = model(None, 3, torch.Generator().manual_seed(0))
    assert canvases.shape == (example.LOOKS, 3, example.HEIGHT, example.WIDTH)
    assert nats.tolist() == [0.0] * 3
    images = torch.rand(3, example.HEIGHT, example.WIDTH)
    _, told = model(images, 3, torch.Generator().manual_seed(0))
    assert (told > 0).all()


def test_the_gradient_of_the_decoder_reaches_the_encoder() -> None:
    example = load("encoder_decoder")
    torch.manual_seed(0)
    model = example.Reverser()
    words = ["abc", "longest"]
    inputs, targets = example.encode(words), example.encode([word[::-1] for word in words])
    assert inputs[:, 0].tolist() == [0, 1, 2] + [example.END] * (example.LONGEST - 2)
    model(inputs, targets).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.encoder.parameters())
    assert example.measure_reach(model, "longest").shape == (7, 7)
