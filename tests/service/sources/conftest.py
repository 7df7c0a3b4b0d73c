"""A source of each kind, filled from a folder, and the store that copies it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from valence.service.classifier import seal
from valence.service.registry.address import Address
from valence.service.sources.kinds import open_source
from valence.service.sources.replica import Replica
from valence.service.sources.source import Source

from tests.support.google_objects import make_google
from tests.support.hub_repository import make_hub
from tests.support.model_stores import models_in
from tests.support.source_servers import make_registry, serve_handler, serve_objects
from tests.support.tiny_models import save_tiny_model

KINDS = ("file", "s3", "gs", "hf", "oci")
_PACKAGES = {
    "s3": ("s3fs", "moto"),
    "gs": ("gcsfs",),
    "hf": ("huggingface_hub",),
    "oci": ("oras",),
}
SECRET = "do-not-tell-this-key"


@dataclass
class Place:
    """A source, and a folder with what shall be there; :meth:`sync` brings it there."""

    address: Address
    folder: Path
    sync: Callable[[], None]

    def put(self, version: str, *, name: str = "sentiment", seed: int = 0) -> Path:
        folder = self.folder / name / version
        save_tiny_model(folder, name=name, version=version, seed=seed)
        self.sync()
        return folder

    def promote(self, version: str, *, name: str = "sentiment", alias: str = "champion") -> None:
        path = self.folder / name / f"{alias}.json"
        path.write_text(json.dumps({"version": version}))
        self.sync()

    def open(self) -> Source:
        return open_source(self.address)

    def replica(self, max_bytes: int = 2**20) -> Replica:
        return Replica(self.open(), max_bytes=max_bytes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """Yield the model store that gets the copy."""
    with models_in(tmp_path / "copy" / "models"):
        yield tmp_path / "copy" / "models"


@pytest.fixture(scope="session")
def objects() -> Iterator[int]:
    with serve_objects() as port:
        yield port


@pytest.fixture
def make_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Place]]:
    """Yield a function that makes a source of a kind."""
    folder = tmp_path / "source"
    folder.mkdir()
    stack: list[object] = []

    def make(kind: str) -> Place:
        if kind == "file":
            return Place(Address.parse(str(folder)), folder, lambda: None)
        for package in _PACKAGES[kind]:
            pytest.importorskip(package, reason="`make setup` installs the extra store")
        if kind == "s3":
            return _make_objects(folder, request.getfixturevalue("objects"), monkeypatch)
        if kind == "gs":
            server = serve_handler(make_google(folder, bucket="models", prefix="production"))
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.__enter__()}")
            stack.append(server)
            # asked by gRPC, of which there is no fake
            monkeypatch.setattr(
                "gcsfs.extended_gcsfs.ExtendedGcsFileSystem._get_bucket_type", _find_plain
            )
            return Place(Address.parse("gs://models/production"), folder, lambda: None)
        if kind == "hf":
            server = serve_handler(make_hub(folder, "owner/models", token=SECRET))
            port = server.__enter__()
            stack.append(server)
            hub = f"http://127.0.0.1:{port}"
            monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub)
            monkeypatch.setattr(
                "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
                f"{hub}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
            )
            monkeypatch.setenv("HF_TOKEN", SECRET)
            # large files go by Git LFS: of the Xet protocol there is no fake
            monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
            return Place(Address.parse("hf://owner/models"), folder, lambda: None)
        server = serve_handler(make_registry(password=SECRET))
        port = server.__enter__()
        stack.append(server)
        _log_in(tmp_path / "docker", f"127.0.0.1:{port}", monkeypatch)
        address = Address.parse(f"oci://127.0.0.1:{port}/team/models")
        return Place(address, folder, lambda: _push(address, folder))

    yield make
    for server in stack:
        server.__exit__(None, None, None)


def _make_objects(folder: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Place:
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    bucket = f"models-{os.urandom(4).hex()}"
    client.create_bucket(Bucket=bucket)

    def sync() -> None:
        held = client.list_objects_v2(Bucket=bucket).get("Contents", ())
        for entry in held:
            client.delete_object(Bucket=bucket, Key=entry["Key"])
        for path in folder.rglob("*"):
            if path.is_file():
                key = f"production/{path.relative_to(folder).as_posix()}"
                client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    return Place(Address.parse(f"s3://{bucket}/production"), folder, sync)


async def _find_plain(*_: object) -> object:
    from gcsfs.extended_gcsfs import BucketType

    return BucketType.NON_HIERARCHICAL


def _log_in(folder: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import base64

    folder.mkdir()
    auth = base64.b64encode(f"user:{SECRET}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def _push(address: Address, folder: Path) -> None:
    source = open_source(address)
    for model in folder.iterdir():
        for path in model.iterdir():
            if path.is_dir():
                files = sorted(
                    one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()
                )
                source.write_version(model.name, path.name, path, files)
            else:
                mark = source.mark_alias(model.name, path.stem)
                source.write_alias(model.name, path.stem, path.read_bytes(), mark=mark)


def spoil(file: Path) -> None:
    """Change the last byte of ``file``."""
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def copy_report(folder: Path) -> None:
    """Put a report into a version, and seal it anew."""
    (folder / "report").mkdir()
    (folder / "report" / "MODEL_CARD.md").write_text("# A card\n")
    seal.seal(folder)
