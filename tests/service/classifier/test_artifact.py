from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from valence.service.classifier import artifact
from valence.service.classifier.artifact import Artifact
from valence.service.classifier.seal import CHECKSUMS, MANIFEST, VOCABULARY, WEIGHTS
from valence.service.classifier.tokenizer import ENGLISH, SCRIPTS
from valence.service.classifier.vocabulary import Vocabulary
from valence.service.errors import ArtifactError

FILES = (MANIFEST, WEIGHTS, VOCABULARY, CHECKSUMS)


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of a valid model folder, which a test can damage."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


def seal(folder: Path) -> None:
    """Write correct checksums, so that a later refusal is due to the content."""
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != CHECKSUMS
    )
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / CHECKSUMS).write_text("".join(lines))


def check_refused(folder: Path, *reasons: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        artifact.load(folder)
    message = str(caught.value)
    for reason in reasons:
        assert reason in message
    assert "\n" not in message


def edit_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))
    seal(folder)


def edit_tensors(folder: Path, change: Callable[[dict], object]) -> None:
    tensors = safetensors.numpy.load_file(folder / WEIGHTS)
    change(tensors)
    safetensors.numpy.save_file(tensors, folder / WEIGHTS)
    seal(folder)


def test_a_loaded_artifact_equals_the_saved_one(tiny_artifact: Artifact, tmp_path: Path) -> None:
    artifact.save(
        tmp_path / "new", tiny_artifact.manifest, tiny_artifact.vocabulary, tiny_artifact.tensors
    )
    loaded = artifact.load(tmp_path / "new")
    assert loaded.manifest == tiny_artifact.manifest
    assert loaded.vocabulary.words == tiny_artifact.vocabulary.words
    assert loaded.tensors.keys() == tiny_artifact.tensors.keys()
    for name, value in tiny_artifact.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], value)
        assert loaded.tensors[name].dtype == np.float32


@pytest.mark.parametrize(
    ("written", "rules"),
    [({}, ENGLISH), ({"tokenizer": ENGLISH}, ENGLISH), ({"tokenizer": SCRIPTS}, SCRIPTS)],
)
def test_the_rules_of_the_tokenizer_are_those_of_the_model(
    folder: Path, written: dict[str, str], rules: str
) -> None:
    """The first artifacts name none."""
    edit_manifest(folder, lambda content: content.update(normalization=written))
    vocabulary = artifact.load(folder).vocabulary
    assert vocabulary.rules == rules
    assert vocabulary.without_corrections().rules == rules
    assert vocabulary.encode("电影 good").tokens == (2 if rules == ENGLISH else 3)


def test_rules_of_a_later_tokenizer_are_refused(folder: Path) -> None:
    edit_manifest(folder, lambda content: content.update(normalization={"tokenizer": "later-9"}))
    check_refused(folder, "normalization.tokenizer", ENGLISH, SCRIPTS)


def test_saving_twice_writes_the_same_bytes(tiny_artifact: Artifact, tmp_path: Path) -> None:
    for name in ("a", "b"):
        artifact.save(
            tmp_path / name,
            tiny_artifact.manifest,
            tiny_artifact.vocabulary,
            tiny_artifact.tensors,
        )
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_arrays_of_any_memory_layout_are_saved_correctly(
    tiny_artifact: Artifact, tmp_path: Path
) -> None:
    turned = {name: np.asfortranarray(value) for name, value in tiny_artifact.tensors.items()}
    artifact.save(tmp_path / "new", tiny_artifact.manifest, tiny_artifact.vocabulary, turned)
    for name, value in artifact.load(tmp_path / "new").tensors.items():
        np.testing.assert_array_equal(value, tiny_artifact.tensors[name])


def test_a_word_may_hold_unusual_line_separators(tiny_artifact: Artifact, tmp_path: Path) -> None:
    words = [*tiny_artifact.vocabulary.words[:-3], "a\u2028b", "c\x85d", "\u0301"]
    artifact.save(
        tmp_path / "new", tiny_artifact.manifest, Vocabulary(words), tiny_artifact.tensors
    )
    assert list(artifact.load(tmp_path / "new").vocabulary) == words


def test_sha256sum_accepts_the_checksums(folder: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", CHECKSUMS],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_report_is_sealed_with_the_model(tiny_artifact: Artifact, tmp_path: Path) -> None:
    report = tmp_path / "report" / "report.html"
    report.parent.mkdir()
    report.write_text("<p>fine</p>")
    artifact.save(tmp_path, tiny_artifact.manifest, tiny_artifact.vocabulary, tiny_artifact.tensors)
    artifact.load(tmp_path)
    report.write_text("<p>finer</p>")
    check_refused(tmp_path, "report/report.html", "checksum")


def test_the_file_of_the_store_is_ignored(folder: Path) -> None:
    (folder / "model.yaml").write_text("name: sentiment\n")
    artifact.load(folder)


def test_every_file_is_required(tiny_folder: Path, tmp_path: Path) -> None:
    for name in FILES:
        copy = shutil.copytree(tiny_folder, tmp_path / name)
        (copy / name).unlink()
        check_refused(copy, name, "missing")


@pytest.mark.parametrize("name", FILES)
def test_any_changed_byte_of_any_file_is_detected(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    for position, byte in enumerate(content):
        path.write_bytes(content[:position] + bytes([byte ^ 0x55]) + content[position + 1 :])
        check_refused(folder, str(folder))
    path.write_bytes(content)
    artifact.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_detected(folder: Path, name: str) -> None:
    """At any length."""
    path = folder / name
    content = path.read_bytes()
    for end in (*range(0, len(content), max(1, len(content) // 60)), len(content) - 1):
        path.write_bytes(content[:end])
        check_refused(folder, str(folder))


def test_only_a_folder_is_loaded(tmp_path: Path) -> None:
    check_refused(
        tmp_path / "absent", "absent", "this model folder does not exist", "valence train"
    )
    check_refused(tmp_path, CHECKSUMS, "missing")


@pytest.mark.parametrize("name", ["extra.txt", "report.py", "__init__.py", "model.yaml.py"])
@pytest.mark.parametrize("sealed", [True, False])
def test_an_unexpected_file_is_named(folder: Path, name: str, sealed: bool) -> None:
    (folder / name).write_text("hello")
    if sealed:
        seal(folder)
    check_refused(folder, name, "not part of a Valence model")


def test_an_unlisted_report_is_named(folder: Path) -> None:
    (folder / "report").mkdir()
    (folder / "report" / "late.html").write_text("hello")
    check_refused(folder, "report/late.html", "not part of")


def pickle_bytes() -> bytes:
    return pickle.dumps({"weights": [1.0, 2.0]})


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    torch.save({"weights": torch.zeros(2)}, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("make", [pickle_bytes, zip_bytes])
@pytest.mark.parametrize(
    "name", [WEIGHTS, VOCABULARY, MANIFEST, "report/report.html", "weights.pt"]
)
@pytest.mark.parametrize("sealed", [True, False])
def test_a_pickle_or_archive_is_refused_under_any_name(
    folder: Path, name: str, make: Callable[[], bytes], sealed: bool
) -> None:
    (folder / "report").mkdir()
    (folder / name).write_bytes(make())
    if sealed:
        seal(folder)
    check_refused(folder, name, "pickle or an archive")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_any_protocol_is_refused_as_weights(folder: Path, protocol: int) -> None:
    (folder / WEIGHTS).write_bytes(pickle.dumps({"a": 1}, protocol=protocol))
    seal(folder)
    check_refused(folder, WEIGHTS)


def test_weights_with_a_header_of_any_length_are_loaded(folder: Path) -> None:
    # with a header of 640 bytes the file begins with the bytes of a pickle of protocol 2
    tensors = safetensors.numpy.load_file(folder / WEIGHTS)
    openings = set()
    for filler in range(0, 1200, 8):
        metadata = {"note": "x" * filler}
        safetensors.numpy.save_file(tensors, folder / WEIGHTS, metadata=metadata)
        openings.add((folder / WEIGHTS).read_bytes()[:2])
        seal(folder)
        artifact.load(folder)
    assert {b"\x80\x04", b"\x80\x05"} <= openings


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "format version None, this version of Valence reads 1"),
        (b"{}", "format version None, this version of Valence reads 1"),
        (b'{"format_version": 2}', "format version 2, this version of Valence reads 1"),
        (b'{"format_version": 1}', "name: Field required"),
    ],
)
def test_an_invalid_manifest_is_refused(folder: Path, content: bytes, reason: str) -> None:
    (folder / MANIFEST).write_bytes(content)
    seal(folder)
    check_refused(folder, MANIFEST, reason)


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (lambda m: m.update(temperature=0), ["temperature", "or equal to 0.01, not 0"]),
        (lambda m: m.update(temperature=5e-324), ["temperature", "or equal to 0.01, not 5e-324"]),
        (lambda m: m.update(max_tokens=10**12), ["max_tokens", "not 1000000000000"]),
        (lambda m: m["architecture"].update(layers=1e8), ["architecture.layers", "not 1000000"]),
        (lambda m: m["architecture"].update(hidden_size=10**9), ["hidden_size", "to 16384"]),
        (lambda m: m["architecture"].update(embedding_size=10**9), ["embedding_size", "to 16384"]),
        (lambda m: m["architecture"].update(vocabulary_size=10**9), ["vocabulary_size"]),
        (
            lambda m: m["architecture"].update(vocabulary_size=10**6, hidden_size=4_096),
            ["architecture", "the table of gates would have 32,768,000,000 numbers"],
        ),
        (
            lambda m: m["architecture"].update(layers=64, hidden_size=16_384),
            ["architecture", "the tensors would have"],
        ),
        (lambda m: m.update(labels=["a", "", "b"], polarity=None), ["label 2 is empty"]),
        (
            lambda m: m.update(labels=["a", "b", "c" * 2_000_000], polarity=None),
            ["label 3 has 2,000,000 characters"],
        ),
        (lambda m: m.update(temperature=float("inf")), ["temperature", "finite"]),
        (lambda m: m.update(extra=1), ["extra", "not permitted"]),
        (lambda m: m["normalization"].update(tokenizer="other-1"), ["normalization.tokenizer"]),
        (lambda m: m["architecture"].update(cell="cnn"), ["architecture.cell"]),
        (lambda m: m.update(labels=["a", "a", "b"]), ["have a label twice"]),
        (lambda m: m.update(labels=["a", "b"], polarity=None), ["2 labels", "has 3"]),
        (lambda m: m.update(name="../../etc"), ["name", "pattern"]),
    ],
)
def test_a_manifest_with_impossible_values_is_refused(
    folder: Path, change: Callable[[dict], object], reasons: list[str]
) -> None:
    edit_manifest(folder, change)
    check_refused(folder, MANIFEST, *reasons)


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (lambda t: t.pop("output.bias"), ["missing or not of this architecture", "output.bias"]),
        (lambda t: t.update(more=np.zeros(1, np.float32)), ["not of this architecture", "more"]),
        (
            lambda t: t.update({"output.bias": np.zeros(4, np.float32)}),
            ["output.bias is (4,) float32", "requires (3,) float32"],
        ),
        (
            lambda t: t.update({"output.weight": t["output.weight"].T.copy()}),
            ["output.weight is (16, 3)", "requires (3, 16)"],
        ),
        (
            lambda t: t.update({"output.bias": np.zeros(3)}),
            ["output.bias has the type F64", "F32 only"],
        ),
        (
            lambda t: t.update({"output.bias": np.array([0, np.nan, 0], np.float32)}),
            ["output.bias", "not finite"],
        ),
        (
            lambda t: t.update({"output.bias": np.array([0, np.inf, 0], np.float32)}),
            ["output.bias", "not finite"],
        ),
        *(
            (
                lambda t, name=name: t.update({name: t[name] * np.float32(1e37)}),
                [f"{name} has numbers so large that sums in the network may not be finite"],
            )
            for name in ("output.weight", "output.bias", "recurrent.weight_hh_l0_reverse")
        ),
        (
            lambda t: t.update(
                {
                    name: t[name] * np.float32(1e16)
                    for name in ("embedding.weight", "recurrent.weight_ih_l0")
                }
            ),
            ["recurrent.weight_ih_l0 has numbers so large"],
        ),
    ],
)
def test_weights_of_another_architecture_are_refused(
    folder: Path, change: Callable[[dict], object], reasons: list[str]
) -> None:
    edit_tensors(folder, change)
    check_refused(folder, WEIGHTS, *reasons)


@pytest.mark.parametrize(
    ("name", "bound", "reason"),
    [
        (MANIFEST, "valence.service.classifier.seal._MAX_MANIFEST_BYTES", "bytes, a manifest may"),
        (WEIGHTS, "valence.service.classifier.weights._MAX_HEADER_BYTES", "a header of"),
        (
            VOCABULARY,
            "valence.service.classifier.artifact._MAX_VOCABULARY_BYTES",
            "bytes, a vocabulary may",
        ),
    ],
)
def test_a_file_that_is_too_large_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, bound: str, reason: str
) -> None:
    monkeypatch.setattr(bound, 10)
    check_refused(folder, name, reason)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_weights_of_a_type_unknown_to_numpy_are_refused(folder: Path, kind: torch.dtype) -> None:
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    tensors["output.bias"] = tensors["output.bias"].to(kind)
    safetensors.torch.save_file(tensors, folder / WEIGHTS)
    seal(folder)
    check_refused(folder, WEIGHTS, "output.bias", "F32 only")


@pytest.mark.parametrize("content", [b"", b"x" * 40, b"\xff" * 40, b"\x02\0\0\0\0\0\0\0[]"])
def test_weights_in_another_format_are_refused(folder: Path, content: bytes) -> None:
    (folder / WEIGHTS).write_bytes(content)
    seal(folder)
    check_refused(folder, WEIGHTS, "not a safetensors file")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "first word"),
        (b"good\nbad\n", "first word"),
        (b"<unk>\ngood\n", "the vocabulary has 2 words, the architecture requires 13"),
        (b"<unk>\n\n", "non-empty line"),
        (b"<unk>\ngood\ngood\n", "'good' twice"),
        (b"<unk>\n\xff\n", "not UTF-8 at byte 6"),
    ],
)
def test_invalid_or_too_few_words_are_refused(folder: Path, content: bytes, reason: str) -> None:
    (folder / VOCABULARY).write_bytes(content)
    seal(folder)
    check_refused(folder, reason)


@pytest.mark.parametrize(
    "line",
    [
        "rubbish",
        "0" * 63 + "  model.json",
        "0" * 64 + " model.json",
        "",
    ],
)
def test_an_invalid_line_of_checksums_is_refused(folder: Path, line: str) -> None:
    with (folder / CHECKSUMS).open("a") as file:
        file.write(line + "\n")
    check_refused(folder, CHECKSUMS, "damaged")


def test_a_name_listed_twice_is_refused(folder: Path) -> None:
    content = (folder / CHECKSUMS).read_text()
    (folder / CHECKSUMS).write_text(content + content.splitlines()[0] + "\n")
    check_refused(folder, CHECKSUMS, "damaged")


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS, VOCABULARY])
def test_a_required_file_that_is_not_listed_is_named(folder: Path, name: str) -> None:
    lines = (folder / CHECKSUMS).read_text().splitlines(keepends=True)
    (folder / CHECKSUMS).write_text("".join(line for line in lines if name not in line))
    check_refused(folder, CHECKSUMS, f"does not list {name}")


@pytest.mark.parametrize("end", [b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x85", b""])
def test_another_line_ending_in_checksums_is_refused(folder: Path, end: bytes) -> None:
    content = (folder / CHECKSUMS).read_bytes()
    (folder / CHECKSUMS).write_bytes(content.replace(b"\n", end, 1))
    check_refused(folder, str(folder))


def test_checksums_that_are_not_ascii_are_refused(folder: Path) -> None:
    (folder / CHECKSUMS).write_bytes(b"\xff" * 80)
    check_refused(folder, CHECKSUMS, "damaged")


@pytest.mark.parametrize("name", ["../outside.txt", "report/../../outside.txt", "{absolute}"])
def test_a_checksum_of_a_file_outside_the_folder_is_refused(folder: Path, name: str) -> None:
    outside = folder.parent / "outside.txt"
    outside.write_text("secret")
    name = name.format(absolute=outside)
    (folder / "report").mkdir()
    with (folder / CHECKSUMS).open("a") as file:
        file.write(f"{hashlib.sha256(b'secret').hexdigest()}  {name}\n")
    check_refused(folder, "missing")


def test_a_link_is_refused_even_to_the_right_file(folder: Path) -> None:
    elsewhere = folder.parent / WEIGHTS
    (folder / WEIGHTS).rename(elsewhere)
    (folder / WEIGHTS).symlink_to(elsewhere)
    check_refused(folder, WEIGHTS, "a link")


def test_a_link_to_a_folder_is_refused(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / "report").symlink_to(outside)
    check_refused(folder, "report", "a link")


def test_a_pipe_is_refused_without_waiting(folder: Path) -> None:
    os.mkfifo(folder / "report")
    check_refused(folder, "report", "special file")


def test_an_artifact_that_could_not_be_loaded_is_not_saved(
    tiny_artifact: Artifact, tmp_path: Path
) -> None:
    tensors = dict(tiny_artifact.tensors)
    for name, value, reason in (
        ("output.bias", np.zeros(3), "float64"),
        ("output.bias", np.full(3, np.nan, np.float32), "not finite"),
        ("output.bias", np.zeros(2, np.float32), r"\(2,\)"),
    ):
        with pytest.raises(ArtifactError, match=reason):
            artifact.save(
                tmp_path / "new",
                tiny_artifact.manifest,
                tiny_artifact.vocabulary,
                {**tensors, name: value},
            )
    with pytest.raises(ArtifactError, match="2 words"):
        artifact.save(
            tmp_path / "new", tiny_artifact.manifest, Vocabulary(("<unk>", "good")), tensors
        )
    assert not (tmp_path / "new").exists()


def test_a_model_of_two_labels_without_polarity_is_valid(
    tmp_path: Path, save_tiny: Callable[..., Path]
) -> None:
    loaded = artifact.load(save_tiny(tmp_path / "topic", name="topic"))
    assert loaded.manifest.labels == ("business", "sport")
    assert loaded.manifest.polarity is None


@pytest.mark.parametrize(
    ("said", "word"),
    [({}, "<unk>"), ({"misspelled": "unknown"}, "<unk>"), ({"misspelled": "nearest"}, "movie")],
)
def test_words_are_read_as_the_manifest_says(folder: Path, said: dict[str, str], word: str) -> None:
    """Older models have only one way to read words."""
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["normalization"]["misspelled"]
    manifest["normalization"] |= said
    (folder / MANIFEST).write_text(json.dumps(manifest))
    seal(folder)
    vocabulary = artifact.load(folder).vocabulary
    assert vocabulary.words[vocabulary.id("moive")] == word


@pytest.mark.parametrize(
    ("said", "known"), [({}, False), ({"emoji": "written"}, False), ({"emoji": "named"}, True)]
)
def test_emoji_are_read_as_the_manifest_says(
    folder: Path, said: dict[str, str], known: bool
) -> None:
    """Older models read an emoji as it is written."""
    words = (folder / VOCABULARY).read_text().split()
    (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in (*words[:-1], "👍")))
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["normalization"]["emoji"]
    manifest["normalization"] |= said
    (folder / MANIFEST).write_text(json.dumps(manifest))
    seal(folder)
    vocabulary = artifact.load(folder).vocabulary
    assert vocabulary.knows("👍")
    assert vocabulary.knows("👍🏽") == known
