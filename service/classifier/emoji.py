"""Emoji and emoticons as words: the other spellings under which a vocabulary may have them.

One emoji has many spellings: with each of five skin tones, and with or without the selector of its
coloured form. A vocabulary has one of them (:func:`normalize_emoji`). An emoticon has a plain
spelling, and an emoji of the same meaning: ":-))" is ":)" and "🙂".
"""

from __future__ import annotations

import re

_JOINER = "\u200d"
_GENDERS = ("\u2640", "\u2642")
# after another character; a skin tone alone is an emoji of its own
_TONES_AND_SELECTORS = re.compile(r"(?<!\A)[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")
_TAGS = re.compile(r"[\U000e0020-\U000e007f]+")

# plain emoticons: in lower case, eyes on the left, no nose, one mouth
_EMOTICONS = {
    "🙂": ":) :] :}",
    "😃": ":d",
    "😉": ";) ;] ;} ;d",
    "😛": ":p",
    "😜": ";p",
    "😘": ":* ;*",
    "😗": ":3",
    "😂": ":') :'] :'d",
    "😆": "xd",
    "😊": "^^ ^.^ ^-^ ^_^",
    "❤": "<3",
    "🙁": ":( :[ :{ ;( ;[ ;{",
    "😢": ":'( :'[ :'{ :'/",
    "😭": "t_t ;_;",
    "😔": "u_u",
    "😣": ">.< >-< >_<",
    "😠": ">:[ >:{ >:/ >:| >:@",
    "😡": ":@",
    "😧": "d:",
    "😵": "x_x",
    "💔": "</3",
    "😕": ":/ :\\ ;/ ;\\",
    "😐": ":| ;|",
    "😑": "-.- -_-",
    "😮": ":o ;o",
    "😳": ":$ ;$ o.o o_o",
}
_EMOJI_OF = {emoticon: emoji for emoji, line in _EMOTICONS.items() for emoticon in line.split()}
_MAX_EMOTICON = 8  # characters; a longer word is not tried
_REPEATED = re.compile(r"([^\w:;']|_)\1+|(?<=3)3+")
_NOSE = re.compile(r"(?<=[:;x'])[-o^*](?=.)")
_MIRRORED = str.maketrans(")(][", "()[]")


def normalize_emoji(word: str) -> str:
    """``word`` without the skin tones and the selectors of coloured or plain forms."""
    return _TONES_AND_SELECTORS.sub("", word)


def normalize_emoticon(word: str) -> str | None:
    """The plain spelling of a normalized emoticon; None for another word."""
    if word in _EMOJI_OF:
        return word
    if not 2 <= len(word) <= _MAX_EMOTICON:
        return None
    face = word.replace("=", ":")
    mirrored = "" if face[0] == "d" else face[::-1].translate(_MIRRORED)
    for spelling in (face, mirrored):
        plain = _REPEATED.sub(r"\1", _NOSE.sub("", spelling))
        if plain in _EMOJI_OF:
            return plain
    return None


def emoji_of(emoticon: str) -> str | None:
    """The emoji that means the same as a normalized emoticon; None for another word."""
    plain = normalize_emoticon(emoticon)
    return None if plain is None else _EMOJI_OF[plain]


def emoji_spellings(word: str) -> tuple[str, ...]:
    """The spellings to look up, in order, for a normalized ``word`` outside the vocabulary.

    Of an emoticon they are its plain spelling and its emoji. Of an emoji they are the same emoji
    without skin tone and selector; for a sequence also without its gender and its tags, and then
    its parts, the first part first. Another word has none.
    """
    if word.isalnum() and word not in _EMOJI_OF:
        return ()
    plain = normalize_emoticon(word)
    if plain is not None:
        candidates = [plain, _EMOJI_OF[plain]]
    elif word.isascii():
        return ()
    else:
        emoji = normalize_emoji(word)
        candidates = [emoji, _TAGS.sub("", emoji)]
        if _JOINER in emoji:
            parts = emoji.split(_JOINER)
            candidates += [_JOINER.join(part for part in parts if part not in _GENDERS), *parts]
    return tuple(dict.fromkeys(other for other in candidates if other not in ("", word)))
