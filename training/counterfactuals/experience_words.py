"""The words of sentences about everyday experiences, by slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TABLES: Mapping[str, Sequence[str]] = {
    "thing": (
        *("kettle", "laptop", "jacket", "charger", "blender", "lamp", "printer", "watch", "tent"),
        *("suitcase", "toaster", "camera", "keyboard", "mattress", "router", "monitor", "bag"),
        *("heater", "tablet", "coffee machine", "drill", "razor", "umbrella", "screen", "battery"),
        *("mixer", "speaker", "zip", "dress", "chair", "washing machine", "toy", "bike", "car"),
    ),
    "dish": (
        *("salad", "pasta", "burger", "sandwich", "curry", "pizza", "steak", "tea", "risotto"),
        *("dessert", "soup", "rice", "omelette", "fish", "coffee", "bread"),
    ),
    "app": ("app", "website", "portal", "page", "programme", "plug-in", "payment page", "editor"),
    "place": (
        *("café", "museum", "gym", "clinic", "campsite", "shop", "salon", "bakery", "garage"),
        *("pool", "library", "cinema", "bar", "hostel", "pharmacy", "bank"),
    ),
    "staff": (
        *("waitress", "receptionist", "courier", "mechanic", "seller", "cashier", "agent", "owner"),
        *("lady at the desk", "man at the counter", "landlord", "technician", "manager", "nurse"),
    ),
    "owed": ("refund", "replacement", "order", "money", "parcel", "luggage", "invoice", "deposit"),
    "wait": (
        *("for two weeks", "for three hours", "since January", "for more than a month"),
        *("for an hour", "for ten days", "since noon", "all day"),
    ),
    "after": (
        *("after two days", "after a month", "within a week", "the first time I used it"),
        *("on the first day", "after one wash", "after only three weeks", "in less than a year"),
    ),
    "when": (
        *("yesterday", "last week", "this morning", "in May", "last night", "two days ago"),
        *("in the afternoon", "today", "at noon", "in the evening"),
    ),
    "city": ("Lisbon", "Leeds", "Oslo", "Madrid", "Boston", "Prague", "Lyon", "Denver", "Turin"),
    "colour": ("grey", "blue", "green", "red", "yellow", "orange"),
    "number": ("two", "three", "four", "five", "six", "12", "20", "36", "150", "320"),
    "degrees": ("five", "12", "18", "20", "25", "30", "minus two"),
    "pet": ("dog", "cat", "rabbit", "hamster", "horse"),
    "relative": ("grandmother", "sister", "uncle", "aunt", "cousin", "wife", "husband", "son"),
    "better": (
        *("better", "quicker", "cleaner", "warmer", "cheaper", "easier", "more comfortable"),
        *("fresher", "simpler", "smoother", "clearer", "friendlier"),
    ),
    "worse": (
        *("worse", "slower", "ruder", "dirtier", "colder", "more complicated", "messier"),
        "noisier",
        *("more expensive", "less helpful", "weaker", "sadder"),
    ),
    # what goes wrong
    "broke": (
        *("broke", "stopped working", "fell apart", "gave up", "died", "cracked", "ripped"),
        *("started to leak", "came apart", "bent", "snapped", "burnt out", "faded"),
    ),
    "function": ("work", "charge", "turn on", "start", "close", "connect", "fit", "open", "load"),
    "failing": (
        *("freezing", "falling off", "disconnecting", "overheating", "jamming", "crashing"),
        *("losing my data", "logging me out", "leaking", "beeping"),
    ),
    "access": (
        *("log in to my account", "open the file", "reach anyone", "download my invoice"),
        *("change my booking", "cancel my subscription", "get through to support", "pay"),
        *("reset my password", "get any sleep in here", "hear a word", "read the small print"),
    ),
    "helped": (
        *("answered", "called back", "replied to my email", "could help us", "knew anything"),
        *("told us", "cared", "apologised", "picked up"),
    ),
    "misbehaved": (
        *("ignored us", "hung up on me", "never came back", "lied to us", "refused to help"),
        *("shouted at us", "laughed at me", "forgot about us", "kept us waiting", "blamed me"),
        *("never replied", "talked to her friend the whole time"),
    ),
    "wronged": (
        *("charged me twice", "lost my luggage", "sent the wrong size", "gave away our table"),
        *("cancelled my order without a word", "closed my account"),
        "sent me somebody else's order",
        *("ran out of everything", "never replied", "kept my deposit", "made us pay extra"),
        *("forgot half of the order", "promised a lot and did nothing", "wasted my time"),
    ),
    "foreign": ("a hair", "a fly", "plastic", "a stone", "a bug", "a piece of glass", "mould"),
    "spoilt": (
        *("cold", "burnt", "undercooked", "stale", "soggy", "raw in the middle", "lukewarm"),
        *("tasteless", "far too salty", "swimming in oil", "dry"),
    ),
    "damaged": (
        *("broken", "in pieces", "with a dent", "without a charger", "two weeks late", "opened"),
        *("empty", "scratched", "with parts missing", "in the wrong colour", "far too late"),
    ),
    "costly": (
        *("way too expensive for what you get", "overpriced", "not worth the money", "a rip-off"),
        *("a waste of money", "money down the drain", "a waste of time", "not worth a penny"),
        *("cheaply made", "far too small", "too loud to sleep", "a disaster", "a nightmare"),
    ),
    "bother": ("waiting", "excuses", "their excuses", "the noise", "delays", "being ignored"),
    "spoil": (
        *("let me down", "got on my nerves", "gave me a headache", "ruined our evening"),
        *("put me to sleep", "cost me an arm and a leg", "drives me mad", "left us in the cold"),
        *("made me cry", "wore us out", "made everything worse"),
    ),
    "loss": (
        *("I failed my driving test", "I lost my wallet", "I lost my job", "I got fired"),
        *("we missed our train", "our train was cancelled", "somebody stole my bike"),
        *("I broke my leg", "I have a headache", "nobody came to my party", "she left me"),
        *("he forgot my birthday", "I can't sleep", "I feel sick", "my {pet} died"),
        *("my {relative} is in hospital again", "I am stuck at the airport", "I spilt it all"),
        *("we lost the final", "they turned me down", "I have nobody to talk to", "I miss him"),
        *("the roof is leaking", "I got a parking ticket", "my {relative} is ill"),
    ),
    # what goes well
    "lasted": (
        *("still works after three years", "works like new", "has never let me down"),
        *("lasts all day", "charges in no time", "does exactly what it should", "just works"),
        *("works as described", "fits like a glove", "does the job", "looks even better on"),
        *("saves me an hour a day", "was worth every penny", "made my life easier"),
        *("is everything I hoped for", "exceeded all my hopes", "fixed all my problems"),
    ),
    "early": (
        *("two days early", "the next day", "right on time", "sooner than I expected"),
        *("well packed", "in perfect condition"),
    ),
    "unable": (
        *("fault it", "put it down", "imagine life without it", "thank you enough", "complain"),
        *("praise it enough", "wait to go back", "wait for the next one", "stop smiling"),
        *("get enough of it", "stop wearing it", "believe how fast it is", "wait to see you"),
    ),
    "happier": ("happier", "prouder", "more grateful", "more pleased", "more satisfied"),
    "behaved": (
        *("went out of her way to help us", "went the extra mile", "answered all my questions"),
        *("remembered our names", "fixed it within minutes", "called me back the same day"),
        *("sorted it out at once", "waited for us", "made us feel at home", "could not do enough"),
        *("found my keys", "brought us extra blankets", "stayed late to help", "welcomed us"),
    ),
    "righted": (
        *("gave me my money back at once", "replaced it without a question", "kept their word"),
        *("sorted everything out within an hour", "gave us a bigger room for free"),
        *("kept me informed all the time", "fixed it for free", "resolved it within minutes"),
        *("thought of everything", "looked after us", "delivered what they promised"),
    ),
    "tasty": (
        *("melted in the mouth", "tasted like my grandmother's", "was cooked to perfection"),
        *("was full of flavour", "hit the spot", "was the best in town", "was to die for"),
    ),
    "delight": (
        *("made my day", "put a smile on my face", "blew me away", "never gets old"),
        *("took my breath away", "ticks all the boxes", "is second to none"),
        "was a breath of fresh air",
        *("was worth the wait", "made me smile", "is a dream come true", "saved my day"),
        *("brought us together", "went like clockwork", "could not have gone better"),
    ),
    "please": ("made my day", "saved my week", "are the best", "rock", "never let me down"),
    "win": (
        *("I passed my driving test", "I got the job", "she said yes", "we are having a baby"),
        *("I got promoted", "we won the final", "my {pet} is home again", "I found my keys"),
        *("the operation went well", "my {relative} is getting better", "I finished my thesis"),
        *("he remembered my birthday", "he passed with flying colours", "I am over the moon"),
        *("we had the time of our lives", "the children had a blast", "I slept like a baby"),
        *("my {relative} is back home", "it is holiday time at last", "we are getting married"),
    ),
    "thanks": (
        *("thank you for your help", "thanks a lot", "many thanks to the whole team", "well done"),
        *("congratulations on your new home", "happy birthday", "I am proud of you", "hooray"),
        *("welcome back", "you did it", "what a day to remember", "merry Christmas", "bravo"),
        *("thanks for everything", "keep it up"),
    ),
    "farewell": (
        *("would buy again", "we will be back", "I am buying a second one", "money well spent"),
        *("highly recommended", "worth every cent", "nothing to complain about", "no complaints"),
        *("cannot go wrong with it", "we are coming back next year", "already ordered another one"),
        *("never had a problem with it", "what more could you want", "two thumbs up"),
    ),
    "warning": (
        *("save your money", "do not bother", "stay away", "never again", "I won't be back"),
        *("don't waste your money", "look elsewhere", "one to avoid", "I sent it back"),
        *("I returned it the next day", "it went straight into the bin", "I gave up", "avoid"),
        *("I want a refund", "I want my money back", "not what I paid for", "do not buy it"),
        *("I wish I had read the comments first", "two thumbs down", "I deleted it"),
        "thanks for nothing",
    ),
    # what is neither
    "described": (
        *("has two buttons", "weighs two kilos", "comes in black and grey", "is made of steel"),
        *("is on the table", "needs two batteries", "was made in Portugal", "has a blue handle"),
        *("comes with a cable and a manual", "is for my brother", "is in the hall", "is new"),
        *("is 30 cm wide", "arrived {when}", "was delivered {when}", "belongs to my {relative}"),
    ),
    "task": (
        *("change my password", "log in", "return a parcel", "cancel a booking", "pay by card"),
        *("get to the station", "add a second address", "renew my passport", "print the ticket"),
        *("open an account", "export the list", "reach the {place}", "order in advance"),
    ),
    "request": (
        *("send me the invoice", "call me back", "send the report by noon", "reply by email"),
        *("turn left at the lights", "bring two copies", "put it on the shelf", "sign the form"),
        *("keep the receipt", "forward this to my {relative}", "wait in room 12", "read page ten"),
    ),
    "doing": (
        *("going to the supermarket", "on my way to work", "reading the newspaper"),
        "at the {place}",
        *("waiting for the bus", "writing to ask about my order", "looking for a used {thing}"),
        *("staying in a flat in {city}", "having {dish} for lunch", "at home today"),
        "in a meeting",
        *("waiting at the {place} with my {relative}", "calling about the {thing}", "on the train"),
    ),
    "life": (
        *("works as an accountant", "lives near {city}", "has two brothers"),
        "speaks three languages",
        *("studies in {city}", "drives a van", "takes the bus", "has an appointment {when}"),
        *("moved to {city} in 2015", "works from home", "is reading a letter", "went to {city}"),
    ),
    "located": (
        *("is next to the station", "is open at weekends", "closes at six"),
        "is on the second floor",
        *("opens at nine", "has {number} seats", "is closed in August", "is across the street"),
        *("moved to {city} in May", "has two entrances", "belongs to the city"),
    ),
    "event": ("meeting", "lecture", "match", "train", "tour", "course", "ferry", "concert",
    "class"),
    "scheduled": (
        *("starts at ten", "was moved to June", "takes two hours", "is in room 12", "ends at four"),
        *("leaves from platform four", "lasts {number} minutes", "was {when}", "is in {city}"),
    ),
    # what is absent
    "trouble": (
        *("problem", "trouble", "issue", "fault", "delay", "hassle", "mistake", "worry", "fuss"),
        *("error", "drama", "bug", "flaw", "argument", "stain", "scratch", "crash"),
    ),
    "joy": (
        *("joy", "help", "smile", "comfort", "flavour", "charm", "respect", "warmth", "progress"),
        *("sense", "reason to stay", "thought for guests", "warm word"),
    ),
    "praise": ("praise", "compliments", "thanks", "applause", "happy faces", "joy", "love"),
    "praised": ("sturdy", "quick", "clean", "clear", "warm", "safe", "smart", "fresh", "helpful"),
    "blamed": ("hard", "slow", "cold", "dear", "loud", "painful", "dirty", "heavy", "scary"),
    "feared": ("I feared", "they say", "people think", "I was told", "it looks", "I had thought"),
    "hoped": ("I hoped", "they say", "it was promised", "advertised", "I was told", "it looks"),
}  # fmt: skip
