"""``valence keys``."""

import hashlib
import re

import pytest
from valence.service.errors import ConfigurationError
from valence.service.keys import key_file
from valence.service.keys.__main__ import main
from valence.service.keys.key import Key, parse_line

from tests.support.rates import REFUSED_RATES

HASH = f"sha256:{'0' * 64}"


def test_a_new_key_is_printed_once_and_matches_its_line(capsys, tmp_path):
    options = ["--texts-per-second", "2.5", "--tokens-per-second", "4000"]
    assert main(["new", "alice", *options]) == 0
    printed = capsys.readouterr().out
    secret = re.search(r"valence_\S+", printed)[0]
    line = re.search(r"alice: .*", printed)[0]
    (tmp_path / "keys").write_text(f"# ours\n\n{line}  # since May\n")
    (key,) = key_file.read(tmp_path / "keys").keys
    digest = hashlib.sha256(secret.encode()).digest()
    assert key == Key("alice", digest, frozenset({"classify"}), 2.5, 4000.0)
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


@pytest.mark.parametrize(
    ("options", "scopes"),
    [
        ([], "classify"),
        (["--scope", "metrics"], "metrics"),
        (["--scope", "metrics", "--scope", "classify"], "classify,metrics"),
        (["--scope", "metrics,classify"], "classify,metrics"),
        (["--scope", "admin"], "admin"),
    ],
)
def test_the_line_of_a_new_key_names_its_scopes(options, scopes, capsys):
    main(["new", "a", *options])
    assert f" scopes={scopes}\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "a:b", "\N{GREEK SMALL LETTER ALPHA}"])
def test_a_name_that_a_log_would_have_to_quote_is_refused(name, capsys):
    with pytest.raises(SystemExit):
        main(["new", name])
    assert "is not a valid name" in capsys.readouterr().err


@pytest.mark.parametrize("value", [*REFUSED_RATES, "1", "2.5", "1e3", "0.000001", "007"])
@pytest.mark.parametrize("unit", ["texts", "tokens"])
def test_command_and_file_refuse_the_same_rates(unit, value, capsys):
    refused = []
    try:
        main(["new", "a", f"--{unit}-per-second={value}"])
    except SystemExit:
        refused.append("command")
        assert f"{value!r} is not a number from 0.000001 to" in capsys.readouterr().err
    try:
        parse_line(f"a: {HASH} {unit}_per_second={value}")
    except ConfigurationError:
        refused.append("file")
    assert refused == (["command", "file"] if value in REFUSED_RATES else [])


def test_an_unknown_scope_is_refused_with_those_that_exist(capsys):
    with pytest.raises(SystemExit):
        main(["new", "a", "--scope", "all"])
    assert (
        "'all' is not one or several of classify, feedback, label, metrics, admin"
        in capsys.readouterr().err
    )
