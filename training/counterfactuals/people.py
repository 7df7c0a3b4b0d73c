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
