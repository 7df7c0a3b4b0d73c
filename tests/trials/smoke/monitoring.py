"""A real Prometheus with the repository's rules, a real Alertmanager, and a webhook."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.rendering import ROOT, named, render
from tests.trials.bench.processes import answers, free_port
from tests.trials.smoke.machine import SmokeError

_START_SECONDS = 60.0


class Monitoring:
    """Scraped metrics, and the alerts that arrived at the webhook."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.arrived: list[dict[str, Any]] = []

    def query(self, expression: str) -> list[float]:
        """Return the values of an instant query."""
        path = f"/api/v1/query?query={urllib.parse.quote(expression)}"
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            return [float(r["value"][1]) for r in json.load(answer)["data"]["result"]]

    def firing(self, alert: str) -> bool:
        """Return whether the webhook got a firing ``alert``."""
        return any(
            told["labels"]["alertname"] == alert and told["status"] == "firing"
            for told in self.arrived
        )


@contextlib.contextmanager
def monitored(port: int, scratch: Path) -> Iterator[Monitoring]:
    """Run Prometheus, which scrapes the service on ``port`` each second, with production's
    rules.
    """
    hook, alertmanager, prometheus = free_port(), free_port(), free_port()
    (rule,) = named(render(ROOT / "deploy", scratch)["production"], "PrometheusRule").values()
    (scratch / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]), "utf-8")
    target = {
        "targets": [f"127.0.0.1:{port}"],
        "labels": {"namespace": "valence", "pod": "smoke", "job": "valence"},
    }
    (scratch / "prometheus.yaml").write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": ["rules.yaml"],
                "scrape_configs": [{"job_name": "valence", "static_configs": [target]}],
                "alerting": {
                    "alertmanagers": [
                        {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}
                    ]
                },
            }
        )
    )
    (scratch / "alertmanager.yaml").write_text(
        yaml.safe_dump(
            {
                "route": {"receiver": "hook", "group_wait": "0s", "group_by": ["alertname"]},
                "receivers": [
                    {"name": "hook", "webhook_configs": [{"url": f"http://127.0.0.1:{hook}/"}]}
                ],
            }
        )
    )
    monitoring = Monitoring(prometheus)
    with (
        _webhook(hook, monitoring.arrived.extend),
        _program(
            "prometheus-alertmanager",
            f"--config.file={scratch}/alertmanager.yaml",
            f"--storage.path={scratch}/alertmanager",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
            port=alertmanager,
            log=scratch / "alertmanager.log",
        ),
        _program(
            "prometheus",
            f"--config.file={scratch}/prometheus.yaml",
            f"--storage.tsdb.path={scratch}/prometheus",
            f"--web.listen-address=127.0.0.1:{prometheus}",
            port=prometheus,
            log=scratch / "prometheus.log",
        ),
    ):
        yield monitoring


@contextlib.contextmanager
def _program(*command: str, port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        ends = time.perf_counter() + _START_SECONDS
        while not answers(port, "/-/ready"):
            if process.poll() is not None or time.perf_counter() > ends:
                raise SmokeError(f"{command[0]} does not start: {log.read_text()[-1000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def _webhook(port: int, told: Callable[[list[dict[str, Any]]], None]) -> Iterator[None]:
    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told(json.loads(body)["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
