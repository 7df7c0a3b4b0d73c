"""The words that fill templates. Every combination must be a sentence that people would say."""

from __future__ import annotations

THINGS = (
    *("film", "hotel", "service", "food", "book", "phone"),
    *("flight", "show", "game", "restaurant", "album", "trip"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")

GOOD = (
    *("good", "great", "excellent", "wonderful", "amazing"),
    *("fantastic", "lovely", "brilliant", "enjoyable", "impressive"),
)
BAD = (
    *("bad", "terrible", "awful", "horrible", "disappointing"),
    *("dreadful", "lousy", "boring", "annoying", "poor"),
)
PLAIN = ("American", "Italian", "Japanese", "local", "international")
LIKE = ("adore", "treasure", "enjoy", "recommend", "appreciate", "admire")
DISLIKE = ("loathe", "abhor", "regret", "despise", "detest")

# gradable adjectives: "slightly excellent" is not said
RATHER_GOOD = ("good", "nice", "pleasant", "enjoyable", "interesting", "impressive", "charming")
RATHER_BAD = (
    *("bad", "boring", "disappointing", "annoying"),
    *("unpleasant", "frustrating", "ugly"),
)
INTENSIFIERS = ("very", "really", "extremely", "incredibly", "exceptionally", "truly", "so")
DOWNTONERS = ("slightly", "somewhat", "mildly", "moderately", "kind of", "sort of")

HAPPY_EMOJI = ("😚", "😸", "😽", "🤟", "🎉", "💟", "😁", "😙")
UNHAPPY_EMOJI = ("😾", "😖", "🙎", "😿", "😣", "😩", "🤮", "😤")
HAPPY_EMOTICONS = (":)", ":-)", ":D", "=)", "<3", ";)")
UNHAPPY_EMOTICONS = (":(", ":-(", ":'(", "=(", ":/", "</3")
