from __future__ import annotations

import numpy as np
from valence.training.labelling.prototypes import compare_names, find_shares, normalize


def test_a_label_moves_to_the_texts_that_are_near_to_its_name() -> None:
    """Two groups of texts; the names point between the groups and lean to one of them each."""
    random = np.random.default_rng(0)
    centres = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    truth = np.arange(200) % 2
    texts = normalize((centres[truth] + random.normal(size=(200, 4)) * 0.35).astype(np.float32))
    names = normalize(np.array([[1.0, 0.8, 1.5, 0.0], [0.8, 1.0, 0.0, 1.5]], dtype=np.float32))
    before = (compare_names(texts, names).argmax(axis=1) == truth).mean()
    shares = find_shares(texts, names)
    after = (shares.argmax(axis=1) == truth).mean()
    assert after > max(before + 0.05, 0.9)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_a_label_without_texts_stays_where_its_name_is() -> None:
    texts = normalize(np.tile([[1.0, 0.0]], (5, 1)).astype(np.float32))
    names = normalize(np.array([[1.0, 0.1], [-1.0, 0.0]], dtype=np.float32))
    shares = find_shares(texts, names)
    assert np.isfinite(shares).all()
    assert (shares.argmax(axis=1) == 0).all()
