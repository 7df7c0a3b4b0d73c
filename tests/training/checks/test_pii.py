from __future__ import annotations

import pytest
from valence.training.checks.pii import KINDS, is_card, is_iban, suspected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("e-mail addresses", "write to jane.doe+x@mail.example.org."),
        ("phone numbers", "call +44 20 7946 0958 now"),
        ("phone numbers", "(020) 7946 0958"),
        ("phone numbers", "555-867-5309."),
        ("payment card numbers", "4111 1111 1111 1111, thanks"),
        ("payment card numbers", "5500-0000-0000-0004"),
        ("IBANs", "to DE89 3704 0044 0532 0130 00 please"),
        ("IBANs", "GB82WEST12345698765432"),
        ("IP addresses", "from 192.168.2.14."),
        ("IP addresses", "2001:db8::8a2e:370:7334 answers"),
    ],
)
def test_personal_data_are_found_with_their_kind(kind: str, text: str) -> None:
    assert [name for name, holds in KINDS.items() if holds(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "@jane said so",
        "it cost £1,250,000 in 2004-05",
        "won 6-4 6-3 7-6 (7-5)",
        "1234 5678 9012 3456",  # the check digit of a card is wrong
        "0000 0000 0000 0000",
        "DE89 3704 0044 0532 0130 01",  # the check digits of an IBAN are wrong
        "version 1.2.3.400",
        "127.0.0.1",
        "at 12:30:45 and a::b",
        "3.14159265358979",
    ],
)
def test_text_that_only_resembles_personal_data_is_not_counted(text: str) -> None:
    assert [name for name, holds in KINDS.items() if holds(text)] == []


def test_a_wrong_check_digit_is_refused() -> None:
    assert is_card("4111111111111111")
    assert not is_card("4111111111111112")
    assert is_iban("GB82 WEST 1234 5698 7654 32")
    assert not is_iban("GB83 WEST 1234 5698 7654 32")


def test_texts_are_counted_by_kind_and_not_quoted(texts) -> None:
    found = suspected(texts("a@b.example and c@d.example", "nothing", "e@f.example", "10.1.2.3"))
    assert [one.count for one in found] == [2, 1]
    assert found[0].places == ("mine.csv, line 1", "mine.csv, line 3")
    assert not any("b.example" in one.model_dump_json() for one in found)
