"""All checks of ``make manifests`` on a tree, as a list of findings; an empty list is good."""

from __future__ import annotations

from pathlib import Path

from tests.deploy import agreement, expressions, schemas
from tests.deploy.rendering import Rendered, render


def findings(root: Path, workplace: Path, *, custom: bool) -> list[str]:
    """Return the faults of ``root``'s ``deploy/`` and ``docs/``; ``workplace`` is an empty folder.

    ``custom`` says whether to check custom resources too, which takes a second or two. If npm has
    not
    installed their types, each kind of them is a finding.
    """
    rendered = render(root / "deploy", workplace)
    return [
        *schemas.findings(rendered),
        *(_of_custom_resources(rendered, workplace) if custom else ()),
        *of_expressions(root, rendered),
        *agreement.findings(rendered, root),
    ]


def _of_custom_resources(rendered: Rendered, workplace: Path) -> list[str]:
    if schemas.custom_types_installed():
        return schemas.custom_findings(rendered, workplace)
    return schemas.uncovered(rendered)


def of_expressions(root: Path, rendered: Rendered) -> list[str]:
    """Return the faults of the expressions of rules, autoscalers and dashboard."""
    deploy = root / "deploy"
    found = [
        *expressions.of_rules(rendered),
        *expressions.of_adapter(deploy / "components" / "autoscaling" / "adapter-values.yaml"),
        *expressions.of_dashboard(deploy / "monitoring" / "dashboard.json"),
    ]
    recorded = {
        rule["record"] for rule in expressions.rules(rendered["production"]) if "record" in rule
    }
    return expressions.findings(found, recorded)
