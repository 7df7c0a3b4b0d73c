"""Sentences of business news: a figure that rises or falls, and what that says.

Profits that rise are good news and costs that rise are bad news, though no word has a feeling. A
figure alone, a date or an appointment is neither. As many sentences are of each kind.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from valence.training.behaviour.grammar import capitalize
from valence.training.counterfactuals.contrast import NEUTRAL
from valence.training.counterfactuals.sides import Counterfactual, Shares

_GOOD: Shares = (0.03, 0.17, 0.8)
_BAD: Shares = (0.8, 0.17, 0.03)
_WELCOME = (
    *(
        "profit",
        "operating profit",
        "net profit",
        "pre-tax profit",
        "net sales",
        "sales",
        "revenue",
    ),
    *("turnover", "earnings", "net income", "earnings per share", "orders", "the order book"),
    *("demand", "cash flow", "the operating margin", "exports", "market share", "output", "EBITDA"),
    *("like-for-like sales", "the dividend", "passenger traffic"),
)
_UNWELCOME = (
    *("the net loss", "the operating loss", "losses", "costs", "debt", "unemployment", "inflation"),
    *("bad loans", "complaints", "the deficit", "raw material costs", "write-offs", "layoffs"),
    *("the number of bankruptcies", "expenses", "delays", "default rates", "energy costs"),
)
_INDIFFERENT = (
    *("the number of pages", "the average age", "the water level", "the temperature", "the width"),
    *("the share of tea", "the number of branches", "the weight of the parcel", "the ratio"),
    *("the number of shares", "the floor area", "the length of the route", "the humidity"),
)
_UP = (
    *("rose", "increased", "grew", "climbed", "went up", "jumped", "advanced", "surged"),
    *("was up", "has risen", "has increased", "will rise", "is expected to increase", "edged up"),
)
_DOWN = (
    *("fell", "decreased", "declined", "dropped", "went down", "shrank", "slipped", "slumped"),
    *("was down", "has fallen", "has decreased", "will fall", "is expected to decrease", "dipped"),
)
_CHANGES = (
    "{q} {v} to {n} {unit} from {m} {unit} {when}.",
    "{q} {v} by {p} {percent} {when}",
    "{q} {v} {p} {percent} to {n} {unit}.",
    "{q} {v} from {m} {unit} to {n} {unit}.",
    "{firm} said {q} {v} {p} {percent} {when}.",
    "{q} of {firm} {v} {when}, to {n} {unit}.",
    "{when_first}, {q} {v} to {n} {unit}, compared with {m} {unit} a year earlier.",
    "at {firm}, {q} {v}.",
    "{q} {v} {when}, {firm} reported.",
    "{q} {v} sharply.",
    "according to the report, {q} {v} slightly {when}.",
)
_GOOD_NEWS = (
    "{firm} returned to profit {when}.",
    "{firm} posted a profit of {n} {unit}, compared with a loss of {m} {unit} a year earlier.",
    "{firm} won an order worth {n} {unit}.",
    "{firm} was awarded a contract to build {number} new trains.",
    "{firm} raised the forecast for the whole year.",
    "{firm} expects to exceed the target {when}.",
    "{firm} will create {number} new jobs.",
    "{firm} beat the estimates of analysts.",
    "the bank upgraded {firm} to buy.",
)
_BAD_NEWS = (
    "{firm} slid into the red {when}.",
    "{firm} posted a loss of {n} {unit}, compared with a profit of {m} {unit} a year earlier.",
    "{firm} lost an order worth {n} {unit}.",
    "{firm} will cut {number} jobs.",
    "{firm} lowered the forecast for the whole year.",
    "{firm} will miss the target {when}.",
    "{firm} filed for insolvency.",
    "{firm} has to close {number} plants and lay off the staff.",
    "the bank downgraded {firm} to sell.",
)
_NO_NEWS = (
    "{firm} will publish the interim report {when}.",
    "{firm} has {number} employees in twelve countries.",
    "{q} was {n} {unit} {when}.",
    "{q} amounted to {n} {unit}.",
    "the price of the deal was not disclosed.",
    "{firm} makes paper, pumps and cables.",
    "the annual general meeting of {firm} starts at ten.",
    "{firm} has appointed a new chief financial officer.",
    "{firm} is listed in Oslo and in Madrid.",
    "the building has a floor area of {number} square metres.",
    "{firm} signed a letter of intent with a supplier.",
    "the share capital of {firm} consists of {number} shares.",
)
_FIRMS = (
    *("the company", "the group", "the airline", "the bank", "the retailer", "the shipyard"),
    *("Norvik", "Kestrel Foods", "Altamar", "Brightwater plc", "Tannberg", "Osterby Oyj", "Celdon"),
    *("the manufacturer", "the insurer", "the subsidiary", "Lindqvist AB", "Marlow & Co"),
)
_UNITS = (
    *("million euros", "mln euro", "EUR million", "million dollars", "billion yen", "USDm", "mn"),
    *("million pounds", "EURm", "million kronor"),
)
_WHEN = (
    *("in the first quarter", "in the second half of the year", "in 2008", "last year", "in May"),
    *("from a year earlier", "in the period", "year on year", "this year", "during the year"),
)
_PERCENT = ("percent", "%", "per cent", "pct")


def make_results(count: int, chance: random.Random) -> Iterator[Counterfactual]:
    """``count`` sentences: good news, bad news and no news by turns."""
    for number in range(count):
        shares, text = _make_sentence(number % 3, chance)
        yield Counterfactual(text if chance.random() < 0.1 else capitalize(text), shares)


def _make_sentence(kind: int, chance: random.Random) -> tuple[Shares, str]:
    template, quantity, verb = "", chance.choice((*_WELCOME, *_UNWELCOME)), ""
    shares = (_GOOD, _BAD, NEUTRAL)[kind]
    if shares is NEUTRAL and chance.random() < 0.3:
        quantity, verb = chance.choice(_INDIFFERENT), chance.choice((*_UP, *_DOWN))
    elif shares is not NEUTRAL and chance.random() < 0.75:
        welcome = chance.random() < 0.7
        quantity = chance.choice(_WELCOME if welcome else _UNWELCOME)
        verb = chance.choice(_UP if welcome == (shares is _GOOD) else _DOWN)
    if verb:
        template = chance.choice(_CHANGES)
    else:
        template = chance.choice((_GOOD_NEWS, _BAD_NEWS, _NO_NEWS)[kind])
    low, high = sorted((_draw_amount(chance), _draw_amount(chance)))
    now, before = (low, high) if verb in _DOWN else (high, low)
    decimals = chance.choice((0, 1, 1, 2))
    return shares, template.format(
        q=quantity,
        v=verb,
        n=f"{now:.{decimals}f}",
        m=f"{before:.{decimals}f}",
        p=chance.choice((str(chance.randint(1, 60)), f"{chance.uniform(0.1, 40.0):.1f}")),
        percent=chance.choice(_PERCENT),
        unit=chance.choice(_UNITS),
        when=chance.choice(_WHEN),
        when_first=chance.choice(_WHEN[:5]),
        firm=chance.choice(_FIRMS),
        number=chance.choice((chance.randint(2, 90), chance.randint(1, 90) * 100)),
    )


def _draw_amount(chance: random.Random) -> float:
    return chance.uniform(1.0, 900.0)
