"""A program loads a model by its address, and every fault leaves the copies as they were."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import valence
from valence.service.errors import ConfigurationError, SourceError
from valence.service.sources import local_copy

from tests.service.sources.conftest import KINDS, SECRET, copy_report, spoil
from tests.support.source_servers import Handler, serve_handler
from tests.support.tiny_models import save_tiny_model

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VALENCE_MODEL_MAX_BYTES", raising=False)
    return tmp_path / "cache" / "valence" / "models"


def read_files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refuse(_: str) -> None:
    raise ConnectionRefusedError


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_every_kind_of_source_is_loaded(kind, make_place):
    place = make_place(kind)
    folder = place.put("7")
    place.put("8", seed=1)
    place.promote("7")
    # a registry has no list of its repositories
    address = f"{place.address}#sentiment" if kind == "oci" else str(place.address)
    model = valence.load(address)
    assert model.manifest.version == "7"
    assert model(["good"]) == valence.load(folder)(["good"])
    assert read_files(local_copy.fetch_model(address)) == read_files(folder)
    assert valence.load(f"{place.address}#sentiment:8").manifest.version == "8"


def test_the_hub_is_named_as_its_own_tools_do(make_place):
    place = make_place("hf")
    place.put("7")
    assert valence.load("hf:owner/models").manifest.version == "7"


def test_the_champion_of_now_is_loaded_and_others_by_alias(make_place):
    place = make_place("file")
    place.put("7")
    place.put("8", seed=1)
    address = str(place.address)
    assert local_copy.fetch_model(address).name == "8"
    assert local_copy.fetch_model(f"{address}#sentiment:latest").name == "8"
    place.promote("7")
    assert local_copy.fetch_model(address).name == "7"
    place.promote("8", alias="challenger")
    assert local_copy.fetch_model(f"{address}#sentiment@challenger").name == "8"
    with pytest.raises(SourceError, match="has no alias blue; it has challenger, champion"):
        local_copy.fetch_model(f"{address}#sentiment@blue")
    with pytest.raises(ConfigurationError, match="is no name of a model"):
        local_copy.fetch_model(f"{address}#../../etc:1")
    with pytest.raises(ConfigurationError, match="is no version"):
        local_copy.fetch_model(f"{address}#sentiment:../7")


def test_a_source_of_several_models_asks_for_a_name(make_place):
    place = make_place("file")
    with pytest.raises(ConfigurationError, match="holds no model; name a model"):
        local_copy.fetch_model(str(place.address))
    place.put("7")
    place.put("7", name="topic")
    with pytest.raises(ConfigurationError, match="holds sentiment, topic; name a model"):
        local_copy.fetch_model(str(place.address))
    assert valence.load(f"{place.address}#topic").manifest.name == "topic"
    with pytest.raises(SourceError, match="holds no model of this name; push one"):
        local_copy.fetch_model(f"{place.address}#sentimnet")


def test_a_named_version_needs_its_source_once(make_place, monkeypatch):
    place = make_place("file")
    place.put("7")
    named = f"{place.address}#sentiment:7"
    folder = local_copy.fetch_model(named)
    shutil.rmtree(place.folder)
    assert local_copy.fetch_model(named) == folder
    source = place.open()
    monkeypatch.setattr(source, "look", refuse)
    monkeypatch.setattr(local_copy, "open_source", lambda _: source)
    with pytest.raises(SourceError, match=r"a copy of 7 is on this machine, and .*#sentiment:7 is"):
        local_copy.fetch_model(f"{place.address}#sentiment")
    spoil(folder / "model.safetensors")
    with pytest.raises(SourceError):
        local_copy.fetch_model(named)


def test_a_damaged_copy_is_copied_again(make_place):
    place = make_place("file")
    original = place.put("7")
    folder = local_copy.fetch_model(str(place.address))
    spoil(folder / "model.safetensors")
    assert local_copy.fetch_model(str(place.address)) == folder
    assert read_files(folder) == read_files(original)


def test_a_damaged_or_large_source_leaves_nothing(make_place, cache, monkeypatch):
    place = make_place("file")
    spoil(place.put("7") / "model.safetensors")
    with pytest.raises(SourceError, match="checksum"):
        local_copy.fetch_model(str(place.address))
    place.put("8")
    monkeypatch.setenv("VALENCE_MODEL_MAX_BYTES", "1024")
    with pytest.raises(SourceError, match=r"1,024 are allowed \(VALENCE_MODEL_MAX_BYTES\)"):
        local_copy.fetch_model(str(place.address))
    assert not [path for path in cache.rglob("*") if path.is_file()]


def pack(folder: Path, *, top: str = "", mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        archive.add(folder, top or ".")
    return packed.getvalue()


@pytest.fixture
def serve_archive() -> Iterator[Callable[[bytes], str]]:
    """Yield a function that puts an archive behind a URL."""
    contents: list[bytes] = []

    class Files(Handler):
        def do_GET(self) -> None:  # noqa: N802
            if self.path.startswith("/model.tar"):
                self.answer(200, contents[-1])
            else:
                self.answer(404, b"")

    with serve_handler(Files) as port:

        def put(content: bytes) -> str:
            contents.append(content)
            digest = hashlib.sha256(content).hexdigest()
            return f"http://127.0.0.1:{port}/model.tar.gz?key={SECRET}#sha256={digest}"

        yield put


@pytest.mark.parametrize(("top", "mode"), [("", "w:gz"), ("sentiment/7", "w:xz"), ("7", "w")])
def test_an_archive_of_a_url_is_loaded_by_its_checksum(tmp_path, serve_archive, top, mode):
    folder = save_tiny_model(tmp_path / "trained", version="7")
    copy_report(folder)
    (folder / "model.yaml").write_text("of the store")
    url = serve_archive(pack(folder, top=top, mode=mode))
    assert valence.load(url).manifest.version == "7"
    copied = read_files(local_copy.fetch_model(url))
    assert copied == {
        name: content for name, content in read_files(folder).items() if name != "model.yaml"
    }
    # another file is behind the URL now; the copy is that of the checksum
    serve_archive(b"replaced")
    assert read_files(local_copy.fetch_model(url)) == copied


def test_an_archive_with_another_checksum_is_refused(tmp_path, serve_archive, cache):
    url = serve_archive(pack(save_tiny_model(tmp_path / "trained")))
    serve_archive(b"replaced")
    with pytest.raises(SourceError, match=r"the SHA-256 is .*, not .*damaged or replaced") as error:
        valence.load(url)
    assert SECRET not in str(error.value)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def pack_member(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def make_member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"no archive", "not an archive of tar; pack the model by"),
        (pack_member(make_member("model.json"))[:40], "not an archive of tar"),
        (pack_member(make_member("run.py"), b"x"), r"'run\.py' is not part of a Valence model"),
        (pack_member(make_member("model.json", tarfile.SYMTYPE)), "is not part of a Valence"),
        (pack_member(make_member("/dev/null", tarfile.CHRTYPE)), "is not part of a Valence"),
        (pack_member(make_member("model.json"), b"{}"), "missing"),
        (pack_member(make_member("../../model.json"), b"{}"), "missing"),
        (pack_member(make_member("model.json"), bytes(2**20)), "1,048,576 bytes, 65,536 are"),
    ],
    # the bytes of an archive hold the time, so they are no names of tests
    ids=["text", "cut", "script", "link", "device", "empty", "outside", "bomb"],
)  # fmt: skip
def test_an_archive_that_is_no_model_is_refused(
    content, fault, serve_archive, cache, monkeypatch, tmp_path
):
    monkeypatch.setenv("VALENCE_MODEL_MAX_BYTES", str(2**16))
    with pytest.raises(SourceError, match=fault):
        local_copy.fetch_model(serve_archive(content))
    assert not [path for path in cache.rglob("*") if path.is_file()]
    assert not list(tmp_path.rglob("model.json"))


def test_a_url_without_a_checksum_or_an_answer_is_named(serve_archive):
    url, _, checksum = serve_archive(b"").partition("#")
    for text in (url, f"{url}#sha256=1", f"{url}#md5={'0' * 32}"):
        with pytest.raises(ConfigurationError, match=r"has no checksum: .*sha256sum FILE") as error:
            valence.load(text)
        assert SECRET not in str(error.value)
    with pytest.raises(SourceError, match="/none: the server answered 404"):
        valence.load(f"{url.partition('/model')[0]}/none#{checksum}")
    with pytest.raises(SourceError, match="could not be read") as error:
        valence.load(f"http://127.0.0.1:1/model.tar?key={SECRET}#{checksum}")
    with pytest.raises(ConfigurationError, match="has a name or a password in it"):
        valence.load(f"https://user:{SECRET}@example.com/model.tar#{checksum}")
    with pytest.raises(ConfigurationError, match="https://HOST/PATH"):
        valence.load(f"https://[#{checksum}")


@pytest.mark.parametrize("package", ["fsspec", "huggingface_hub"])
def test_a_missing_package_names_its_extra(package):
    """In a process of its own, because this one has imported the kinds of sources."""
    program = (
        f"import sys; sys.modules[{package!r}] = None\nimport valence\n"
        "try: valence.load('hf:owner/models')\n"
        "except valence.ConfigurationError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("hf:// needs another package")
    assert done.stdout.endswith("pip install 'valence[store]'\n")
