import hmac
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from valence.service.errors import ConfigurationError
from valence.service.keys import key_file
from valence.service.keys.key import Key, fingerprint
from valence.service.keys.key_file import Fault, Reading

HASHES = [f"sha256:{str(digit) * 64}" for digit in range(4)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# nothing\n",
        "alice\n",
        "alice: valence_secret\n",
        f"alice: sha256:{'0' * 63}\n",
        f"alice: sha256:{'0' * 64} texts_per_second=fast\n",
        f"alice: sha256:{'0' * 64} texts_per_second=0\n",
        f"al ice: sha256:{'0' * 64}\n",
    ],
)
def test_a_file_without_valid_keys_is_refused_with_a_remedy(content, path):
    """The error does not repeat the file's content."""
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"valence keys new NAME") as refused:
        key_file.require_keys(path)
    assert "secret" not in str(refused.value)


def test_the_first_invalid_line_is_named_where_no_line_is_valid(path):
    path.write_text("# ours\n\nalice\nbob\n")
    with pytest.raises(ConfigurationError, match="keys, line 3: the hash is not"):
        key_file.require_keys(path)


def test_a_missing_file_is_refused_and_read_as_no_keys(path):
    with pytest.raises(ConfigurationError, match="there is no such file; make one with"):
        key_file.require_keys(path)
    assert key_file.read(path) == Reading(reason="there is no such file")
    assert key_file.read(path / "deeper") == Reading(reason="there is no such file")


def test_valid_lines_count_beside_invalid_ones(path):
    lines = (
        f"alice: {HASHES[0]}",
        f"bob: {HASHES[1]} texts_per_second=0",
        f"\xff: {HASHES[2]}",
        f"# \xe9t\xe9\ncarol: {HASHES[3]}\r",
    )
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode("latin-1"))
    reading = key_file.require_keys(path)
    assert [key.name for key in reading.keys] == ["alice", "carol"]
    assert [fault.line for fault in reading.faults] == [2, 3]


def test_a_key_on_two_lines_is_that_of_the_first(path):
    path.write_text(
        f"alice: {HASHES[0]} scopes=metrics\nalice: {HASHES[0]} scopes=metrics\n"
        f"alice: {HASHES[0]} scopes=admin\nbob: {HASHES[1]}\n"
    )
    reading = key_file.read(path)
    assert [(key.name, key.scopes) for key in reading.keys] == [
        ("alice", {"metrics"}),
        ("bob", {"classify", "metrics"}),
    ]
    assert reading.faults == (Fault(3, "the key of line 1 again, with other fields"),)


def test_what_cannot_be_a_file_of_keys_has_none(path, monkeypatch):
    """A pipe without a writer does not block."""
    refused = Reading(reason="not a regular file of at most 1048576 bytes")
    os.mkfifo(path)
    assert key_file.read(path) == refused
    assert key_file.read(path.parent) == refused
    path.unlink()
    path.write_bytes(b"#" * (key_file.MAX_BYTES + 1))
    assert key_file.read(path) == refused


def test_no_file_stays_open(path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for kind in (path.parent, path):
        path.write_text("alice\n")
        key_file.read(kind)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_keys(host):
    key_file.require_unless_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "example.org"])
def test_outside_loopback_keys_or_consent_are_needed(host):
    with pytest.raises(ConfigurationError, match="VALENCE_ALLOW_ANONYMOUS=true"):
        key_file.require_unless_loopback(host)


@pytest.mark.parametrize("secret", [b"first", b"second", b"none of them", b""])
def test_every_key_is_compared_in_constant_time(monkeypatch, secret):
    known = [Key(name, fingerprint(name.encode())) for name in ("first", "second")]
    compared = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append(left)
        return hmac.compare_digest(left, right)

    monkeypatch.setattr(key_file, "hmac", SimpleNamespace(compare_digest=compare))
    found = key_file.find(known, secret)
    assert found == next((key for key in known if key.name.encode() == secret), None)
    assert compared == [key.digest for key in known]
