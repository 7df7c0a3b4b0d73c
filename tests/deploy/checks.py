"""All that ``make manifests`` holds against a tree, as a list of findings; empty is good."""

from __future__ import annotations

from pathlib import Path

from tests.deploy import agreement, expressions, schemas
from tests.deploy.rendering import Rendered, render


def findings(root: Path, workplace: Path, *, custom: bool) -> list[str]:
    """What is wrong with ``root``'s ``deploy/`` and ``docs/``; ``workplace`` is an empty folder.

    ``custom`` says whether to judge custom resources too, which takes a second or two; each of
    their kinds is a finding where npm has not installed what judges them.
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
    """What is wrong with the expressions of rules, autoscalers and dashboard."""
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
