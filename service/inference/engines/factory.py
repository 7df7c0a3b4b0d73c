"""Which engine computes a model: chosen when it is loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

from valence.service.classifier.architecture import Architecture
from valence.service.classifier.artifact import Artifact
from valence.service.errors import ConfigurationError
from valence.service.inference.engines.interface import Engine
from valence.service.inference.engines.ngrams import NGramEngine
from valence.service.inference.engines.sentences import SentenceEngine
from valence.service.inference.engines.speed import compare_speed
from valence.service.observability.log import Log

# How little of the time of the best path the second-best must take to be preferred: less of a
# difference may be chance.
_CLEARLY = 0.9
_MEASURED_WORDS = 64
_NATIVE = ("auto", "native")
# engines that compute with torch, and where
_TORCH = {"reference": "cpu", "cuda": "cuda"}
# the fastest path by the shape of a model with few words
_fastest: dict[Architecture, str] = {}


def create(artifact: Artifact, *, name: str, log: Log) -> Engine:
    """The engine called ``name`` (``Settings.engine``) for ``artifact``.

    ``auto`` is the native engine on the path that measures fastest here, or the reference engine
    with a line in ``log`` that says why. Raises :class:`ConfigurationError` for an engine that
    cannot run here, and for a name that is no engine's. N-grams are added on the processor,
    whatever computes the network; without a network, no engine of networks is needed. Long
    documents are read sentence by sentence if the manifest has ``sentences``.
    """
    if name not in (*_NATIVE, *_TORCH) and not name.startswith("native-"):
        known = ", ".join((*_NATIVE, *_TORCH))
        raise ConfigurationError(f"{name!r} is not an engine; choose one of {known}, native-PATH")
    return _make(artifact, partial(_create, name=name, log=log))


def create_reference(artifact: Artifact) -> Engine:
    """The engine that defines what is right for ``artifact``."""
    return _make(artifact, partial(_torch, name="reference"))


def _make(artifact: Artifact, create_network: Callable[[Artifact], Engine]) -> Engine:
    engine = _add_ngrams(artifact, create_network)
    return engine if artifact.manifest.sentences is None else SentenceEngine(artifact, engine)


def _add_ngrams(artifact: Artifact, create_network: Callable[[Artifact], Engine]) -> Engine:
    architecture = artifact.manifest.architecture
    if not architecture.ngrams:
        return create_network(artifact)
    if not architecture.layers:
        return NGramEngine(artifact)
    return NGramEngine(artifact, create_network(select_network(artifact)))


def select_network(artifact: Artifact) -> Artifact:
    """The network of ``artifact``, which has one, without the n-grams beside it."""
    network = artifact.manifest.architecture.model_copy(update={"ngrams": 0})
    return dataclasses.replace(
        artifact,
        manifest=artifact.manifest.model_copy(update={"architecture": network}),
        tensors={name: artifact.tensors[name] for name in network.tensor_shapes()},
    )


def _create(artifact: Artifact, *, name: str, log: Log) -> Engine:
    from valence.service.inference.engines.native import NativeEngine

    if name in _TORCH:
        return _torch(artifact, name)
    try:
        path = name.removeprefix("native-") if "-" in name else _fastest_path(artifact)
        return NativeEngine(artifact, path=path)
    except ConfigurationError as error:
        if name != "auto":
            raise
        log.event("warning", "reference engine", model=artifact.manifest.name, reason=str(error))
        return _torch(artifact, "reference")


def require(name: str) -> None:
    """Raise :class:`ConfigurationError` if no engine called ``name`` can run here."""
    from valence.service.inference.engines.native import available_paths

    if name.startswith("native"):
        paths = available_paths()
        path = name.removeprefix("native").removeprefix("-")
        if path and path not in paths:
            raise ConfigurationError(
                f"VALENCE_ENGINE={name!r}: this processor and build support "
                f"{', '.join(f'native-{path}' for path in paths)}"
            )


def _torch(artifact: Artifact, name: str) -> Engine:
    # torch takes seconds and 200 MB, so only who computes with it imports it
    try:
        from valence.service.inference.engines.reference import ReferenceEngine
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the engine {name!r} needs {error.name}, which is not installed: "
            "pip install 'valence[torch]', or install a C++17 compiler and then Valence again for "
            "the native engine"
        ) from None
    return ReferenceEngine(artifact, device=_TORCH[name])


def _fastest_path(artifact: Artifact) -> str:
    """The better of the two paths that the processor reports best, confirmed by a measurement.

    Measured once in a process for each shape of models, with a few words of the vocabulary: folding
    all of it twice would take longer than the rest of the start.
    """
    from valence.service.inference.engines.native import NativeEngine, available_paths

    paths = available_paths()[:2]
    if len(paths) == 1:
        return paths[0]
    words = min(_MEASURED_WORDS, len(artifact.vocabulary))
    architecture = artifact.manifest.architecture.model_copy(update={"vocabulary_size": words})
    sample = dataclasses.replace(
        artifact,
        manifest=artifact.manifest.model_copy(update={"architecture": architecture}),
        tensors={
            **artifact.tensors,
            "embedding.weight": artifact.tensors["embedding.weight"][:words],
        },
    )
    if architecture not in _fastest:
        best, second = (NativeEngine(sample, path=path) for path in paths)
        faster = compare_speed(second, best, words=words) < _CLEARLY
        _fastest[architecture] = paths[1] if faster else paths[0]
    return _fastest[architecture]
