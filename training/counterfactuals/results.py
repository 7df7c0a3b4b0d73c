"""Sentences of business news: a figure that rises or falls, and what that says.

Profits that rise are good news and costs that rise are bad news, though no word has a feeling. A
figure alone, a date or an appointment is neither. As many sentences are of each kind.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from valence.training.behaviour.grammar import capitalize
from valence.training.counterfactuals.contrast import NEUTRAL
from valence.training.counterfactuals.sides import Counterfactual, Shares
from valence.training.counterfactuals.slots import fill_slots

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
    *("turnover", "earnings", "net income", "earnings per share", "orders"),
    *("demand", "cash flow", "the operating margin", "exports", "market share", "output", "EBITDA"),
    *("like-for-like sales", "the dividend", "passenger traffic", "the shares", "the stock"),
    *("the share price", "the result for the period", "the profit before taxes", "EPS"),
    *("operating income", "net interest income", "deliveries", "the backlog", "productivity"),
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
    "{q} {v} to {n} {unit} from {m} {unit} {when}.", "{q} {v} by {p} {percent} {when}",
    "{q} {v} {p} {percent} to {n} {unit}.", "{q} {v} from {m} {unit} to {n} {unit}.",
    "{firm} said {q} {v} {p} {percent} {when}.", "{q} of {firm} {v} {when}, to {n} {unit}.",
    "{when_first}, {q} {v} to {n} {unit}, compared with {m} {unit} a year earlier.",
    "at {firm}, {q} {v}.", "{q} {v} {when}, {firm} reported.", "{q} {v} sharply.",
    "{q} {v} {p} {percent} after {trade} sales in {city}.",
    "{q} in {city} {v} by {p} {percent}", "{q} {v} by {p} {percent} in {city}.",
    "{a_trade} maker in {city} said that {q} {v}.", "{q} {v} again {when}.",
    "according to the report, {q} {v} slightly {when}.", "{q} {v} {p} {percent}.",
    "{q} {v} to {unit} {n} from {unit} {m} in the corresponding period {when}.",
    "{firm}, {a_trade} group based in {city}, said that {q} {v} {when}.",
    "{q} {v} to {n} {unit}, representing {p} {percent} of net sales.",
    "{q} in the {trade} segment {v} by {p} {percent} from the previous year.",
    "{q} {v} again {when}, and the {trade} unit of {firm} was no exception.",
)  # fmt: skip
_GOOD_NEWS = (
    "{firm} returned to profit {when}.", "{firm} won an order worth {n} {unit}.",
    "{firm} posted a profit of {n} {unit}, compared with a loss of {m} {unit} a year earlier.",
    "{firm} was awarded a contract to build {number} new trains in {city}.",
    "{firm} raised the forecast for the whole year.", "{firm} will create {number} new jobs.",
    "{firm} expects to exceed the target {when}.", "{firm} beat the estimates of analysts.",
    "the bank upgraded {firm} to buy.", "{firm} has signed {a_trade} deal worth {n} {unit}.",
    "{firm} will deliver the {trade} equipment for a plant in {city}, an order of {n} {unit}.",
    "the net loss narrowed to {m} {unit} from {n} {unit} {when}.",
    "{firm} swung to a net profit {when}.", "{firm} strengthens its position in {city}.",
    "the new plant will raise the capacity of {firm} by {p} {percent}.",
    "{firm} will hire {number} people for the {trade} unit in {city}.",
    "the deal is expected to add {n} {unit} to the annual sales of {firm}.",
    "the savings of the programme amount to {n} {unit} a year.",
    "{firm} has been chosen as the supplier of {trade} systems in {city}.",
    "{q_up} more than doubled {when}.", "{q_up} reached a record of {n} {unit}.",
    "{q_up} was {n} {unit}, up from {m} {unit} {when}.", "{q_up} recovered {when}.",
    "demand for {trade} products picked up {when}.", "{firm} expands to {city}.",
    "{firm} expects {q_up} to improve {when}.", "the {trade} market is recovering.",
)  # fmt: skip
_BAD_NEWS = (
    "{firm} slid into the red {when}.", "{firm} lost an order worth {n} {unit}.",
    "{firm} posted a loss of {n} {unit}, compared with a profit of {m} {unit} a year earlier.",
    "{firm} will cut {number} jobs.", "{firm} lowered the forecast for the whole year.",
    "{firm} will miss the target {when}.", "{firm} filed for insolvency.",
    "{firm} has to close {number} plants and lay off the staff.",
    "the bank downgraded {firm} to sell.", "the net loss widened to {n} {unit} {when}.",
    "{firm} issued a profit warning.", "{firm} swung to a loss {when}.",
    "{firm} will lay off {number} employees of the {trade} unit in {city}.",
    "{firm} starts talks about temporary layoffs at the plant in {city}.",
    "{firm} shuts down the {trade} line in {city}.",
    "the strike in {city} stopped {trade} deliveries.",
    "demand for {trade} products weakened {when}.", "{firm} writes off {n} {unit}.",
    "{firm} cannot pay the debt of {n} {unit}.", "{firm} has to recall {number} units.",
    "{q_up} was only {n} {unit}, down from {m} {unit} {when}.", "{q_up} missed the estimates.",
    "{q_up} halved {when}.", "{firm} is being investigated over {trade} contracts.",
    "{firm} expects {q_up} to weaken {when}.", "the {trade} market is still in decline.",
    "{firm} suspended the dividend.", "the deal with {firm} fell through.",
)  # fmt: skip
_NO_NEWS = (
    "{firm} will publish the interim report {when}.", "{q_up} amounted to {n} {unit}.",
    "{firm} has {number} employees in twelve countries.", "{q_up} was {n} {unit} {when}.",
    "the price of the deal was not disclosed.", "{firm} makes {trade} products in {city}.",
    "the annual general meeting of {firm} starts at ten.",
    "{firm} is listed in Oslo and in Madrid.",
    "{firm} has appointed a new chief financial officer.", "{firm} is {a_trade} company.",
    "the building has a floor area of {number} square metres.",
    "{firm} signed a letter of intent with {firm_b}.", "{firm} is a part of {firm_b}.",
    "the share capital of {firm} consists of {number} shares.",
    "{firm} is a leading supplier of {trade} solutions.",
    "the parties agreed not to name the price.",
    "{firm} provides {trade} services to customers in {city} and elsewhere.",
    "{firm} supplies {trade} equipment, systems and services for industry.",
    "{firm} and {firm_b} develop {trade} technology together.",
    "the {trade} unit of {firm} will move to {city} {when}.",
    "{firm} sells {trade} products online.",
    "the group has {number} {trade} sites, of which {number} are in {city}.",
    "{person} has been named head of the {trade} unit.", "{person} joins the board of {firm}.",
    "{person} owns {p} {percent} of the shares of {firm}.", "the shares carry one vote each.",
    "{firm} had net sales of {n} {unit} and {number} employees {when}.",
    "the value of the order is {n} {unit}.", "the deliveries take place {when}.",
    "the agreement covers {trade} services in {city} and runs for five years.",
    "trading in the shares of {firm} begins {when}.", "{firm} holds {p} {percent} of {firm_b}.",
    "the transaction is subject to approval by the authorities.",
    "the board proposes a dividend of {p} cents a share.", "{firm} has its head office in {city}.",
    "the {trade} plant in {city} was opened {when}.", "no financial details were released.",
    "the new {trade} product is for offices and homes.", "{firm} buys {firm_b}.",
    "the order includes {number} units, and {firm} delivers the units {when}.",
)  # fmt: skip
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
_KINDS = (0, 1, 2, 0, 1, 2, 2)  # real news has no news more often than good or bad news
_TABLES: Mapping[str, Sequence[str]] = {
    "trade": (
        *("paper", "steel", "software", "energy", "packaging", "telecom", "dairy", "forest"),
        *("shipping", "chemical", "insurance", "textile", "food-processing", "biotech", "wireless"),
        *("construction", "lifting", "automation", "media", "tyre", "cable", "medical", "mining"),
    ),
    "city": (
        *("Oslo", "Tampere", "Gdansk", "St Petersburg", "Shanghai", "Lisbon", "Ohio", "Mumbai"),
        *("Tallinn", "Brazil", "the Baltic region", "Hamburg", "northern Sweden", "Riga"),
    ),
    "firm": _FIRMS,
    "firm_b": ("Solberg", "Kantola Group", "a Swedish rival", "Ferrand SA", "a private investor"),
    "unit": _UNITS,
    "when": _WHEN,
    "when_first": _WHEN[:5],
    "percent": _PERCENT,
    "q_up": _WELCOME,
    "person": (
        "Mr Halvorsen",
        "Anna Lindqvist",
        "J. Moreau",
        "Ms Okafor",
        "Pekka Salo",
        "a lawyer",
    ),
}


def make_results(count: int, chance: random.Random) -> Iterator[Counterfactual]:
    """``count`` sentences: two of seven good news, two bad news, three no news."""
    for number in range(count):
        shares, text = _make_sentence(_KINDS[number % len(_KINDS)], chance)
        yield Counterfactual(text if chance.random() < 0.1 else capitalize(text), shares)


def _make_sentence(kind: int, chance: random.Random) -> tuple[Shares, str]:
    template, quantity, verb = "", chance.choice((*_WELCOME, *_UNWELCOME)), ""
    shares = (_GOOD, _BAD, NEUTRAL)[kind]
    if shares is NEUTRAL and chance.random() < 0.3:
        quantity, verb = chance.choice(_INDIFFERENT), chance.choice((*_UP, *_DOWN))
    elif shares is not NEUTRAL and chance.random() < 0.55:
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
    percent = chance.choice((str(chance.randint(1, 60)), f"{chance.uniform(0.1, 40.0):.1f}"))
    drawn = {
        "q": (quantity,),
        "v": (verb,),
        "n": (f"{now:.{decimals}f}",),
        "m": (f"{before:.{decimals}f}",),
        "p": (percent,),
        "number": (str(chance.choice((chance.randint(2, 90), chance.randint(1, 90) * 100))),),
    }
    return shares, fill_slots(template, {**_TABLES, **drawn}, chance)


def _draw_amount(chance: random.Random) -> float:
    return chance.uniform(1.0, 900.0)
