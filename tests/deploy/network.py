"""Check that network policies admit what each pod needs, and no more than they say."""

from __future__ import annotations

from collections.abc import Iterator

from tests.deploy.rendering import Resource, named, serving_pods, training_pods

# of a training pod: DNS, and the package index
_NEEDED_OUTSIDE = {53, 443}


def findings(resources: list[Resource]) -> Iterator[str]:
    """Yield every pod that a policy cuts off, and every rule that admits the whole Internet."""
    policies = [policy["spec"] for policy in named(resources, "NetworkPolicy").values()]
    for where, template in serving_pods(resources).items():
        selected = _selecting(policies, template, "Ingress")
        for port in template["spec"]["containers"][0]["ports"]:
            names = {port["name"], port["containerPort"]}
            admitted = [
                rule
                for policy in selected
                for rule in policy.get("ingress", ())
                if rule.get("from") and names & {one["port"] for one in rule.get("ports", ())}
            ]
            if selected and not admitted:
                yield f"{where}: no network policy admits the port {port['name']}"
    for where, template in training_pods(resources).items():
        selected = _selecting(policies, template, "Egress")
        rules = [rule for policy in selected for rule in policy.get("egress", ())]
        ports = {port["port"] for rule in rules for port in rule.get("ports", ())}
        for port in sorted(_NEEDED_OUTSIDE - ports if selected else ()):
            yield f"{where}: no network policy lets it reach port {port}"
        for rule in rules:
            blocks = [peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer]
            if blocks and not rule.get("ports"):
                yield f"{where}: {', '.join(blocks)} can be reached at every port"
            if wide := [block for block in blocks if int(block.partition("/")[2]) < 8]:
                yield f"{where}: {', '.join(wide)} is most of the Internet"


def _selecting(policies: list[Resource], template: Resource, direction: str) -> list[Resource]:
    labels = template["metadata"]["labels"]
    return [
        policy
        for policy in policies
        if direction in policy["policyTypes"]
        and policy["podSelector"].get("matchLabels", {}).items() <= labels.items()
    ]
