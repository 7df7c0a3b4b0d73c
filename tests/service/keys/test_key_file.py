import hashlib
import hmac
import re
from types import SimpleNamespace

import pytest
from valence.service.errors import ConfigurationError
from valence.service.keys import key_file
from valence.service.keys.__main__ import main


def test_a_new_key_is_printed_once_and_matches_its_line(capsys, tmp_path):
    assert main(["new", "alice", "--texts-per-second", "2.5"]) == 0
    printed = capsys.readouterr().out
    secret = re.search(r"valence_\S+", printed)[0]
    line = re.search(r"alice: .*", printed)[0]
    (tmp_path / "keys").write_text(f"# ours\n\n{line}  # since May\n")
    (key,) = key_file.read(tmp_path / "keys")
    assert key == key_file.Key("alice", hashlib.sha256(secret.encode()).digest(), 2.5)
    assert key_file.find([key], secret.encode()) == key
    assert key_file.find([key], secret.encode() + b"x") is None
    # the file does not hold the key itself
    assert secret not in line


def test_two_new_keys_differ_and_have_256_bits(capsys):
    main(["new", "a"])
    main(["new", "a"])
    first, second = re.findall(r"valence_(\S+)", capsys.readouterr().out)
    assert first != second
    assert len(first) * 6 >= 256


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "a:b", "\N{GREEK SMALL LETTER ALPHA}"])
def test_a_name_that_a_log_would_have_to_quote_is_refused(name, capsys):
    with pytest.raises(SystemExit):
        main(["new", name])
    assert "is not a valid name" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# nothing\n",
        "alice\n",
        "alice: valence_secret\n",
        f"alice: sha256:{'0' * 63}\n",
        f"alice: sha256:{'0' * 64} texts_per_second=fast\n",
        f"al ice: sha256:{'0' * 64}\n",
    ],
)
def test_a_file_without_valid_keys_is_refused_with_a_remedy(content, tmp_path):
    """The error does not repeat the file's content."""
    (tmp_path / "keys").write_text(content)
    with pytest.raises(ConfigurationError, match=r"valence keys new NAME") as refused:
        key_file.read(tmp_path / "keys")
    assert "secret" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        key_file.read(tmp_path / "none")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_keys(host):
    key_file.require_unless_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "example.org"])
def test_outside_loopback_keys_or_consent_are_needed(host):
    with pytest.raises(ConfigurationError, match="VALENCE_ALLOW_ANONYMOUS=true"):
        key_file.require_unless_loopback(host)


@pytest.mark.parametrize("secret", [b"first", b"second", b"none of them", b""])
def test_every_key_is_compared_in_constant_time(monkeypatch, secret):
    known = [
        key_file.Key(name, key_file.fingerprint(name.encode()), None)
        for name in ("first", "second")
    ]
    compared = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append(left)
        return hmac.compare_digest(left, right)

    monkeypatch.setattr(key_file, "hmac", SimpleNamespace(compare_digest=compare))
    found = key_file.find(known, secret)
    assert found == next((key for key in known if key.name.encode() == secret), None)
    assert compared == [key.digest for key in known]
