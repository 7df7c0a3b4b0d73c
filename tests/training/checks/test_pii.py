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


@pytest.mark.parametrize(
    "text",
    [
        "12 45 78 90 12 34 56 72",  # small numbers side by side, whose check digit is right
        "7 992 739 871 344 05",
        "4111 1111 1111 1111 2222 3333",  # more groups than a card has
        "1700000000002",  # a time in milliseconds
        "41111 11111 11111 1",  # groups of another size
    ],
)
def test_rows_of_numbers_are_no_payment_cards(text: str) -> None:
    assert "payment card numbers" not in [name for name, holds in KINDS.items() if holds(text)]


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "3782 822463 10005",  # American Express
        "3056 930902 5904",  # Diners Club
        "6011-1111-1111-1117",
        "card 4111 1111 1111 1111 12/27",
        "pan:5555555555554444;",
    ],
)
def test_cards_in_the_groups_of_their_issuers_are_found(text: str) -> None:
    assert KINDS["payment card numbers"](text)


def test_check_digits_of_chance_are_a_note(texts) -> None:
    """Order numbers of 16 digits, one of ten of which has the check digit of a card."""
    numbers = [f"4{number:015d}" for number in range(200)]
    (found,) = suspected(texts(*numbers))
    assert (found.severity, found.count) == ("note", 20)
    assert "by chance" in found.message
    cards = [number for number in numbers if is_card(number)]
    (found,) = suspected(texts(*cards))
    assert (found.severity, found.count) == ("warning", 20)


@pytest.mark.parametrize("orders", [0, 1, 19])
def test_one_card_among_few_numbers_is_a_warning(texts, orders: int) -> None:
    others = [f"4{number:015d}" for number in range(200)]
    wrong = [number for number in others if not is_card(number)][:orders]
    (found,) = suspected(texts("4111 1111 1111 1111", *wrong))
    assert (found.severity, found.count) == ("warning", 1)


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
