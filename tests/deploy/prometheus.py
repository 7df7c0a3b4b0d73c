"""Write deploy/monitoring/rules.yaml, for a Prometheus that no operator configures.

    python -m tests.deploy.prometheus

The rules are those of the component ``monitoring``, without what makes them a resource of
Kubernetes.
"""

from __future__ import annotations

from pathlib import Path

from tests.deploy.rendering import ROOT

SOURCE = ROOT / "deploy" / "components" / "monitoring" / "rules.yaml"
FILE = ROOT / "deploy" / "monitoring" / "rules.yaml"
_HEAD = f"# Written by `python -m tests.deploy.prometheus` from {SOURCE.relative_to(ROOT)}.\n"


def text() -> str:
    """Return the content of the file: the lines below ``groups``, comments too."""
    _, _, groups = SOURCE.read_text("utf-8").partition("\n  groups:\n")
    lines = [line.removeprefix("  ") for line in groups.splitlines()]
    return _HEAD + "groups:\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(FILE).write_text(text(), "utf-8")
