"""Print which models of a bento are for some uses only, for a label of the image.

Usage: python restrictions.py BENTO
"""

import sys
from pathlib import Path

from valence.service.classifier.licences import find_restrictions
from valence.service.classifier.manifest import Manifest


def describe_restrictions(bento: Path) -> str:
    """``MODEL: SOURCE: LICENCE`` for each source that limits the use of a model in ``bento``."""
    found = []
    for path in sorted(bento.glob("models/*/*/model.json")):
        manifest = Manifest.model_validate_json(path.read_bytes())
        found += [f"{manifest.name}: {line}" for line in find_restrictions(manifest.training)]
    return " | ".join(found)


if __name__ == "__main__":
    sys.stdout.write(describe_restrictions(Path(sys.argv[1])) + "\n")
