"""Run all checks of the manifests, with the policies of checkov: ``make manifests``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tests.deploy import checks
from tests.deploy.rendering import ROOT, render

# skipped checks of checkov, with the reasons
SKIPPED = {
    "CKV_K8S_11": "a CPU limit throttles a service that is idle most of the time",
    "CKV_K8S_14": "the tag is the version; your overlay sets the digest of the image you pushed",
    "CKV_K8S_43": "the digest is known once the image is pushed; "
    "docs/operations/kubernetes.md says where it goes",
    "CKV_K8S_15": "our tags never move, so an image need not be pulled again",
    "CKV_DOCKER_7": "the base image is a build argument, whose default has a tag",
}


def main() -> int:
    """Print the findings, one per line; return 1 if there are any."""
    with tempfile.TemporaryDirectory() as folder:
        workplace = Path(folder)
        (workplace / "checks").mkdir()
        found = checks.findings(ROOT, workplace / "checks", custom=True)
        found += _policies(workplace)
    for finding in found:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{len(found)} findings\n")
    return 1 if found else 0


def _policies(workplace: Path) -> list[str]:
    checkov = ROOT / ".venv-policies" / "bin" / "checkov"
    if not checkov.exists():
        return ["policies: checkov is not installed; `make manifests` installs it"]
    (workplace / "policies").mkdir()
    manifests = workplace / "manifests"
    manifests.mkdir()
    for overlay, resources in render(ROOT / "deploy", workplace / "policies").items():
        text = yaml.safe_dump_all(resources)
        (manifests / f"{overlay}.yaml").write_text(text, "utf-8")
    found = []
    for framework, where in (
        ("kubernetes", ["--directory", str(manifests)]),
        ("dockerfile", ["--file", str(ROOT / "deploy" / "image" / "Dockerfile")]),
    ):
        judged = subprocess.run(
            [checkov, "--framework", framework, *where, "--skip-download", "--compact", "--quiet",
             "--skip-check", ",".join(SKIPPED)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if judged.returncode:
            found.append(f"checkov: {judged.stdout}{judged.stderr}")
    return found


if __name__ == "__main__":
    sys.exit(main())
