from __future__ import annotations

import numpy as np
import torch
from valence.training.char_lm import interpretable_units
from valence.training.char_lm.alphabet import Alphabet
from valence.training.char_lm.documents import Document
from valence.training.char_lm.interpretable_units import InterpretableUnit
from valence.training.char_lm.model import CharacterModel, initialize_weights

DOCUMENTS = [
    Document('He said "yes (or no)" twice.\nThen 7 left.', "news"),
    Document('Some "more" talk [of 3] things.\n"And" so on.', "talk"),
] * 20


def test_features_have_the_expected_values() -> None:
    found = interpretable_units.compute_features(
        [Document('a "b" (c)\nD1', "news"), Document("e", "talk")]
    )
    assert found["within quotes"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert found["within brackets"].tolist() == [0] * 6 + [1, 1] + [0] * 8
    assert found["digit"].tolist() == [0] * 11 + [1] + [0] * 4
    assert found["capital letter"].tolist() == [0] * 10 + [1] + [0] * 5
    assert found["label news"].tolist() == [1] * 15 + [0]
    assert found["label talk"].tolist() == [0] * 15 + [1]
    assert found["place in the line"].argmax() == 8
    assert found["place in the line"][9] == 0


def test_an_unclosed_quote_ends_at_the_end_of_its_line() -> None:
    found = interpretable_units.compute_features([Document('"a\nb')])["within quotes"]
    assert found.tolist() == [1, 1, 0, 0]


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
    assert found.correlation == np.corrcoef(unit, feature)[0, 1].round(12) or np.isclose(
        found.correlation, np.corrcoef(unit, feature)[0, 1]
    )


def test_reading_a_text_in_pieces_gives_the_same_outputs() -> None:
    model, alphabet = quote_reader()
    text = DOCUMENTS[0].text * 40
    whole = interpretable_units.compute_activations(model, alphabet, text)
    outputs, _ = model.outputs(torch.from_numpy(alphabet.encode(text))[:, None], None)
    expected = torch.cat(outputs, dim=2)[:, 0].detach().numpy()
    np.testing.assert_allclose(whole, expected, atol=1e-6)
