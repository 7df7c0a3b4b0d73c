"""Check that manifests, image, rules and documents agree with the code and with each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from valence.service.api.application import ROUTES
from valence.service.api.operations.health import ADMIN_ROUTES
from valence.service.errors import ConfigurationError
from valence.service.settings import PREFIX, Settings
from valence.service.version import VERSION

from tests.deploy import gateway, jobs, kserve, network
from tests.deploy.expressions import rules
from tests.deploy.rendering import Rendered, Resource, named, pods

RUNBOOK = "docs/operations/runbook.md"
_PROBES = {
    "startupProbe": {"/readyz", "/v2/health/ready"},
    "readinessProbe": {"/readyz", "/v2/health/ready"},
    "livenessProbe": {"/livez", "/v2/health/live"},
}


class Image:
    """Values of the Dockerfile."""

    def __init__(self, dockerfile: Path) -> None:
        text = dockerfile.read_text("utf-8")
        final = text[text.rindex("\nFROM ") :]
        self.uid, self.gid = map(int, re.findall(r"^USER (\d+):(\d+)$", final, re.MULTILINE)[0])
        self.port = int(re.findall(r"^EXPOSE (\d+)$", final, re.MULTILINE)[0])
        self.home = re.findall(r"BENTOML_HOME=(\S+)", final)[0]
        self.listens = re.findall(r'"--port", "(\d+)"', final)[0]
        self.health = re.findall(r"http://127\.0\.0\.1:%d(/\w+)'.* or (\d+)\)", final)[0]
        self.version = re.findall(r"^ARG VERSION=(\S+)$", final, re.MULTILINE)[0]


def findings(rendered: Rendered, root: Path) -> list[str]:
    """Return every disagreement; ``root`` holds ``deploy/`` and ``docs/``."""
    image = Image(root / "deploy" / "image" / "Dockerfile")
    found = [*_image(image)]
    for overlay, resources in rendered.items():
        for where, pod in pods(resources).items():
            found += [f"{overlay}: {where}: {finding}" for finding in _pod(pod, image, resources)]
        found += [f"{overlay}: {finding}" for finding in _names(resources)]
        found += [f"{overlay}: {finding}" for finding in jobs.findings(resources, image.uid)]
        found += [f"{overlay}: {finding}" for finding in network.findings(resources)]
        found += [f"{overlay}: {finding}" for finding in gateway.findings(resources)]
    runbook = (root / RUNBOOK).read_text("utf-8")
    sections = set(re.findall(r"^## (\w+)$", runbook, re.MULTILINE))
    alerts = {
        rule["alert"]: rule for r in rendered.values() for rule in rules(r) if "alert" in rule
    }
    for name, rule in alerts.items():
        link = urlsplit(rule["annotations"].get("runbook_url", ""))
        page = Path(RUNBOOK).relative_to("docs").with_suffix(".html")
        if link.scheme != "https" or not link.netloc or not link.path.endswith(f"/{page}"):
            found.append(f"{name}: its runbook_url is no address of {page}")
        if link.fragment != name.lower():
            found.append(f"{name}: its runbook_url does not lead to its section of {RUNBOOK}")
    found += [f"{RUNBOOK} has no section {name}" for name in sorted(alerts.keys() - sections)]
    found += [f"{RUNBOOK}: no alert {name}" for name in sorted(sections - alerts.keys())]
    return [*found, *_scaled(rendered, root)]


def _scaled(rendered: Rendered, root: Path) -> Iterator[str]:
    """Yield the metrics of autoscalers that the adapter does not define."""
    values = root / "deploy" / "components" / "autoscaling" / "adapter-values.yaml"
    custom = yaml.safe_load(values.read_text("utf-8"))["rules"]["custom"]
    defined = {rule["name"]["as"] for rule in custom}
    for resources in rendered.values():
        for name, scaler in named(resources, "HorizontalPodAutoscaler").items():
            for metric in scaler["spec"]["metrics"]:
                read = metric["pods"]["metric"]["name"]
                if read not in defined:
                    yield f"HorizontalPodAutoscaler {name}: the adapter does not define {read}"


def _image(image: Image) -> Iterator[str]:
    if not str(image.port) == image.listens == image.health[1]:
        yield f"Dockerfile: ports {image.port}, {image.listens} and {image.health[1]} differ"
    if image.health[0] not in _PROBES["livenessProbe"]:
        yield f"Dockerfile: HEALTHCHECK asks {image.health[0]}"
    if Path(image.home).parent != Path("/tmp"):
        yield f"Dockerfile: {image.home} is not in /tmp, the one folder that can be written"
    if image.version != VERSION:
        yield f"Dockerfile: version {image.version}, the service is {VERSION}"


def _pod(pod: Resource, image: Image, resources: list[Resource]) -> Iterator[str]:
    security = pod.get("securityContext", {})
    for name, wanted in (("runAsUser", image.uid), ("runAsGroup", image.gid)):
        if security.get(name) != wanted:
            yield f"{name} is {security.get(name)}, the image's is {wanted}"
    if security.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not set"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccompProfile is not RuntimeDefault"
    if pod.get("automountServiceAccountToken") is not False:
        yield "a service account's token is mounted"
    if pod.get("enableServiceLinks") is not False:
        yield f"links to Services are {PREFIX} variables, which the service refuses"
    (container,) = pod["containers"]
    settings = {
        entry["name"]: entry.get("value", "")
        for entry in container.get("env", ())
        if entry["name"].startswith(PREFIX)
    }
    try:
        given = Settings.from_environment(settings)
    except ConfigurationError as error:
        yield str(error)
        return
    yield from _container(container, image, given)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    if set(mounts.values()) != volumes.keys():
        yield f"volumes {sorted(volumes)} are not those mounted: {sorted(mounts.values())}"
        return
    if "emptyDir" not in volumes.get(mounts.get("/tmp", ""), {}):
        yield "/tmp cannot be written"
    if given.model_source and "emptyDir" not in volumes.get(mounts.get(given.model_cache, ""), {}):
        yield f"VALENCE_MODEL_CACHE={given.model_cache} is on no volume that can be written"
    if given.api_keys_file:
        secret = volumes.get(mounts.get(str(Path(given.api_keys_file).parent), ""), {})
        if "secret" not in secret:
            yield f"{given.api_keys_file} is in no mounted Secret"
    elif not given.allow_anonymous:
        yield "neither API keys nor VALENCE_ALLOW_ANONYMOUS: the service would not start"
    stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    bounds = Settings.model_fields["request_timeout_seconds"].metadata
    longest = max(bound.le for bound in bounds if hasattr(bound, "le"))
    # the service then ends a worker that hangs, and its log says so
    longest = max(longest, given.grace_seconds)
    grace = pod["terminationGracePeriodSeconds"]
    if grace <= stop + longest:
        yield f"terminationGracePeriodSeconds is not above {stop + longest:g} s"
    # what hangs never drains; what does not hang answers within the deadline of a request
    least = stop + given.request_timeout_seconds
    if not least < container["livenessProbe"].get("terminationGracePeriodSeconds", grace) < grace:
        yield f"the grace of the livenessProbe is not between {least:g} and {grace} s"
    if given.drain_seconds:
        yield "VALENCE_DRAIN_SECONDS waits once more after the preStop sleep"
    account = pod["serviceAccountName"]
    if named(resources, "Namespace") and account not in named(resources, "ServiceAccount"):
        yield f"there is no ServiceAccount {account}"


def _container(container: Resource, image: Image, given: Settings) -> Iterator[str]:
    admin_port = given.admin_port
    probed = ADMIN_ROUTES if admin_port else ROUTES
    served = {route.path for route in probed if route.method == "GET" and route.open}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listens = {image.port, admin_port, given.grpc_port} - {0}
    if set(ports.values()) != listens:
        yield f"ports {ports}, the image listens on {' and '.join(map(str, sorted(listens)))}"
    for probe, wanted in _PROBES.items():
        get = container.get(probe, {}).get("httpGet", {})
        if get.get("path") not in wanted & served:
            yield f"{probe} asks {get.get('path')}, not one of {sorted(wanted)}"
        if ports.get(get.get("port"), get.get("port")) != (admin_port or image.port):
            yield f"{probe} asks port {get.get('port')}"
        waits = container.get(probe, {}).get("timeoutSeconds", 0)
        if not 0 < waits <= container.get(probe, {}).get("periodSeconds", 10):
            yield f"{probe} says no timeoutSeconds, or more than its period"
    security = container.get("securityContext", {})
    for name, expected in (
        ("allowPrivilegeEscalation", False),
        ("readOnlyRootFilesystem", True),
        ("capabilities", {"drop": ["ALL"]}),
    ):
        if security.get(name) != expected:
            yield f"{name} is {security.get(name)}"
    resources = container["resources"]
    if not {"cpu", "memory"} <= resources["requests"].keys() or "memory" not in resources["limits"]:
        yield "no requests of cpu and memory, or no limit of memory"
    tag = container["image"].partition(":")[2]
    if "@sha256:" not in container["image"] and tag.partition("-")[0] != VERSION:
        yield f"image {container['image']} is not of version {VERSION}"


def _names(resources: list[Resource]) -> Iterator[str]:
    deployments, services = named(resources, "Deployment"), named(resources, "Service")
    for name, deployment in deployments.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        leading = [s for s in services.values() if _selects(s["spec"]["selector"], labels)]
        if [service["metadata"]["name"] for service in leading] != [name]:
            yield f"Deployment {name}: not selected by the Service {name} and by it alone"
        for budget in named(resources, "PodDisruptionBudget").values():
            selected = _selects(budget["spec"]["selector"].get("matchLabels", {}), labels)
            if selected != (budget["metadata"]["name"] == name):
                yield f"Deployment {name}: PodDisruptionBudget {budget['metadata']['name']}"
    for service in services.values():
        if service["spec"].get("clusterIP") == "None":
            continue  # the Service of a Job: see tests.deploy.jobs
        (container,) = deployments[service["metadata"]["name"]]["spec"]["template"]["spec"][
            "containers"
        ]
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in {one["name"] for one in container["ports"]}:
                yield f"Service {service['metadata']['name']}: no port {port['targetPort']}"
    for monitor in named(resources, "ServiceMonitor").values():
        for service in services.values():
            if service["spec"].get("clusterIP") == "None":
                continue
            labels, spec = service["metadata"]["labels"], monitor["spec"]
            if not _selects(spec["selector"]["matchLabels"], labels):
                yield "ServiceMonitor: does not select the Service"
            if labels.get(spec["jobLabel"]) != "valence":
                yield 'ServiceMonitor: its jobLabel does not make job="valence", which rules select'
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint["path"] not in {route.path for route in ADMIN_ROUTES}:
                yield f"ServiceMonitor: {endpoint['path']} is not served"
            if endpoint["port"] != "admin":
                yield f"ServiceMonitor: port {endpoint['port']}, which clients can fill"
    made_by_kserve = {
        f"{name}-predictor": service
        for name, service in named(resources, "InferenceService").items()
    }
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for scaler in named(resources, kind).values():
            target = scaler["spec"]["scaleTargetRef"]["name"]
            if target in made_by_kserve:
                if made_by_kserve[target]["metadata"]["annotations"][kserve.CLASS] != "external":
                    yield f"{kind}: KServe scales {target} too"
            elif target not in deployments:
                yield f"{kind}: no Deployment {target}"
            elif "replicas" in deployments[target]["spec"]:
                yield f"{kind}: Deployment {target} says its replicas too"


def _selects(selector: dict[str, Any], labels: dict[str, Any]) -> bool:
    return selector.items() <= labels.items()
