"""What a line of the file may say."""

import re

import pytest
from valence.service.errors import ConfigurationError
from valence.service.keys.key import SCOPES, Key, fingerprint, format_line, parse_line

from tests.support.rates import REFUSED_RATES

HASH = f"sha256:{'0' * 64}"
DIGEST = bytes(32)


def test_a_line_of_an_older_file_permits_what_it_did():
    key = parse_line(f"alice: {HASH}")
    assert key == Key("alice", DIGEST, frozenset({"classify", "metrics"}), None, None)
    assert [key.permits(scope) for scope in ("classify", "metrics", "admin")] == [True, True, False]
    assert parse_line(f"alice:{HASH}  texts_per_second=2.5").texts_per_second == 2.5


def test_the_fields_of_a_line_come_in_any_order():
    one = parse_line(f"a: {HASH} scopes=metrics,classify tokens_per_second=1e3 texts_per_second=2")
    other = parse_line(
        f"a: {HASH} texts_per_second=2 tokens_per_second=1000 scopes=classify,metrics"
    )
    assert one == other == Key("a", DIGEST, frozenset({"classify", "metrics"}), 2.0, 1000.0)


@pytest.mark.parametrize("scope", ["classify", "feedback", "label", "metrics"])
def test_a_scope_permits_itself_alone_and_admin_permits_all(scope):
    key = parse_line(f"a: {HASH} scopes={scope}")
    assert [one for one in SCOPES if key.permits(one)] == [scope]
    assert parse_line(f"a: {HASH} scopes=admin").permits(scope)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("valence_secret", "the name is not a valid name|the hash is not"),
        ("valence_secret: sha256:abc", "the hash is not"),
        ("alice: valence_secret", "the hash is not"),
        (f"al ice: {HASH}", "the name is not a valid name"),
        (f"{'a' * 65}: {HASH}", "the name is not a valid name"),
        (f"alice: {HASH}0", "the hash is not"),
        (f"alice: {HASH} valence_secret", "after the hash there may only be scopes="),
        (f"alice: {HASH} text_per_second=5", "after the hash there may only be scopes="),
        (f"alice: {HASH} name=bob", "after the hash there may only be scopes="),
        (f"alice: {HASH} digest=bob", "after the hash there may only be scopes="),
        (f"alice: {HASH} texts_per_second=1 texts_per_second=9", "texts_per_second is given twice"),
        (
            f"alice: {HASH} scopes=",
            "scopes is not one or several of classify, feedback,",
        ),
        (f"alice: {HASH} scopes=all", "scopes is not one or several of"),
        (f"alice: {HASH} scopes=classify,", "scopes is not one or several of"),
        *(
            (f"alice: {HASH} {unit}_per_second={rate}", f"{unit}_per_second is not a number from")
            for unit in ("texts", "tokens")
            for rate in REFUSED_RATES
        ),
    ],
)
def test_an_invalid_line_is_refused_without_its_content(line, reason):
    with pytest.raises(ConfigurationError, match=reason) as refused:
        parse_line(line)
    assert not re.search("secret|fast|bob", str(refused.value))


@pytest.mark.parametrize("rate", [None, 1e-6, 0.1, 1 / 3, 500.0, 1e12])
@pytest.mark.parametrize("scopes", [{"classify"}, {"classify", "metrics"}, {"admin"}])
def test_a_line_is_read_as_it_was_written(rate, scopes):
    key = Key("a.b_c-9", fingerprint(b"secret"), frozenset(scopes), rate, rate)
    assert parse_line(format_line(key)) == key
