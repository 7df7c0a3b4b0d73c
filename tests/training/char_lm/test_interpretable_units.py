from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from valence.training.char_lm import interpretable_units
from valence.training.char_lm.alphabet import Alphabet
from valence.training.char_lm.config import Cell
from valence.training.char_lm.documents import Document
from valence.training.char_lm.interpretable_units import InterpretableUnit
from valence.training.char_lm.model import CharacterModel, initialize_weights

DOCUMENTS = [
    Document('He said "yes (or no)" twice.\nThen 7 left.', "news"),
    Document('Some "more" talk [of 3] things.\n"And" so on.', "talk"),
] * 20


def quote_reader() -> tuple[CharacterModel, Alphabet]:
    """Return a model in which unit 1 of the second layer flips at every quote; the others are
    noise.

    An RNN cannot compute this from a single character, so a first layer of two units counts the
    quotes. It is an LSTM built by hand, whose cell flips its sign where the input gate is open.
    """
    alphabet = Alphabet.from_text("".join(document.text for document in DOCUMENTS), minimum_count=1)
    model = CharacterModel(characters=len(alphabet), cell="lstm", hidden_size=2, layers=2)
    initialize_weights(model, 3)
    first = dict(model.layers[0].named_parameters())
    quote = int(alphabet.encode('"')[0])
    with torch.no_grad():
        for parameter in first.values():
            parameter.zero_()
        # gates of unit 0: input, forget, cell, output at rows 0, 2, 4, 6
        first["weight_ih_l0"][0] = -20.0
        first["weight_ih_l0"][0, quote] = 20.0
        first["weight_ih_l0"][2] = 20.0
        first["weight_ih_l0"][2, quote] = -20.0
        first["weight_hh_l0"][4, 0] = -40.0
        first["bias_ih_l0"][4] = 10.0
        first["bias_ih_l0"][6] = 20.0
    return model, alphabet


def test_the_unit_that_tracks_quotes_is_found() -> None:
    """Its score is computed on other text."""
    model, alphabet = quote_reader()
    found = interpretable_units.find_units(
        model, alphabet, dev=DOCUMENTS[:20], test=DOCUMENTS[20:], characters=10_000
    )
    best = {unit.feature: unit for unit in found}["within quotes"]
    assert (best.layer, best.unit) == (1, 0)
    assert abs(best.correlation) > 0.9
    assert best.auc is not None
    assert best.auc > 0.99
    assert found == sorted(found, key=lambda one: -abs(one.correlation))


def test_correlations_equal_those_of_numpy() -> None:
    model, alphabet = quote_reader()
    (found,) = (
        unit
        for unit in interpretable_units.find_units(
            model, alphabet, dev=DOCUMENTS, test=DOCUMENTS[:7], characters=10_000
        )
        if unit.feature == "digit"
    )
    assert isinstance(found, InterpretableUnit)
    text = "\n\n\n".join(document.text for document in DOCUMENTS[:7])
    place = (found.layer - 1) * model.hidden_size + found.unit
    unit = interpretable_units.compute_activations(model, alphabet, text)[:, place]
    feature = [float(character.isdigit()) for character in text]
    auc = roc_auc_score(feature, unit)
    assert found.auc == pytest.approx(auc if found.chosen_correlation > 0 else 1 - auc)
    assert found.correlation == np.corrcoef(unit, feature)[0, 1].round(12) or np.isclose(
        found.correlation, np.corrcoef(unit, feature)[0, 1]
    )


def test_a_feature_that_is_no_yes_or_no_has_no_auc() -> None:
    model, alphabet = quote_reader()
    found = {
        unit.feature: unit
        for unit in interpretable_units.find_units(
            model, alphabet, dev=DOCUMENTS, test=DOCUMENTS[:7], characters=10_000
        )
    }
    assert found["place in the line"].auc is None
    assert found["within brackets"].auc is not None


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_reading_a_text_in_pieces_gives_the_same_values(cell: Cell) -> None:
    alphabet = Alphabet.from_text(DOCUMENTS[0].text, minimum_count=1)
    model = CharacterModel(characters=len(alphabet), cell=cell, hidden_size=5, layers=2)
    initialize_weights(model, 3)
    text = DOCUMENTS[0].text * 40
    whole = interpretable_units.compute_activations(model, alphabet, text)
    units, _ = model.read_units(torch.from_numpy(alphabet.encode(text))[:, None], None)
    expected = torch.cat(units, dim=2)[:, 0].detach().numpy()
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    some = interpretable_units.compute_activations(model, alphabet, text, [7, 0])
    np.testing.assert_array_equal(some, whole[:, [7, 0]])


def test_the_passage_is_where_the_feature_varies_most() -> None:
    values = np.zeros(100)
    values[45:50] = 1.0
    values[70] = 1.0
    assert interpretable_units.find_passage(values, 20) == slice(40, 60)
    assert interpretable_units.find_passage(values, 1_000) == slice(0, 1_000)
