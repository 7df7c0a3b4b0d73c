"""A model from the names of its labels: proposed labels are learnt, confirmed labels judge."""

from __future__ import annotations

from pathlib import Path

from valence.service.errors import ConfigurationError
from valence.service.files.atomic_write import write_file
from valence.training.config import loader, toml
from valence.training.config.columns import Columns
from valence.training.config.schema import Configuration
from valence.training.corpora import catalog
from valence.training.data import autoconfig
from valence.training.labelling.proposals import Proposals
from valence.training.pipeline.selection.recipes import VECTORS, list_linear_recipes
from valence.training.runtime.run import Run

MIN_CONFIRMED = 20


def make_start_configuration(
    proposals: Proposals, confirmed: Path, name: str, run: Run
) -> Configuration:
    """The configuration that learns ``proposals``, with the texts of ``confirmed`` as dev.

    It writes the texts to learn from, and itself, into the workspace. Raises
    :class:`ConfigurationError` for a confirmed label that is none of the labels, and for fewer than
    20 confirmed texts.
    """
    loaded = catalog.load_corpora(
        (), cache=run.workspace.corpora, patterns=[str(confirmed)], columns=Columns("text", "label")
    )
    unknown = sorted({str(one.label) for one in loaded.examples} - set(proposals.labels))
    if unknown:
        raise ConfigurationError(
            f"{confirmed}: {unknown[0]!r} is none of the labels; correct it, or add it to --labels"
        )
    if len(loaded.examples) < MIN_CONFIRMED:
        raise ConfigurationError(
            f"{confirmed}: {len(loaded.examples)} confirmed texts are too few to judge a model; "
            f"confirm {MIN_CONFIRMED} or more"
        )
    rows = proposals.choose_certain([example.text for example in loaded.examples])
    folder = run.workspace.root / "configs"
    learnt = folder / f"{name}-proposed.csv"
    proposals.write(learnt, rows)
    run.reporter.say(f"{len(rows):,} texts with proposed labels are learnt: {learnt}")
    proposed = {str(proposals.labels[row]) for row in proposals.shares[rows].argmax(axis=1)}
    used = proposed | {str(example.label) for example in loaded.examples}
    labels = [label for label in proposals.labels if label in used]
    base = loader.parse_configuration(
        {
            "name": name,
            "labels": labels,
            "polarity": autoconfig.infer_polarity(labels),
            "data": {"files": [str(learnt)], "dev": [str(confirmed)]},
        },
        source="the command line",
    )
    recipes = list_linear_recipes(base, "balanced", texts=len(rows))
    recipe = next(one for one in recipes if one.name == VECTORS)
    reason = (
        f"labels were proposed by their names; {len(loaded.examples):,} confirmed texts calibrate "
        "and judge"
    )
    chosen = recipe.configuration.model_copy(update={"chosen": (reason,)})
    write_file(folder / f"{name}.toml", toml.format_toml(chosen.as_json()))
    return chosen
