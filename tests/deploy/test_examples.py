"""The examples in the documents are whole: kustomize builds them, and each setting takes effect."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.deploy import agreement, network, schemas
from tests.deploy.expressions import rules
from tests.deploy.rendering import ROOT, Resource, kustomize, named, pods

pytestmark = pytest.mark.integration

PAGE = ROOT / "docs" / "operations" / "kubernetes.md"
TRAINING = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../deploy/base]
components: [../deploy/components/workspace, ../deploy/components/retrain]
"""


def example(name: str) -> str:
    """Return the block of code between two comments of the page."""
    (found,) = re.findall(
        rf"<!-- {name} -->\n```yaml\n(.*?)```\n<!-- /{name} -->", PAGE.read_text("utf-8"), re.DOTALL
    )
    return found


def build(folder: Path, text: str) -> list[Resource]:
    """Build a kustomization in ``mine/``, beside a copy of ``deploy/``."""
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    (folder / "mine").mkdir()
    (folder / "mine" / "kustomization.yaml").write_text(text, "utf-8")
    return kustomize(folder / "mine")


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> list[Resource]:
    return build(tmp_path_factory.mktemp("mine"), example("mine"))


def test_the_image_is_named_by_its_digest(mine):
    (pod,) = pods(mine).values()
    name, _, digest = pod["containers"][0]["image"].partition("@")
    assert name == "registry.example.com/valence"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)


def test_links_of_alerts_lead_to_the_runbook_of_your_own(mine):
    alerts = [rule for rule in rules(mine) if "alert" in rule]
    assert len(alerts) > 10
    for rule in alerts:
        assert rule["annotations"]["runbook_url"] == (
            f"https://docs.example.org/valence/operations/runbook.html#{rule['alert'].lower()}"
        )
    assert named(mine, "ConfigMap") == {}


def test_hosts_and_registry_are_those_of_your_own(mine):
    (gateway,) = named(mine, "Gateway").values()
    hosts = {listener["hostname"] for listener in gateway["spec"]["listeners"]}
    assert hosts == {"valence.example.org"}
    (policy,) = named(mine, "ClusterImagePolicy").values()
    (pod,) = pods(mine).values()
    (pattern,) = policy["spec"]["images"]
    repository = pod["containers"][0]["image"].partition("@")[0]
    assert repository.startswith(pattern["glob"].removesuffix("**"))
    (namespace,) = named(mine, "Namespace").values()
    assert namespace["metadata"]["labels"]["policy.sigstore.dev/include"] == "true"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_cluster_accepts_the_example(mine):
    assert schemas.findings({"mine": mine}) == []
    assert agreement.findings({"mine": mine}, ROOT) == []


@pytest.mark.parametrize("scaled_twice", [False, True])
def test_kserve_scales_by_the_metric_of_production(tmp_path, scaled_twice):
    text = example("kserve")
    if scaled_twice:
        text = text.replace("value: external", "value: hpa")
    resources = build(tmp_path, text)
    (scaler,) = named(resources, "HorizontalPodAutoscaler").values()
    assert scaler["spec"]["metrics"][0]["pods"]["metric"]["name"] == "valence_saturation_ratio"
    assert schemas.findings({"mine": resources}) == []
    twice = ["mine: HorizontalPodAutoscaler: KServe scales valence-predictor too"]
    assert agreement.findings({"mine": resources}, ROOT) == (twice if scaled_twice else [])


@pytest.mark.parametrize("patch", ["example", "none"])
def test_training_reaches_one_index_or_none(tmp_path, patch):
    text = example("egress")
    if patch == "none":
        text = text[: text.index("      - op:")] + "      - {op: remove, path: /spec/egress/1}\n"
    resources = build(tmp_path, TRAINING + text)
    egress = named(resources, "NetworkPolicy")["admit-fetching"]["spec"]["egress"]
    blocks = [peer["ipBlock"] for rule in egress for peer in rule["to"] if "ipBlock" in peer]
    assert blocks == ([{"cidr": "192.0.2.10/32"}] if patch == "example" else [])
    cut_off = ["CronJob valence-retrain: no network policy lets it reach port 443"]
    assert list(network.findings(resources)) == ([] if patch == "example" else cut_off)


def test_pods_and_job_read_the_source_of_your_own(tmp_path):
    resources = build(tmp_path, example("source"))
    source = "s3://acme-models/production"
    (pod,) = pods(resources).values()
    env = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
    assert env["VALENCE_MODEL_SOURCE"] == source
    assert env["VALENCE_MODEL_CACHE"] in {
        mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]
    }
    (job,) = named(resources, "CronJob").values()
    template = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert template["containers"][0]["args"][-2:] == ["--source", source]
    assert agreement.findings({"mine": resources}, ROOT) == []
