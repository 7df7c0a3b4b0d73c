"""Count the texts that seem to contain personal data, by patterns and their check digits.

The count is a heuristic. A pattern cannot tell whose address it finds, and names have no pattern:
the count is a lower bound for some kinds of data and an upper bound for others.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence

from scipy.stats import binom
from valence.training.checks.finding import Finding, Severity, make_finding
from valence.training.corpora.example import Example

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}", re.IGNORECASE)
# A number with an international prefix, or in groups like a phone number; not every long number.
_PHONE = re.compile(
    r"(?<![\w.,$£€#/-])(?<!\d )(?:"
    r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,12}"
    r"|\(\d{2,5}\)[ .-]?\d{3,4}[ .-]?\d{3,5}"
    r"|\d{3}[-. ]\d{3}[-. ]\d{4}"
    r"|0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4}"
    r")(?![\w,-]|[. ]\d)"
)
# Together, or in the groups that cards show. A row of other groups, or of more groups, is a row of
# numbers.
_CARD = re.compile(
    r"(?<![\w.,-])(?<!\d )(?:"
    r"\d{13,19}"
    r"|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3}(?![\d/]))?"
    r"|\d{4}([ -])\d{6}\2\d{4,5}"
    r")(?![\w-]|[.,]\d| \d(?!\d?/))"  # the month of expiry may follow
)
# The first digits of the numbers of payment cards (ISO/IEC 7812): banks and other industries.
_ISSUERS = frozenset("23456")
_MIN_CHANCE = 20
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)"
    r"|(?<![\w:.])(?=[0-9a-f]*:)[0-9a-f:]{6,39}(?![\w:])",
    re.IGNORECASE,
)


def suspected(examples: Sequence[Example]) -> list[Finding]:
    """The texts that seem to contain personal data, by kind."""
    found = []
    for kind, holds in KINDS.items():
        texts = [example for example in examples if holds(example.text)]
        if not texts:
            continue
        severity: Severity = "warning"
        message = (
            f"texts that seem to hold {kind}; the vocabulary may keep its words, so mask it "
            "unless you may train on it"
        )
        if kind == CARDS and _is_chance(examples):
            severity = "note"
            message = (
                f"texts with numbers that have the form of {kind}; no more of these numbers have "
                "the check digit of a card than by chance"
            )
        found.append(make_finding("personal_data", severity, texts, len(examples), message))
    return found


def _is_chance(examples: Sequence[Example]) -> bool:
    """Whether the numbers of the form of a card have the check digit of a card by chance only.

    One random number of ten has it. Few numbers are never taken for chance.
    """
    numbers = [match[0] for example in examples for match in _CARD.finditer(example.text)]
    right = sum(map(is_card, numbers))
    wrong = len(numbers) - right
    return wrong >= _MIN_CHANCE and right <= binom.ppf(0.99, len(numbers), 0.1)


def is_card(number: str) -> bool:
    """Whether the digits of ``number`` are those of a payment card: by H. P. Luhn's check digit.

    And by the first digit, which is that of an issuer of payment cards.
    """
    digits = [int(character) for character in number if character.isdigit()]
    if len(set(digits)) == 1 or str(digits[0]) not in _ISSUERS:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(number: str) -> bool:
    """Whether ``number`` has the check digits of an IBAN: ISO 13616, ISO 7064 MOD 97-10."""
    plain = number.replace(" ", "")
    rotated = plain[4:] + plain[:4]
    return (
        15 <= len(plain) <= 34
        and int("".join(str(int(character, 36)) for character in rotated)) % 97 == 1
    )


def is_address(text: str) -> bool:
    """Whether ``text`` is an IP address of a single machine."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback)


def _any(pattern: re.Pattern[str], holds: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda text: any(holds(match[0]) for match in pattern.finditer(text))


def _email(text: str) -> bool:
    # Without this test, the pattern would try every word.
    return "@" in text and _EMAIL.search(text) is not None


CARDS = "payment card numbers"
KINDS: Mapping[str, Callable[[str], bool]] = {
    "e-mail addresses": _email,
    "phone numbers": lambda text: _PHONE.search(text) is not None,
    CARDS: _any(_CARD, is_card),
    "IBANs": _any(_IBAN, is_iban),
    "IP addresses": _any(_ADDRESS, is_address),
}
