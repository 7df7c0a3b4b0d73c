"""Labels as Label Studio has them: a control of choices, and the choices of a prediction.

A project of Label Studio has a configuration in XML: a ``Text`` shows a field of a task, and a
``Choices`` takes the labels of that text.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from valence.service.classifier.classifier import Prediction
from valence.service.classifier.manifest import Manifest

MAX_CHARACTERS = 1_000_000
"""Of a configuration: one with ten thousand labels is shorter."""
# an entity could grow beyond every bound, and no configuration has one
_DECLARATION = re.compile("<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_SHOWN_LABELS = 10


class Control(NamedTuple):
    """Where labels of a text go: names in a configuration, and the choice of each label."""

    name: str
    text: str
    """The name of the ``Text``."""
    field: str
    """The field of a task that has the text."""
    choices: dict[str, str]
    """The choice of each label of the model."""


def write_configuration(manifest: Manifest) -> str:
    """The labelling configuration for the labels of a model: its tasks have a field ``text``."""
    choice = "single" if manifest.task == "single_label" else "multiple"
    lines = [
        "<View>",
        '  <Text name="text" value="$text"/>',
        f'  <Choices name="label" toName="text" choice="{choice}" showInLine="true">',
        *(f"    <Choice value={quoteattr(label)}/>" for label in manifest.labels),
        "  </Choices>",
        "</View>",
    ]
    return "\n".join(lines) + "\n"


def make_control(manifest: Manifest) -> Control:
    """The control of :func:`write_configuration`."""
    return Control("label", "text", "text", {label: label for label in manifest.labels})


def read_control(configuration: str, manifest: Manifest) -> Control:
    """The first control in ``configuration`` that has every label of a model as a choice.

    The alias of a choice, or its value, is the label. Raises ``ValueError`` with the fault and the
    remedy.
    """
    try:
        if len(configuration) > MAX_CHARACTERS or _DECLARATION.search(configuration):
            raise ElementTree.ParseError
        root = ElementTree.fromstring(configuration)  # noqa: S314 - without declarations
    except ElementTree.ParseError:
        raise ValueError(
            "not a labelling configuration: give the XML of a project, such as "
            '<View><Text name="text" value="$text"/>...</View>'
        ) from None
    fields = {
        element.get("name", ""): element.get("value", "").removeprefix("$")
        for element in root.iter()
        if element.tag in ("Text", "HyperText")
    }
    lacking = set(manifest.labels)
    for element in root.iter("Choices"):
        text = element.get("toName", "")
        found = {
            label: one.get("value", "")
            for one in element.iter("Choice")
            for label in (one.get("value", ""), one.get("alias", ""))
            if label
        }
        without = set(manifest.labels) - found.keys()
        if text in fields and not without:
            choices = {label: found[label] for label in manifest.labels}
            return Control(element.get("name", ""), text, fields[text], choices)
        if text in fields and len(without) < len(lacking):
            lacking = without
    named = ", ".join(sorted(lacking)[:_SHOWN_LABELS])
    more = len(lacking) - _SHOWN_LABELS
    raise ValueError(
        f"no Choices of a Text has every label of {manifest.name!r}; add a Choice for "
        f"{named}{f' and {more} more' if more > 0 else ''}"
    )


def describe_prediction(
    control: Control, prediction: Prediction, *, version: str
) -> dict[str, Any]:
    """A prediction of a task: the labels given, the highest probability, and the version."""
    choices = [control.choices[label] for label in prediction.labels]
    return {
        "model_version": version,
        "score": max(prediction.probabilities),
        "result": [
            {
                "from_name": control.name,
                "to_name": control.text,
                "type": "choices",
                "value": {"choices": choices},
            }
        ]
        if choices
        else [],
    }
