"""Requests nobody would write, texts nobody would type, and models that somebody damaged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from valence.service.classifier import artifact
from valence.service.errors import ArtifactError

from tests.bench.measure import say
from tests.chaos.finding import Finding
from tests.chaos.served import serve
from tests.conftest import _save_tiny

# a bit, another, and all eight
_MASKS = (0x01, 0x40, 0xFF)
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


_SEEDS = (1, 2, 3, 4)
# bytes the fuzzer makes a text of; beyond it a text costs more than it finds
_LONGEST_TEXT = 128
# a deadline may be asked for that nobody could keep
_EXPECTED = """\
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "504"]
"""


def run(*, requests: int = 10_000, made: int = 100_000) -> Iterator[Finding]:
    """Fuzz the loader of models, and the API in process and over HTTP."""
    yield _artifact()
    # its packages are installed by `make chaos` alone, the other parts do without
    from tests.chaos import bodies

    yield bodies.run(made)
    yield _api(requests)


def _api(requests: int) -> Finding:
    """Schemathesis draws valid and invalid requests from the OpenAPI document."""
    settings = {"VALENCE_MAX_BODY_BYTES": "65536", "VALENCE_MAX_CHARACTERS": "5000"}
    cases = failures = 0
    seed = 0
    with tempfile.TemporaryDirectory() as scratch, serve(pinned=False, settings=settings) as server:
        configuration = Path(scratch) / "schemathesis.toml"
        configuration.write_text(_EXPECTED, encoding="utf-8")
        while cases < requests:
            seed += 1
            done = subprocess.run(
                [
                    str(Path(sys.executable).with_name("schemathesis")),
                    "--config-file",
                    str(configuration),
                    "run",
                    f"http://127.0.0.1:{server.port}/openapi.json",
                    "--checks",
                    ",".join(_CHECKS),
                    "--phases",
                    "examples,coverage,fuzzing",
                    "--max-examples",
                    "100",
                    "--seed",
                    str(seed),
                    "--continue-on-failure",
                    "--no-color",
                    "--workers",
                    "2",
                ],
                env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.chaos.media_types"},
                capture_output=True,
                text=True,
                check=False,
            )
            generated = re.search(r"Test cases:\s*\n?\s*([\d,]+)\s+generated", done.stdout)
            if generated is None:
                raise RuntimeError(f"schemathesis did not run:\n{done.stdout}\n{done.stderr}")
            cases += int(generated[1].replace(",", ""))
            failures += done.returncode != 0
            say(f"schemathesis, seed {seed}: {cases:,} cases, exit {done.returncode}")
            if done.returncode:
                say(done.stdout)
    return Finding(
        fault="requests that nobody would write",
        tried=f"{cases:,} made by schemathesis from the OpenAPI document, {seed} seeds",
        lost=f"{failures} runs with a failed check",
        promise="no 5xx but a 504 that was asked for, no undocumented status, nothing else than "
        "the document says",
        held=not failures,
    )


def tokenizer(texts: int) -> Iterator[Finding]:
    """Coverage-guided: in processes of their own, since the fuzzer ends the one it runs in."""
    each = -(-texts // len(_SEEDS))
    fuzzers = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.chaos.fuzz_tokenizer"),
                *(f"-runs={each}", f"-seed={seed}", f"-max_len={_LONGEST_TEXT}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in _SEEDS
    ]
    ran = failed = 0
    for fuzzer in fuzzers:
        _, said = fuzzer.communicate()
        done = re.search(r"Done (\d+) runs in", said)
        ran += int(done[1]) if done else 0
        if fuzzer.returncode:
            failed += 1
            say(said[-3000:])
    yield Finding(
        fault="texts that nobody would type",
        tried=f"{ran:,} by atheris through tokenizer and vocabulary, {len(_SEEDS)} seeds",
        lost=f"{failed} crashes or wrong offsets",
        promise="no crash, no offset error",
        held=not failed and ran >= texts,
    )


def _artifact() -> Finding:
    """Every byte of every file of a small model changed in three ways, and cut off there."""
    tried = accepted = crashed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = _save_tiny(Path(scratch) / "sentiment")
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            whole = path.read_bytes()
            for damaged in _damages(whole):
                path.write_bytes(damaged)
                tried += 1
                try:
                    artifact.load(folder)
                except ArtifactError:
                    pass
                except Exception as error:
                    crashed += 1
                    say(f"{path.name}, damage {tried}: {type(error).__name__}: {error}")
                else:
                    accepted += 1
            path.write_bytes(whole)
        artifact.load(folder)
    return Finding(
        fault="damaged models",
        tried=f"{tried:,}: every byte of every file changed in three ways, and cut off there",
        lost=f"{accepted} accepted, {crashed} without a clear error",
        promise="none accepted, each refused by name",
        held=not accepted and not crashed and tried >= 10_000,
    )


def _damages(whole: bytes) -> Iterator[bytes]:
    for place, byte in enumerate(whole):
        for mask in _MASKS:
            yield whole[:place] + bytes([byte ^ mask]) + whole[place + 1 :]
        yield whole[:place]
