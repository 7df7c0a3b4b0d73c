"""Labels as Label Studio has them."""

from __future__ import annotations

import pytest
from valence.service.annotation.choices import (
    MAX_CHARACTERS,
    describe_prediction,
    make_control,
    read_control,
    write_configuration,
)
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.classifier import Prediction

BEGIN = '<View><Text name="article" value="$body"/><Choices name="tone" toName="article">'
END = "</Choices></View>"
SENTIMENT = "".join(f'<Choice value="{label}"/>' for label in ("negative", "neutral", "positive"))


def test_the_written_configuration_is_read_again(tiny_artifact: Artifact) -> None:
    manifest = tiny_artifact.manifest
    assert read_control(write_configuration(manifest), manifest) == make_control(manifest)


def test_labels_of_any_letters_are_quoted(tiny_artifact: Artifact) -> None:
    labels = ('a "b" & <c>', "d'e")
    manifest = tiny_artifact.manifest.model_copy(update={"labels": labels})
    assert read_control(write_configuration(manifest), manifest).choices == {
        label: label for label in labels
    }


def test_a_control_has_names_and_fields_of_its_own(tiny_artifact: Artifact) -> None:
    """A first control of other labels is passed over; an alias is a label."""
    choices = SENTIMENT.replace('value="neutral"', 'value="So so" alias="neutral"')
    other = '<Choices name="topic" toName="article"><Choice value="sport"/></Choices>'
    configuration = BEGIN.replace("<Choices", f"{other}<Choices") + choices + END
    control = read_control(configuration, tiny_artifact.manifest)
    assert (control.name, control.text, control.field) == ("tone", "article", "body")
    assert control.choices["neutral"] == "So so"


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        (BEGIN + SENTIMENT.replace("neutral", "mixed") + END, "add a Choice for neutral"),
        ('<View><Image name="i" value="$i"/></View>', "negative, neutral, positive"),
        ("no XML", "not a labelling configuration"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View/>', "not a labelling configuration"),
        (" " * MAX_CHARACTERS + "<View/>", "not a labelling configuration"),
    ],
)
def test_what_a_configuration_lacks_is_told(
    configuration: str, message: str, tiny_artifact: Artifact
) -> None:
    with pytest.raises(ValueError, match=message):
        read_control(configuration, tiny_artifact.manifest)


def test_a_prediction_has_the_labels_that_are_given(tiny_artifact: Artifact) -> None:
    control = make_control(tiny_artifact.manifest)
    prediction = Prediction("positive", (0.25, 0.0, 0.75), 0.5, ("positive",))
    described = describe_prediction(control, prediction, version="sentiment:1")
    assert described["score"] == 0.75
    assert described["result"] == [
        {
            "from_name": "label",
            "to_name": "text",
            "type": "choices",
            "value": {"choices": ["positive"]},
        }
    ]
    none = prediction._replace(labels=())
    assert describe_prediction(control, none, version="sentiment:1")["result"] == []
