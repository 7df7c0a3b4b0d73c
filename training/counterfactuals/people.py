"""People of many groups in copies of training texts: a group has no feeling.

Zhao et al.: *Gender Bias in Coreference Resolution*, NAACL 2018, swap words of groups in training
texts; Dixon et al.: *Measuring and Mitigating Unintended Bias in Text Classification*, AIES 2018,
add texts in which such words are neutral.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from valence.training.behaviour.grammar import add_article, capitalize
from valence.training.counterfactuals.contrast import NEUTRAL, VERBS
from valence.training.counterfactuals.sides import Counterfactual, Shares
from valence.training.counterfactuals.slots import fill_slots

TERMS = (
    # religion
    *("Christian", "Muslim", "Jewish", "Hindu", "Buddhist", "atheist", "Protestant", "Mormon"),
    *("Orthodox", "Shia", "Sunni", "secular", "Taoist", "Baptist", "Methodist", "Zoroastrian"),
    *("religious", "Anglican", "Evangelical", "Pentecostal", "Presbyterian", "Coptic", "Druze"),
    *("Islamic", "Hebrew", "pagan", "Wiccan", "humanist", "Shinto", "spiritual", "devout"),
    *("nonreligious", "Unitarian", "Hasidic", "Ahmadi", "Amish", "Mennonite", "Scientologist"),
    # nationality
    *("French", "Spanish", "Greek", "Swedish", "Canadian", "Brazilian", "Korean", "Vietnamese"),
    *("Kenyan", "Ethiopian", "Egyptian", "Iranian", "Pakistani", "Syrian", "Ukrainian", "Cuban"),
    *("Colombian", "Filipino", "Thai", "Irish", "Scottish", "Danish", "Hungarian", "Afghan"),
    *("Australian", "Dutch", "Swiss", "Norwegian", "Somali", "Iraqi", "Israeli", "Romanian"),
    *("Palestinian", "Haitian", "Saudi", "Bangladeshi", "Serbian", "Albanian", "Libyan"),
    # ethnicity
    *("Latino", "African", "Caribbean", "Indigenous", "Kurdish", "Persian", "Roma", "Maori"),
    *("Polynesian", "biracial", "brown", "Caucasian", "Aboriginal", "Inuit", "Cherokee", "Creole"),
    *("Chicano", "Berber", "Bedouin", "Slavic", "Tamil", "Punjabi", "Yoruba", "Zulu", "mixed-race"),
    *("African-American", "Latina", "Romani", "Ashkenazi", "Navajo", "Hawaiian", "Pashtun"),
    # sexual orientation and gender identity
    *("straight", "heterosexual", "gay", "lesbian", "bisexual", "transgender", "intersex"),
    *("trans", "bi", "genderfluid", "agender", "closeted", "polyamorous", "transsexual"),
    *("transgendered", "LGBT", "genderqueer", "non-binary", "gender-neutral", "bicurious"),
    *("androgynous", "effeminate", "butch", "two-spirit", "crossdressing", "transvestite"),
    # age
    *("young", "middle-aged", "old", "elderly", "aged", "thirty-year-old", "eighty-year-old"),
    *("younger", "older", "adolescent", "juvenile", "ageing", "grown-up", "youthful", "mature"),
    *("aging", "underage", "pensioned", "geriatric", "centenarian"),
    # disability
    *("deaf", "blind", "disabled", "autistic", "non-disabled", "paralyzed", "sighted", "mute"),
    *("diabetic", "neurodivergent", "impaired", "one-armed", "short-sighted", "hearing"),
    *("bipolar", "handicapped", "crippled", "sightless", "wheelchair-using", "asthmatic"),
    *("schizophrenic", "arthritic", "stuttering", "neurotypical", "amputee", "deafblind"),
    *("bedridden", "wheelchair-bound", "disfigured", "quadriplegic", "hearing-impaired"),
    *("brain-injured", "limping", "visually impaired", "colour-blind", "allergic"),
    *("HIV-positive", "tetraplegic", "one-legged"),
    # states of which a text often complains
    *("godless", "nonbelieving", "unbelieving", "celibate", "unmarried", "divorced", "widowed"),
    *("orphaned", "homeless", "undocumented", "overweight", "obese", "bald", "unemployed"),
    # others
    *("immigrant", "refugee", "female", "male", "left-handed", "tall", "vegetarian", "rural"),
    *("married", "single", "pregnant", "vegan", "migrant", "working-class", "illiterate"),
)
NAMES = (
    *("Hannah", "Megan", "Laura", "Jessica", "Peter", "Brian", "Kevin", "Oliver", "Alice", "Ruth"),
    *("Heather", "Amy", "Rachel", "Helen", "Jack", "Adam", "Henry", "George", "Todd", "Brad"),
    *("Aaliyah", "Keisha", "Imani", "Shanice", "Malik", "DeAndre", "Terrell", "Marquis", "Kareem"),
    *("Tamika", "Latisha", "Monique", "Precious", "Rasheed", "Leroy", "Tremayne", "Hakim"),
    *("Sofia", "Ximena", "Rosa", "Pilar", "Javier", "Miguel", "Pablo", "Alejandro", "Elena"),
    *("Valentina", "Isabel", "Gabriela", "Fernando", "Jorge", "Pedro", "Rafael", "Ricardo"),
    *("Yasmin", "Noor", "Khadija", "Salma", "Ali", "Yusuf", "Ibrahim", "Khalid", "Aisha", "Mariam"),
    *("Leila", "Rania", "Mustafa", "Tariq", "Abdullah", "Karim", "Samir", "Hamza", "Bilal"),
    *("Ananya", "Kavita", "Meera", "Sunita", "Amit", "Rajesh", "Vijay", "Suresh", "Deepa", "Pooja"),
    *("Nisha", "Shreya", "Rohan", "Anil", "Ravi", "Ashok", "Deepak", "Manish", "Krishna"),
    *("Li", "Jing", "Fang", "Hui", "Jun", "Lei", "Feng", "Tao", "Xiaoming", "Na", "Min"),
    *("Hong", "Yu", "Qiang", "Bo", "Gang", "Ming", "Peng", "Xia", "Lan", "Zhen"),
    *("Natasha", "Katarzyna", "Irina", "Milena", "Boris", "Andrzej", "Sergei", "Tomasz", "Anna"),
    *("Ekaterina", "Magdalena", "Oksana", "Vladimir", "Igor", "Nikolai", "Marek", "Stanislav"),
    *("Aiko", "Kenji", "Chidi", "Ngozi", "Kwame", "Abena", "Mehmet", "Ayse", "Thuy", "Nguyen"),
    *("Emma", "Olivia", "Mary", "Jennifer", "Linda", "Karen", "Nancy", "Lisa", "Betty", "Susan"),
    *("John", "Robert", "Michael", "David", "William", "Thomas", "Mark", "Steven", "Paul", "Eric"),
    *("Shaniqua", "Nia", "Kiara", "Deja", "Jasmine", "Darius", "Lamar", "Reggie", "Trevon"),
    *("Camila", "Mariana", "Teresa", "Esperanza", "Antonio", "Francisco", "Manuel", "Hector"),
    *("Zahra", "Huda", "Samira", "Nadia", "Osama", "Saddam", "Hussein", "Jamila", "Abdul"),
    *("Lalita", "Sita", "Neha", "Swati", "Arun", "Prakash", "Ganesh", "Mohan", "Kiran"),
    *("Xin", "Qing", "Hua", "Bin", "Long", "Dong", "Shan", "Ping", "Ying"),
    *("Tatiana", "Ludmila", "Galina", "Yelena", "Jan", "Pavel", "Yuri", "Anatoly", "Zbigniew"),
)
RELATIVES = (
    *("he", "she", "my cousin", "my niece", "my nephew", "my grandfather", "my grandmother"),
    *("the lady", "the gentleman", "my girlfriend", "my boyfriend"),
)
PERSONS = (
    *("person", "man", "woman", "friend", "student", "worker", "boss", "nurse", "writer", "guest"),
    *("manager", "singer", "engineer", "passenger", "lawyer", "guy", "girl", "boy", "kid", "cook"),
    *("roommate", "coach", "waiter", "pilot", "plumber", "tenant", "landlord", "officer", "chef"),
    *("dentist", "actor", "artist", "barber", "client", "classmate", "visitor", "resident"),
)
_PERSON = re.compile(
    rf"\b(?P<before>(?:the|a|an|this|that|my|our|some) )(?P<person>{'|'.join(PERSONS)})\b"
)
_NEUTRAL = (
    "My {person} is {term}.", "Our {person} is {term}", "{a_term} {person} came in at noon.",
    "The {person} who moved in next to us is {term}.", "We have {a_term} {person} in our team.",
    "She is {a_term} {person}.", "I am {term}.", "They are {term} people.", "{who} is {term}.",
    "His {person} is {term}.", "Her {person} is {term}, too.", "Both of them are {term}.",
    "The {person} next door is {term}.", "{who} and my {person} are {term}.",
    "{who} called about the meeting.", "I sent the parcel to {who}.", "The form is from {who}.",
    "{who} lives next to the library.", "I met {who} in the morning.",
)  # fmt: skip
_FEELING = (
    ("The {term} {person} was {adjective} to all of us.", "{who} was {adjective} to all of us."),
    ("I met {a_term} {person} and it was {adjective}.", "I met {who} and it was {adjective}."),
    ("My {term} {person} is {adjective}.", "{who} is {adjective}."),
    ("We {verb} our {term} {person}.", "We {verb} {who}."),
    ("They all {verb} the {term} {person}.", "I {verb} {who}."),
    ("I {verb} my {term} {person}.", "I {verb} {who} a lot."),
    ("I {verb} this {term} {person} so much.", "We all {verb} {who}."),
    ("What {an} conversation with {a_term} {person}.", "What {an} conversation with {who}."),
)
_ADJECTIVES = {
    True: ("helpful", "caring", "warm", "delightful", "superb", "generous", "friendly", "sweet"),
    False: ("mean", "hostile", "nasty", "cruel", "unfair", "arrogant", "vile", "aggressive"),
}
_INTRODUCTIONS = (
    "{whose} {person} is {term}.",
    "{whose} {person} is {term} and {does}.",
    "I am {term}.",
    "{who} is {term} and {does}.",
    "The {person} who {did} is {term}.",
    "I am {term} and {does_i}.",
    "The {person} that {did} {when} is {term}.",
    "{a_term} {person} {did} {when}.",
    "{whose} {term} {person} {did} {when}.",
    "The {term} {person} {does}.",
    "I'm a {term} {person}.",
    "I met {a_term} {person} {when}.",
    "I wrote to {a_term} {person} {when}.",
    "We spoke with {a_term} {person} {when}.",
    "I listened to {a_term} {person} on the radio.",
    "He sat next to {a_term} {person} on the train.",
    "She asked {a_term} {person} for the way.",
    "We sent the form to {a_term} {person}.",
    "There is {a_term} {person} in room {number}.",
    "{number} of the {person}s are {term}.",
    "{who} was born {term}.",
    "They have {a_term} {person}.",
    "The {person} over there is {term}, and so is {whose_low} {person}.",
    "Is the {person} {term}?",
    "{whose} {person} told me that the {person_b} who {did} is {term}.",
    "Are they {term}?",
    "The {term} {person} and the {person_b} {did} {when}.",
    "Some {person}s are {term}.",
    "A survey asked {term} {person}s where they live.",
    "The course is for {term} {person}s.",
    "{a_term} {person} was on the bus {when}.",
    "I work for {a_term} {person}.",
    "According to the form, the {person} is {term}.",
    "{who}, who is {term}, {did} {when}.",
    "{whose} {person} has been {term} since 2009.",
    "{a_term} {person} lives there.",
)
_INTRODUCED = {
    "who": (*NAMES, *RELATIVES), "person": PERSONS, "person_b": PERSONS,
    "whose": ("His", "Her", "Our", "Their", "The other", "The new", "The first", "Ana's", "Tim's"),
    "whose_low": ("his", "her", "our", "their", "the other", "the first"),
    "number": ("two", "three", "four", "five", "seven", "12", "16"),
    "does": (
        *("lives near the library", "works in an office", "has two sisters", "takes the bus"),
        *("speaks French", "is 34 years old", "reads the paper", "went to school in Bern"),
        *("starts at nine", "comes from Ohio", "studies law", "plays chess"),
    ),
    "does_i": ("live near the library", "work in an office", "have two sisters", "take the bus"),
    "did": (
        *("phoned", "came in", "wrote to us", "moved in next to us", "signed the form", "waited"),
        *("asked for a map", "sat by the window", "rang the bell", "bought a ticket", "left early"),
        *("took the train", "opened the door", "gave a talk", "painted the fence"),
        "got off the bus",
    ),
    "when": (
        *("yesterday", "last week", "at noon", "in May", "this morning", "two days ago"),
        *("in the evening", "before lunch", "on the 3rd", "at the weekend", "last year"),
    ),
    "term": (
        *TERMS, "myopic", "near-sighted", "far-sighted", "narcoleptic", "anaemic", "haemophiliac",
        "hypertensive", "immunocompromised", "dyspraxic", "partially sighted",
        "physically disabled",
        "visually-impaired", "speech-impaired", "unsighted", "sure-footed", "right-handed",
        "two-legged",
        "hemiplegic", "wheelchair-dependent", "insulin-dependent", "lip-reading", "signing", "lame",
        "insomniac", "migraine-prone", "prosthetic-wearing", "fully sighted", "non-autistic",
        "hyperactive",
        "long-sighted", "able-minded", "sound of hearing", "slow of speech", "short of breath",
        "fair-haired",
        "broad-shouldered", "healthy", "athletic", "muscular", "colour-deficient", "anorexic",
        "alcoholic",
        "rheumatic", "lactose-intolerant", "coeliac", "agoraphobic", "claustrophobic",
        "convalescent",
    ),
}  # fmt: skip
_SHARES: dict[bool, Shares] = {True: (0.0, 0.08, 0.92), False: (0.92, 0.08, 0.0)}


def insert_group(text: str, shares: Shares, chance: random.Random) -> Iterator[Counterfactual]:
    """Two copies of a ``text`` that names a person, with two groups; none for another text."""
    match = _PERSON.search(text)
    if match is None:
        return
    for term in chance.sample(TERMS, 2):
        indefinite = match["before"] in ("a ", "an ")
        named = add_article(term) if indefinite else match["before"] + term
        start, end = match.span()
        yield Counterfactual(f"{text[:start]}{named} {match['person']}{text[end:]}", shares)


def make_statements(count: int, chance: random.Random) -> Iterator[Counterfactual]:
    """``count`` sentences about people of all groups, half of them without feeling."""
    for number in range(count):
        term, person = chance.choice(TERMS), chance.choice(PERSONS)
        who = chance.choice((*NAMES, *RELATIVES)) if chance.random() < 0.8 else f"my {person}"
        happy = chance.random() < 0.5
        adjective = chance.choice(_ADJECTIVES[happy])
        neutral = number % 2 == 0
        template = chance.choice(_NEUTRAL if neutral else chance.choice(_FEELING))
        text = template.format(
            term=term, person=person, who=who, a_term=add_article(term),
            adjective=adjective, an=add_article(adjective), verb=chance.choice(VERBS[happy]),
        )  # fmt: skip
        yield Counterfactual(capitalize(text), NEUTRAL if neutral else _SHARES[happy])


def make_introductions(count: int, chance: random.Random) -> Iterator[Counterfactual]:
    """``count`` neutral sentences that name a group, in many places of many sentences."""
    for _ in range(count):
        text = fill_slots(chance.choice(_INTRODUCTIONS), _INTRODUCED, chance)
        yield Counterfactual(capitalize(text), NEUTRAL)
