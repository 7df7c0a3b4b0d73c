import io
import json

import numpy as np
import pytest
from valence.service.errors import ConfigurationError
from valence.service.inference.engines import factory, native
from valence.service.inference.engines.reference import ReferenceEngine
from valence.service.observability.log import Log

needs_kernel = pytest.mark.skipif(
    not native.native_available(), reason="the native engine is not built"
)


@pytest.fixture
def without_kernel(monkeypatch):
    def fail():
        raise ConfigurationError("the native engine was not built")

    monkeypatch.setattr(native, "kernel", fail)


def create(artifact, name, stream=None):
    return factory.create(artifact, name=name, log=Log(stream or io.StringIO()))


def test_the_reference_engine_is_torch(tiny_artifact):
    assert isinstance(create(tiny_artifact, "reference"), ReferenceEngine)


@needs_kernel
@pytest.mark.parametrize("name", ["auto", "native"])
def test_native_uses_one_of_the_two_best_paths(tiny_artifact, name):
    """It computes the gate table of the whole vocabulary."""
    engine = create(tiny_artifact, name)
    assert engine.name.removeprefix("native-") in native.available_paths()[:2]
    last = np.array([len(tiny_artifact.vocabulary) - 1], dtype=np.int32)
    expected = ReferenceEngine(tiny_artifact).logits([last])
    assert engine.logits([last]) == pytest.approx(expected, abs=0.05)


@needs_kernel
def test_the_paths_are_compared_once_for_a_shape(tiny_artifact, monkeypatch):
    """A reload need not measure the processor again."""
    compared = []
    monkeypatch.setattr(factory, "_fastest", {})
    monkeypatch.setattr(native, "available_paths", lambda: ("portable", "portable"))
    monkeypatch.setattr(factory, "compare_speed", lambda *_, **__: compared.append(1) or 0.1)
    names = {create(tiny_artifact, "auto").name for _ in range(3)}
    assert (names, compared) == ({"native-portable"}, [1])


@needs_kernel
def test_every_path_can_be_requested(tiny_artifact):
    for path in native.available_paths():
        factory.require(f"native-{path}")
        assert create(tiny_artifact, f"native-{path}").name == f"native-{path}"


@needs_kernel
def test_an_unavailable_path_is_refused_with_the_available_ones():
    with pytest.raises(ConfigurationError, match=r"VALENCE_ENGINE='native-mmx'.*native-portable"):
        factory.require("native-mmx")


def test_without_a_kernel_auto_falls_back_and_warns_once(without_kernel, tiny_artifact):
    stream = io.StringIO()
    assert isinstance(create(tiny_artifact, "auto", stream), ReferenceEngine)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["reason"] == "the native engine was not built"


def test_without_a_kernel_native_is_refused(without_kernel, tiny_artifact):
    for refuse in (factory.require, lambda name: create(tiny_artifact, name)):
        with pytest.raises(ConfigurationError, match="not built"):
            refuse("native")
    factory.require("auto")
