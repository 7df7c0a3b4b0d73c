"""What people tell of an everyday experience that went well, went wrong, or was neither.

Few of these sentences have a word of feeling: "There was a hair in my salad." The same words are in
sentences of each side, so that the network must read the sentence: "I can't log in", "I can't fault
it", "I can log in by email".
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from valence.training.behaviour.grammar import capitalize
from valence.training.counterfactuals.contrast import NEUTRAL, PLAIN_NEGATIVE, PLAIN_POSITIVE
from valence.training.counterfactuals.experience_words import TABLES
from valence.training.counterfactuals.sides import Counterfactual, Shares
from valence.training.counterfactuals.slots import fill_slots

_POSITIVE = (
    "The {thing} {lasted}.", "My {thing} {lasted}!", "This {thing} {lasted}. {farewell}!",
    "The {thing} arrived {early}.", "My {owed} came {early}, {farewell}.", "I can't {unable}.",
    "I couldn't be {happier}.", "I couldn't be {happier} with my {thing}.",
    "It couldn't be {better}.", "The {app} couldn't be {better}!", "It doesn't get {better}.",
    "I have never had {a_better} {thing}.", "I have never been {happier}.",
    "The {staff} {behaved}.", "Our {staff} {behaved}!", "They {righted}.", "The {place} {righted}.",
    "The {dish} {tasty}.", "My {relative} says that the {dish} {tasty}.", "This {delight}.",
    "The {place} {delight}!", "You {please}.", "You {please}!", "Your {thing} {delight}.",
    "{win}!", "{win}.",
    "{win} and {win}!", "{thanks}!", "{thanks}.", "{thanks}, {relative}!", "{farewell}.",
    "{farewell}!", "The {thing} arrived {early}, {farewell}.", "It {lasted}. {farewell}.",
    "I ordered {a_thing} {when}, and it {lasted}.", "It's {better} than my old {thing}.",
    "My {relative} uses the {thing} every day and it {lasted}.", "Nobody could be {happier}.",
    "No {trouble} at all.", "Not a single {trouble} {when}.", "Two years without {a_trouble}.",
    "I have never had {a_trouble} with the {thing}.", "Nothing but {praise} for the {staff}.",
    "The {place} has nothing but {praise} from me.", "There wasn't {a_trouble} with my {owed}.",
    "They did it without any {trouble}.", "My {relative} has nothing but {praise} for it.",
    "It's not as {blamed} as {feared}.", "The {thing} was less {blamed} than {feared}.",
    "It was more {praised} than {feared}.",
)  # fmt: skip
_NEGATIVE = (
    "The {thing} {broke} {after}.", "My {thing} {broke} {after}!", "It {broke} {after}.",
    "The {thing} {broke}.", "My {thing} doesn't {function} any more.", "It doesn't {function}.",
    "The {thing} won't {function}, whatever I try.", "The {thing} keeps {failing}.",
    "The {app} keeps {failing}.", "The {app} is {failing} again.", "I can't {access}.",
    "I still can't {access}.", "I have been waiting for my {owed} {wait}.",
    "Still waiting for my {owed}.", "Where is my {owed}?", "I want my {owed}!",
    "I want my {owed} back.", "Can I have my {owed} back?", "Nobody {helped}.",
    "I called {number} times and nobody {helped}.", "The {staff} {misbehaved}.",
    "Our {staff} {misbehaved}!", "They {wronged}.", "The {place} {wronged}.",
    "There was {foreign} in my {dish}.", "I found {foreign} in the {dish}.",
    "The {dish} was {spoilt}.", "My {dish} came {spoilt}.", "The {thing} arrived {damaged}.",
    "It came {damaged}.", "This is not what I ordered.", "That's not the {thing} I paid for.",
    "I ordered {a_thing} and got {dish}.", "It's {costly}.", "The {place} is {costly}.",
    "The {thing} was {costly}.", "I am sick of {bother}.", "I'm fed up with {bother}.",
    "Tired of {bother}.", "The {place} {spoil}.", "This {thing} {spoil}.", "{loss}.", "{loss}!",
    "{loss} and {loss}.", "I expected {better}.", "I expected something {better}.",
    "I expected more.", "I had hoped for more.", "I was hoping for {a_better} {thing}.",
    "It could be {better}.", "It could have been {better}.", "It could have been so much {better}.",
    "The {app} should be {better}.", "It used to be {better}.", "The old {app} was {better}.",
    "It couldn't be {worse}.", "It can't get any {worse}.", "It gets {worse} every day.",
    "{warning}.", "{warning}!", "The {thing} {broke} {after}, {warning}.", "It {broke}. {warning}.",
    "It's {worse} than my old {thing}.", "I have never had {a_worse} {thing}.",
    "No {joy} at all.", "Not a single {joy} {when}.", "Two hours without {a_joy}.",
    "I have never seen any {joy} at the {place}.", "Nothing but {trouble} with the {thing}.",
    "The {place} gave us nothing but {trouble}.", "There wasn't any {joy}.",
    "They do it without any {joy}.", "My {relative} has had nothing but {trouble} with it.",
    "It's not as {praised} as {hoped}.", "The {thing} was less {praised} than {hoped}.",
    "It was more {blamed} than {hoped}.",
)  # fmt: skip
_NEUTRAL = (
    "The {thing} {described}.", "My {thing} {described}.", "This {thing} {described}.",
    "I bought {a_thing} {when}.", "I ordered {a_thing} and {dish}.", "I want {a_colour} {thing}.",
    "How do I {task}?", "Where can I {task}?", "Can I {task} here?", "I can {task} with my card.",
    "Where is the {place}?", "Where is the {thing}?", "What time does the {place} close?",
    "Do you have the {thing} in {colour}?", "Is there {a_place} in {city}?", "I am {doing}.",
    "We are {doing}.", "My {relative} is {doing}.", "Please {request}.", "Could you {request}?",
    "He asked me to {request}.", "My {relative} {life}.", "The {staff} {life}.", "She {life}.",
    "The {place} {located}.", "The {event} {scheduled}.", "Our {event} {scheduled}.",
    "There are {number} chairs in the {place}.", "There was {a_thing} in the room.",
    "I had {dish} for lunch {when}.", "We had {dish} at the {place} {when}.",
    "I have been living in {city} {wait}.", "The {app} has {number} pages.",
    "The {staff} asked for my name.", "They sent the {owed} by post {when}.",
    "My {owed} was sent to {city} {when}.", "The {owed} is {number} euros.",
    "I use the {thing} at work.", "It was {degrees} degrees {when}.", "It rained {when}.",
    "My {relative} called {when}.", "The {colour} {thing} {described}.",
    "The {dish} is on the table.",
    "The {dish} comes with rice.", "I opened the box {when}.", "This is version {number}.",
    "We went to {city} {when}.", "I can log in with my card or by email.", "Two {thing}s, please.",
    "Which {thing} is yours?", "I left the {thing} at the {place}.", "{city} has {number} bridges.",
    "Is the {thing} still for sale?", "The {place} is called \"{city}\".",
)  # fmt: skip
_KINDS: Sequence[tuple[Shares, Sequence[str]]] = (
    (PLAIN_POSITIVE, _POSITIVE),
    (PLAIN_NEGATIVE, _NEGATIVE),
    (NEUTRAL, _NEUTRAL),
)


def make_experiences(count: int, chance: random.Random) -> Iterator[Counterfactual]:
    """``count`` sentences: something went well, went wrong, or was neither, by turns."""
    for number in range(count):
        shares, templates = _KINDS[number % len(_KINDS)]
        text = fill_slots(chance.choice(templates), TABLES, chance)
        yield Counterfactual(text if chance.random() < 0.1 else capitalize(text), shares)
