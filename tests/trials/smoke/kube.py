"""The rendered Deployment of the overlay ``dev``, run by ``podman kube play``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.deploy.rendering import ROOT, named, render
from tests.trials.bench.processes import free_port
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.served import ask
from tests.trials.smoke.container import Container
from tests.trials.smoke.machine import podman


def run(image: str) -> Iterator[Finding]:
    """Run it with three edits: the name of the image, one replica, a port of the host."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="valence-smoke-") as scratch:
        rendered = render(ROOT / "deploy", Path(scratch))["dev"]
        deployment = named(rendered, "Deployment")["valence"]
        (part,) = deployment["spec"]["template"]["spec"]["containers"]
        part["image"] = image
        part["ports"][0] |= {"hostPort": port, "hostIP": "127.0.0.1"}
        deployment["spec"]["replicas"] = 1
        played = Path(scratch) / "played.yaml"
        played.write_text(yaml.safe_dump(deployment), "utf-8")
        podman("kube", "play", "--replace", str(played))
        try:
            names = podman("ps", "--format", "{{.Names}}").split()
            container = Container(next(n for n in names if n.endswith("-valence")), port)
            seconds = container.wait_until_ready()
            used = container.used()
            (result,) = ask(port, "/v1/classify", {"text": "I love it."})["results"]
            user = container.run("id", "-u")
            read_only = container.state("HostConfig.ReadonlyRootfs")
            limit = int(part["resources"]["limits"]["memory"].removesuffix("Mi")) * 2**20
            yield Finding(
                fault="`podman kube play`",
                tried="overlay `dev`, edited: image, one replica, host port",
                lost=f"ready after {seconds:.1f} s, label {result['label']}; uid {user}, read-only "
                f"{read_only}, memory {used.limit_bytes // 2**20} MiB",
                promise="answers; user, read-only root and memory limit as in the manifest",
                held=result["label"] == "positive"
                and user == "10001"
                and read_only == "true"
                and used.limit_bytes == limit,
            )
        finally:
            podman("kube", "down", str(played))
