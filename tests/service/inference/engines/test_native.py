"""Every path of the native engine, compared with the torch model that defines the answer."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Logits, read_outside, to_probabilities
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.vocabulary import Vocabulary, WordIds
from valence.service.errors import ConfigurationError
from valence.service.inference.engines import native
from valence.service.inference.engines.native import NativeEngine, available_paths
from valence.service.inference.engines.reference import ReferenceEngine
from valence.service.pacing import background

REASON = native.unavailable_reason()
PATHS = available_paths() if REASON is None else ()

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

WORDS = 50
# More rows than any path computes at once, so that rows are exchanged; empty and one-token texts.
LENGTHS = (3, 0, 1, 40, 7, 2, 0, 1, 13, 25, 1, 9, 30, 5, 8, 4, 6, 12, 2, 1, 3, 3, 17, 5, 2, 4, 11)


def build(*, seed: int = 0, scale: float = 1.0, **shape: Any) -> Artifact:
    """Return random weights as large as a trained network's: uniform in +-scale / sqrt(inputs)."""
    architecture = Architecture(
        **{"vocabulary_size": WORDS, "embedding_size": 7, "labels": 3, "layers": 1} | shape
    )
    random = np.random.default_rng(seed)
    tensors = {}
    for name, size in architecture.tensor_shapes().items():
        bound = scale / architecture.hidden_size**0.5
        if name == "embedding.weight":
            bound = 2.0
        tensors[name] = random.uniform(-bound, bound, size).astype(np.float32)
    vocabulary = Vocabulary(["<unk>", *(f"w{i}" for i in range(1, architecture.vocabulary_size))])
    return Artifact(Manifest.model_construct(architecture=architecture), vocabulary, tensors)


def documents(lengths: Sequence[int], *, seed: int = 1) -> list[WordIds]:
    random = np.random.default_rng(seed)
    return [random.integers(0, WORDS, length, dtype=np.int32) for length in lengths]


def distance(logits: Logits, expected: Logits) -> float:
    """Return the largest difference between the probabilities of two answers."""
    assert logits.shape == expected.shape
    assert logits.dtype == expected.dtype == np.float32
    difference = to_probabilities(logits, temperature=1.0) - to_probabilities(
        expected, temperature=1.0
    )
    return float(np.abs(difference).max())


@pytest.mark.parametrize("path", PATHS)
def test_a_table_of_the_background_is_the_same(path: str) -> None:
    """Several threads fold it, a few words at a time, with the time that requests leave."""
    shape = {"vocabulary_size": 9_001, "embedding_size": 64, "hidden_size": 64}
    artifact, ids = build(**shape), [np.arange(9_001, dtype=np.int32)]
    here = NativeEngine(artifact, path=path).logits(ids)
    NativeEngine(build(seed=1, **shape), path=path)  # leaves its memory to the next table
    with ThreadPoolExecutor(1, initializer=background.enter) as thread:
        apart = thread.submit(NativeEngine, artifact, path=path).result()
    assert (apart.logits(ids) == here).all()
    assert distance(here, ReferenceEngine(artifact).logits(ids)) < 0.05


def tolerance(path: str) -> float:
    return 0.01 if has_16_bit_states(path) else 1e-5


def has_16_bit_states(path: str) -> bool:
    """Return whether the path keeps weights, states and gates in 16 bits."""
    return path.endswith(("bf16", "int16"))


@pytest.mark.parametrize("pooling", ["last", "max", "mean", "max_mean", "attention"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_every_path_agrees_with_the_reference(cell: str, pooling: str) -> None:
    texts = documents(LENGTHS)
    sizes = (1, 5, 17, 33, 100)
    for layers, bidirectional, hidden in product((1, 2), (True, False), sizes):
        artifact = build(
            cell=cell,
            pooling=pooling,
            layers=layers,
            bidirectional=bidirectional,
            hidden_size=hidden,
        )
        expected = ReferenceEngine(artifact).logits(texts)
        for path in PATHS:
            found = distance(NativeEngine(artifact, path=path).logits(texts), expected)
            assert found <= tolerance(path), (path, layers, bidirectional, hidden)


@pytest.mark.parametrize("pooling", ["last", "max", "mean", "max_mean", "attention"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_row_of_outside_agrees_and_changes_no_label(cell: str, pooling: str) -> None:
    texts = documents(LENGTHS)
    artifact = build(cell=cell, pooling=pooling, hidden_size=17, outside=True)
    plain = build(cell=cell, pooling=pooling, hidden_size=17)
    for name in plain.tensors:
        plain.tensors[name] = artifact.tensors[name][: len(plain.tensors[name])]
    expected = ReferenceEngine(artifact).logits(texts)
    assert expected.shape == (len(texts), 4)
    for path in PATHS:
        found = NativeEngine(artifact, path=path).logits(texts)
        scores, truth = read_outside(found), read_outside(expected)
        assert np.abs(scores - truth).max() <= tolerance(path), path
        np.testing.assert_array_equal(
            found[:, :3], NativeEngine(plain, path=path).logits(texts), strict=True
        )


@pytest.mark.parametrize("pooling", ["max_mean", "attention"])
def test_a_text_of_ten_thousand_tokens_agrees_with_the_reference(pooling: str) -> None:
    artifact = build(cell="gru", pooling=pooling, hidden_size=17, layers=2)
    texts = documents((10_000, 1, 0, 300))
    expected = ReferenceEngine(artifact).logits(texts)
    for path in PATHS:
        found = distance(NativeEngine(artifact, path=path).logits(texts), expected)
        assert found <= tolerance(path), path


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_saturated_gates_stay_finite_and_correct(cell: str) -> None:
    artifact = build(cell=cell, hidden_size=20, scale=300.0)
    texts = documents((1, 1, 0, 1))  # longer texts would amplify rounding without bound
    expected = ReferenceEngine(artifact).logits(texts)
    for path in PATHS:
        engine = NativeEngine(artifact, path=path)
        if not has_16_bit_states(path):
            np.testing.assert_allclose(engine.logits(texts), expected, rtol=1e-4, atol=1e-3)
        assert np.isfinite(engine.logits(documents((200, 3)))).all()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_fixed_point_sums_of_the_largest_values_do_not_overflow(cell: str) -> None:
    # gates so large that states are 1, times equal weights: every product has its largest value
    artifact = build(cell=cell, hidden_size=200, bidirectional=False, pooling="last")
    for name, tensor in artifact.tensors.items():
        if "bias" in name and "recurrent" in name:
            tensor[:] = -30.0 if cell == "gru" and "ih" in name else 30.0
        elif "weight_hh" in name:
            tensor[:] = 3.0
    if cell == "gru":  # closed update gates, so that a state equals its candidate
        for kind in ("ih", "hh"):
            artifact.tensors[f"recurrent.bias_{kind}_l0"][400:] = 30.0
    texts = documents((2, 5, 30))
    expected = ReferenceEngine(artifact).logits(texts)
    for path in PATHS:
        assert distance(NativeEngine(artifact, path=path).logits(texts), expected) <= 0.01, path


@pytest.mark.parametrize("path", PATHS)
@settings(deadline=None, max_examples=25)
@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=70))
def test_a_text_scores_the_same_alone_and_in_a_batch(path: str, lengths: list[int]) -> None:
    artifact = build(pooling="max_mean", hidden_size=19)
    engine = NativeEngine(artifact, path=path)
    texts = documents(lengths)
    together = engine.logits(texts)
    alone = np.concatenate([engine.logits([text]) for text in texts])
    # bf16 states turn another order of summation into a difference of their own size
    limit = 2e-3 if path.endswith("bf16") else 1e-6
    assert distance(together, alone) <= limit


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("batch", [2, 32, 500])
def test_a_batch_changes_scores_by_no_more_than_documented(path: str, batch: int) -> None:
    """The first of the paths is the default of this processor; the guide has the same bounds."""
    artifact = build(pooling="max_mean", hidden_size=128)
    engine = NativeEngine(artifact, path=path)
    random = np.random.default_rng(2)
    texts = documents(np.clip(random.lognormal(2.8, 0.8, 500), 1, 200).astype(int).tolist())
    alone = np.concatenate([engine.logits([text]) for text in texts])
    together = np.concatenate(
        [engine.logits(texts[start : start + batch]) for start in range(0, len(texts), batch)]
    )
    assert distance(together, alone) <= (1e-3 if path.endswith("bf16") else 1e-6)


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_text_gets_the_output_bias(path: str) -> None:
    artifact = build(hidden_size=8)
    logits = NativeEngine(artifact, path=path).logits(documents((0, 4, 0)))
    np.testing.assert_array_equal(logits[[0, 2]], [artifact.tensors["output.bias"]] * 2)


def test_without_documents_there_are_no_rows() -> None:
    assert NativeEngine(build(hidden_size=8)).logits([]).shape == (0, 3)


@pytest.mark.parametrize("path", PATHS)
def test_threads_that_share_an_engine_get_the_same_answers(path: str) -> None:
    artifacts = [build(seed=seed, hidden_size=size) for seed, size in enumerate((24, 7))]
    engines = [NativeEngine(artifact, path=path) for artifact in artifacts]
    work = [
        (engine, documents(LENGTHS[: 3 + index % 20], seed=index))
        for index in range(60)
        for engine in engines
    ]
    expected = [engine.logits(texts) for engine, texts in work]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: job[0].logits(job[1]), work))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("wrong", [-1, WORDS, 2**31 - 1, -(2**31)])
def test_an_id_outside_the_vocabulary_is_refused(wrong: int) -> None:
    engine = NativeEngine(build(hidden_size=8))
    texts = documents((3, 5))
    texts[1][4] = wrong
    with pytest.raises(ValueError, match=rf"document 1 .* {wrong}, the vocabulary has 0 to 49"):
        engine.logits(texts)


def test_ids_of_another_type_or_shape_are_refused() -> None:
    engine = NativeEngine(build(hidden_size=8))
    with pytest.raises(TypeError, match="document 0 is not a contiguous int32 array"):
        engine.logits([np.zeros(3, dtype=np.int64)])
    with pytest.raises(TypeError, match="document 0 is not a contiguous int32 array"):
        engine.logits([np.zeros(6, dtype=np.int32)[::2]])
    with pytest.raises(ValueError, match="document 0 has 2 dimensions"):
        engine.logits([np.zeros((2, 3), dtype=np.int32)])


def test_weights_of_another_shape_are_refused() -> None:
    artifact = build(hidden_size=8)
    tensors = dict(artifact.tensors)
    tensors["recurrent.weight_hh_l0_reverse"] = np.zeros((32, 7), dtype=np.float32)
    with pytest.raises(ValueError, match="weight_hh has a shape other than its architecture's"):
        NativeEngine(Artifact(artifact.manifest, artifact.vocabulary, tensors))


def test_an_unknown_path_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match=r"'sse9' .* choose one of .*portable"):
        NativeEngine(build(hidden_size=8), path="sse9")


def test_the_best_path_is_the_default() -> None:
    assert NativeEngine(build(hidden_size=8)).name == f"native-{PATHS[0]}"
    assert NativeEngine(build(hidden_size=8), path=PATHS[-1]).name == f"native-{PATHS[-1]}"


@pytest.mark.parametrize("path", PATHS)
def test_the_gate_table_holds_all_words_in_the_paths_format(path: str) -> None:
    bytes_a_number = 2 if has_16_bit_states(path) else 4
    artifact = build(hidden_size=32, cell="gru", layers=2)
    table_bytes = NativeEngine(artifact, path=path).table_bytes
    assert table_bytes == WORDS * 2 * 3 * 32 * bytes_a_number


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_words_beyond_the_table_have_the_same_gates(path: str, cell: str) -> None:
    texts = [*documents(LENGTHS), np.arange(WORDS, dtype=np.int32)]
    for layers, bidirectional in product((1, 2), (True, False)):
        artifact = build(cell=cell, layers=layers, bidirectional=bidirectional, hidden_size=20)
        whole = NativeEngine(artifact, path=path)
        word_bytes = whole.table_bytes // WORDS
        for folded in (0, 1, 30):
            part = NativeEngine(artifact, path=path, most_table_bytes=folded * word_bytes)
            assert part.table_bytes == folded * word_bytes
            assert distance(part.logits(texts), whole.logits(texts)) <= tolerance(path) / 10


@pytest.mark.parametrize("path", PATHS)
def test_a_rare_word_has_the_same_gates_in_any_company(path: str) -> None:
    """One word of one step: nothing but its gates decides the answer."""
    engine = NativeEngine(build(hidden_size=33), path=path, most_table_bytes=0)
    words = [np.array([word], dtype=np.int32) for word in range(WORDS)]
    alone = np.concatenate([engine.logits([word]) for word in words])
    np.testing.assert_array_equal(engine.logits(words), alone)
    np.testing.assert_array_equal(engine.logits(words[::-1]), alone[::-1])


def test_the_embedding_outlives_the_artifact() -> None:
    """Rare words are read from it, so the engine keeps it."""
    artifact = build(hidden_size=8, embedding_size=300, vocabulary_size=5_000)
    reader = weakref.ref(artifact.tensors["embedding.weight"])
    engine = NativeEngine(artifact, most_table_bytes=0)
    ids = [np.arange(5_000, dtype=np.int32)]
    expected = engine.logits(ids)
    del artifact
    gc.collect()
    assert reader() is not None
    np.testing.assert_array_equal(engine.logits(ids), expected)
    del engine
    gc.collect()
    assert reader() is None


@pytest.mark.parametrize("path", PATHS)
def test_the_peak_performance_of_a_path_is_measured(path: str) -> None:
    assert 0.1 < native.peak_gflops(path) < 100_000


def test_the_engine_is_built_and_used_without_torch() -> None:
    program = """
import sys
import numpy as np
from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.manifest import Manifest
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.inference.engines.native import NativeEngine
architecture = Architecture(vocabulary_size=2, embedding_size=3, hidden_size=4, labels=2)
tensors = {n: np.ones(s, np.float32) for n, s in architecture.tensor_shapes().items()}
manifest = Manifest.model_construct(architecture=architecture)
engine = NativeEngine(Artifact(manifest, Vocabulary(["<unk>", "a"]), tensors))
assert engine.logits([np.array([0, 1], np.int32)]).shape == (1, 2)
print(sorted({"torch", "bentoml"} & sys.modules.keys()))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == "[]\n"


def test_without_a_built_kernel_the_error_names_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valence.service.inference.engines.kernel._kernel", None)
    native.kernel.cache_clear()
    try:
        assert not native.native_available()
        assert "install a C++17 compiler" in str(native.unavailable_reason())
        with pytest.raises(ConfigurationError, match="not built"):
            NativeEngine(build(hidden_size=8))
    finally:
        native.kernel.cache_clear()
