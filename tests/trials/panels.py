"""Whether each panel of the dashboard has data: ``python -m tests.trials.panels``.

A real Prometheus, of the configuration and the rules that Compose mounts, scrapes a real server for
``--seconds``, while texts and mistaken requests reach the server. It needs the program
``prometheus`` (``apt-get install prometheus``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.expressions import of_dashboard
from tests.deploy.overview import OVERVIEW
from tests.deploy.rendering import ROOT
from tests.trials.bench.measure import say

DASHBOARD = ROOT / "deploy" / "monitoring" / "dashboard.json"
PORT = 9391
_BODIES = ({"text": "I loved it."}, {"text": ["It broke.", "It came on Monday."]}, {"text": 1})


def write_configuration(folder: Path, target: str) -> Path:
    """Write the configuration of Compose with another target, scraped each second."""
    configuration = yaml.safe_load((ROOT / "deploy/compose/prometheus.yaml").read_text("utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(ROOT / "deploy/monitoring/rules.yaml")]
    (job,) = configuration["scrape_configs"]
    job["scrape_timeout"] = "1s"
    job["static_configs"][0]["targets"] = [target]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration), "utf-8")
    return path


def call(url: str, body: object = None) -> Any:
    """The JSON of an answer; None for one that refuses or is not there."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except (urllib.error.URLError, TimeoutError):
        return None


def find_series(expression: str) -> int:
    """How many series an expression has at this moment."""
    query = urllib.parse.urlencode({"query": expression})
    found = call(f"http://127.0.0.1:{PORT}/api/v1/query?{query}")
    assert found is not None, f"Prometheus refuses {expression}"
    return len(found["data"]["result"])


def main() -> int:
    """Print each query without data; return 1 if one of the overview has none."""
    parser = argparse.ArgumentParser(prog="python -m tests.trials.panels", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:3000", help="address of the service")
    parser.add_argument("--admin", default="http://127.0.0.1:3001", help="address of its metrics")
    parser.add_argument("--seconds", type=float, default=90, help="of scraping")
    arguments = parser.parse_args()
    try:
        urllib.request.urlopen(f"{arguments.admin}/metrics", timeout=10).close()
    except OSError as error:
        parser.error(f"no metrics at {arguments.admin}: {error}; set VALENCE_ADMIN_PORT")
    with tempfile.TemporaryDirectory(prefix="valence-panels-") as scratch:
        folder = Path(scratch)
        configuration = write_configuration(folder, urllib.parse.urlsplit(arguments.admin).netloc)
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{PORT}",
                "--log.level=error",
            ]
        )
        try:
            ended = time.monotonic() + arguments.seconds
            while time.monotonic() < ended:
                for body in _BODIES:
                    call(f"{arguments.url}/v1/classify", body)
                time.sleep(0.2)
            queries = list(of_dashboard(DASHBOARD))
            empty = Counter(name for name, query in queries if not find_series(query))
        finally:
            server.terminate()
            server.wait(10)
    for name, count in empty.items():
        say(f"{name}: {count} without data")
    say(f"{len(queries) - empty.total()} of {len(queries)} queries have data")
    return int(any(f"dashboard: {stat.title}" in empty for stat in OVERVIEW))


if __name__ == "__main__":
    sys.exit(main())
