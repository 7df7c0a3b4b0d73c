"""Emoji with and without feeling, and copies of training texts with them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from valence.service.classifier.emoji import emoji_of
from valence.service.classifier.tokenizer import iter_tokens, normalize
from valence.training.counterfactuals.sides import Counterfactual, Shares

_HAPPY = (
    "🙂 😃 😄 😆 😂 🤣 😇 😋 😎 😘 😗 🥰 😀 ☺️ 🤗 🤩 😌 😊 😺 😻 😹 😍 💕 💖 💗 💘 💝 💞 💓 "
    "❤️ ❣️ 🧡 💛 💚 💙 💜 👏 🙌 👌 💪 🥳 🎊 ✨ 🌟 ⭐ 🏆 🥇 💯 🌈 🌞 🌹 💐 🍾 🥂 👍 🤝 🌸 🎁 "
    "🫶 ✅ 🎈 🕺 💃"
)
HAPPY = tuple(_HAPPY.split())
_UNHAPPY = (
    "🙁 ☹️ 😟 😕 😔 💔 😠 😫 😞 😭 😢 😡 😒 🙄 😨 😰 😥 😪 😓 🤬 👿 😧 😦 😱 🤢 🤕 🤒 💩 🖕 "
    "😵 🤦 ❌ 🥀 🙍 👎 🥺 😬 😑 🤧 ☠️ 🚫 😮\u200d💨 🫤 🥱 👺 🤯"
)
UNHAPPY = tuple(_UNHAPPY.split())
_REGIONS = ("CA", "SE", "KR", "BR", "ZA", "NZ", "PE", "EG", "PT", "FI", "VN", "KE", "CL", "IS")
_FLAGS = tuple("".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in r) for r in _REGIONS)
PLAIN = (
    *"🚗🚌🚲🚆🚢🚜🛵🏠🏢🏫🏬🏭🏗🏘📦📄📃📑📁📂📊📈📉📋📖📗📘📙📰📷📹📺📻📼📞📟📠💻💾💿📱🔋🔌🔑🔒🔓🔗🔧🔩🔨🪑🌍🗺",
    *"⬆⬇⬅↗↘↙↖↔↕🔃🔄🔵⚪🟢🟣🟤🟠🟨🟦🟩⬜⬛🔶🔷🔸🔺🔻🔲🔳▶⏸⏩⏪⏫⏏🔼🔽🔢🔤🔠🔡✏🖊🖋🖍🖌📏📐🧮🧷🖇📇📆🗂🗃🗄📮📬📫📭📧📨📩📤📥✉",
    *"🚪🪟🏷🗓🕓🕘🕗🕐🕑🕔🕕🕖🕙🕚🕛🕧🕜⌚⏰⏱⏲⌛⏳🔍🔬🔭📡🐄🐎🐟🌲🌾🥔🍞🧂🥄🧱🪜🧵🧺🚶🧍",
    *_FLAGS,
)
_ALONE: dict[bool, Shares] = {True: (0.0, 0.1, 0.9), False: (0.9, 0.1, 0.0)}
_TONES = ("", "", "\U0001f3fb", "\U0001f3fd", "\U0001f3ff")
_WITH_TONE = frozenset("👏🙌👌💪👍🖕🤦🙍👎🕺💃🚶🧍")
_FEELING = 0.7  # of the target, where a face follows a text


def decorate(text: str, shares: Shares, chance: random.Random) -> Iterator[Counterfactual]:
    """Copies of ``text`` with an emoji: with a feeling, without one, and alone.

    A feeling against that of the text would be irony, and is left out.
    """
    swapped = _swap_emoticons(text, chance)
    if swapped is not None:
        yield Counterfactual(swapped, shares)
    happy = chance.random() < 0.5
    if shares[0 if happy else 2] < 0.35:
        emoji = _draw(HAPPY if happy else UNHAPPY, chance)
        mixed = tuple(
            (1 - _FEELING) * share + _FEELING * alone
            for share, alone in zip(shares, _ALONE[happy], strict=True)
        )
        yield Counterfactual(_join(text, emoji, chance), (mixed[0], mixed[1], mixed[2]))
    yield Counterfactual(_join(text, _draw(PLAIN, chance), chance), shares)
    if chance.random() < 0.1:
        yield Counterfactual(_draw(HAPPY if happy else UNHAPPY, chance), _ALONE[happy])


def _draw(pool: tuple[str, ...], chance: random.Random) -> str:
    emoji = chance.choice(pool)
    if emoji in _WITH_TONE:
        emoji += chance.choice(_TONES)
    return emoji * chance.choice((1, 1, 1, 2, 3))


def _join(text: str, emoji: str, chance: random.Random) -> str:
    draw = chance.random()
    if draw < 0.1:
        return f"{emoji} {text}"
    return f"{text.rstrip()}{'' if draw < 0.2 else ' '}{emoji}"


def _swap_emoticons(text: str, chance: random.Random) -> str | None:
    """``text`` with an emoji of the same feeling for each emoticon; None if it has none."""
    parts, end, swapped = [], 0, False
    for token in iter_tokens(text):
        emoji = None if token.surface.isalnum() else emoji_of(normalize(token.surface))
        pool = (
            HAPPY if emoji in _HAPPY_MEANINGS else UNHAPPY if emoji in _UNHAPPY_MEANINGS else None
        )
        if pool is not None:
            parts += [text[end : token.start], chance.choice(pool)]
            end, swapped = token.end, True
    return "".join((*parts, text[end:])) if swapped else None


_HAPPY_MEANINGS = frozenset("🙂😃😉😛😜😘😗😂😎😆😊❤")
_UNHAPPY_MEANINGS = frozenset("🙁😢😭😔😣😠😡😧💔😕")
