"""Sources in a registry of container images, whose artefacts are those of ``oras push``.

The repository ``HOST/PATH/NAME`` holds one model. The tag ``VERSION`` names an artefact with a
layer for each file. The tag ``alias.ALIAS`` names one whose only layer is the file of the alias.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin

from valence.service.errors import ConfigurationError, SourceError
from valence.service.registry.address import Address
from valence.service.sources.source import AliasMoved, Listing

EXTRA = "valence[store]"
_KIND = "application/vnd.valence.model.v1"
_FILE = "application/octet-stream"
_TITLE = "org.opencontainers.image.title"
_ACCEPTED = "application/vnd.oci.image.manifest.v1+json"
_ALIAS = "alias."
_MAX_MANIFEST_BYTES = 4 * 2**20
_MAX_TAGS = 10_000
# to connect, and between two packets
_TIMEOUT = (5, 30)


class ArtifactRegistry:
    """The source at ``address``; credentials are those of ``docker login`` and ``oras login``."""

    def __init__(self, address: Address) -> None:
        self.address = address
        try:
            import oras.container
            import oras.provider
        except ImportError:
            raise ConfigurationError(
                f"oci:// needs another package: pip install '{EXTRA}'"
            ) from None
        self._container = oras.container.Container
        self._registry = oras.provider.Registry(insecure=address.on_loopback)
        session = self._registry.session
        session.request = functools.partial(session.request, timeout=_TIMEOUT)
        session.hooks["response"].append(_close_refusal)
        # The library would try again five times, for minutes; a source is looked at again anyway.
        once = oras.provider.Registry.do_request.__wrapped__
        self._registry.do_request = functools.partial(once, self._registry)
        self._manifests: dict[str, dict[str, Any]] = {}

    def list_models(self) -> tuple[str, ...]:
        """None: a registry lists the tags of a repository, and no repositories."""
        return ()

    def look(self, name: str) -> Listing:
        """What the repository of ``name`` holds."""
        # a version that was not whole may have been pushed again
        self._manifests.clear()
        try:
            tags = self._list_tags(self._locate(name))
        except FileNotFoundError:
            return Listing()
        aliases = [tag.removeprefix(_ALIAS) for tag in tags if tag.startswith(_ALIAS)]
        versions = sorted(tag for tag in tags if not tag.startswith(_ALIAS))
        states = {alias: self._find_digest(name, f"{_ALIAS}{alias}") for alias in aliases}
        return Listing(tuple(versions), states)

    def read_alias(self, name: str, alias: str, *, limit: int) -> bytes:
        """At most ``limit`` bytes of the file of an alias."""
        layers = self._read_layers(name, f"{_ALIAS}{alias}")
        with self._open_blob(name, next(iter(layers.values()))["digest"]) as content:
            return content.read(limit)

    def measure(self, name: str, version: str, files: Sequence[str]) -> dict[str, int]:
        """The sizes that the artefact of the version states."""
        layers = self._read_layers(name, version)
        return {file: int(layers[file]["size"]) for file in files if file in layers}

    def open(self, name: str, version: str, file: str) -> AbstractContextManager[IO[bytes]]:
        """One file of a version."""
        layers = self._read_layers(name, version)
        if file not in layers:
            raise FileNotFoundError(file)
        return self._open_blob(name, layers[file]["digest"])

    def write_version(self, name: str, version: str, folder: Path, files: Sequence[str]) -> None:
        """Write a blob for each of ``files``, and then the artefact that names them."""
        self._write_artifact(name, version, [(file, folder / file) for file in files])

    def mark_alias(self, name: str, alias: str) -> str | None:
        """The digest of the artefact of the alias."""
        try:
            return self._find_digest(name, f"{_ALIAS}{alias}")
        except FileNotFoundError:
            return None

    def write_alias(self, name: str, alias: str, content: bytes, *, mark: str | None) -> None:
        """Write an artefact with the file of the alias.

        Registries write a tag without conditions: another process can come between the comparison
        with ``mark`` and the write.
        """
        if self.mark_alias(name, alias) != mark:
            raise AliasMoved
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{alias}.json"
            file.write_bytes(content)
            self._write_artifact(name, f"{_ALIAS}{alias}", [(file.name, file)])

    def _write_artifact(self, name: str, tag: str, files: Sequence[tuple[str, Path]]) -> None:
        import oras.oci

        place = self._locate(name, tag)
        manifest = oras.oci.NewManifest()
        for title, path in files:
            layer = oras.oci.NewLayer(str(path), media_type=_FILE)
            layer["annotations"] = {_TITLE: title}
            _require_success(self._registry.upload_blob(str(path), place, layer))
            manifest["layers"].append(layer)
        config, _ = oras.oci.ManifestConfig(media_type=_KIND)
        with tempfile.NamedTemporaryFile() as empty:
            empty.write(b"{}")
            empty.flush()
            _require_success(self._registry.upload_blob(empty.name, place, config))
        manifest["config"] = config
        _require_success(self._registry.upload_manifest(manifest, place))

    def _list_tags(self, place: Any) -> list[str]:
        url: str | None = f"{self._registry.prefix}://{place.tags_url()}"
        tags: list[str] = []
        while url:
            with self._request(url) as response:
                tags += json.loads(_read_bounded(response)).get("tags") or []
                following = response.links.get("next", {}).get("url")
            if len(tags) > _MAX_TAGS:
                raise SourceError(
                    f"{self.address}/{place.repository}: more than {_MAX_TAGS:,} tags; delete old "
                    "versions",
                    outcome="too_large",
                )
            url = following and urljoin(url, following)
        return tags

    def _find_digest(self, name: str, tag: str) -> str:
        url = f"{self._registry.prefix}://{self._locate(name, tag).manifest_url()}"
        with self._request(url, method="HEAD") as response:
            digest: str | None = response.headers.get("Docker-Content-Digest")
        return digest or hashlib.sha256(self._read_manifest(name, tag)).hexdigest()

    def _read_layers(self, name: str, tag: str) -> dict[str, dict[str, Any]]:
        """The layers of an artefact by their titles."""
        # a version never changes, an alias does
        key = f"{name}:{tag}"
        if key not in self._manifests:
            content = json.loads(self._read_manifest(name, tag))
            layers = {layer["annotations"][_TITLE]: layer for layer in content["layers"]}
            if tag.startswith(_ALIAS):
                return layers
            self._manifests = {key: layers}
        return self._manifests[key]

    def _read_manifest(self, name: str, tag: str) -> bytes:
        url = f"{self._registry.prefix}://{self._locate(name, tag).manifest_url()}"
        with self._request(url, headers={"Accept": _ACCEPTED}) as response:
            return _read_bounded(response)

    @contextmanager
    def _open_blob(self, name: str, digest: str) -> Iterator[IO[bytes]]:
        url = f"{self._registry.prefix}://{self._locate(name).get_blob_url(digest)}"
        with self._request(url) as response:
            response.raw.decode_content = True
            yield response.raw

    @contextmanager
    def _request(self, url: str, **options: Any) -> Iterator[Any]:
        with self._registry.do_request(url, stream=True, **options) as response:
            if response.status_code == 404:
                raise FileNotFoundError(url)
            _require_success(response)
            yield response

    def _locate(self, name: str, tag: str = "latest") -> Any:
        place = self._container(f"{self.address.location}/{name}:{tag}")
        self._registry.auth.load_configs(place, configs=_find_logins())
        return place


def _find_logins() -> list[str]:
    """The file of ``docker login`` where docker looks first; the library knows the other place."""
    folder = os.environ.get("DOCKER_CONFIG")
    file = Path(folder, "config.json") if folder else None
    return [str(file)] if file is not None and file.is_file() else []


def _require_success(response: Any) -> None:
    response.raise_for_status()


def _close_refusal(response: Any, **_: Any) -> None:
    """Free the connection of an answer that only asks for a token: nobody reads its body."""
    if response.status_code in (401, 403):
        response.close()


def _read_bounded(response: Any) -> bytes:
    content: bytes = response.raw.read(_MAX_MANIFEST_BYTES + 1, decode_content=True)
    if len(content) > _MAX_MANIFEST_BYTES:
        raise SourceError(
            f"a registry answered with more than {_MAX_MANIFEST_BYTES:,} bytes where an artefact "
            "is described; push the version again",
            outcome="too_large",
        )
    return content
