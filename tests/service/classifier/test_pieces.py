from hypothesis import example, given
from hypothesis import strategies as st
from valence.service.classifier import tokenizer
from valence.service.classifier.vocabulary import UNKNOWN_ID, Vocabulary

WORDS = ("<unk>", "<user>", "<number>", "good", "do", "n't", "it", "'s", ".", "!!", ":)")
# characters that the patterns distinguish, and every kind of white space
TELLING = st.text(
    alphabet=st.sampled_from(
        "aAnt'\u2019 \t\n\x1c\x85\xa0\u2028:;)(-_=8xD</3^.oO@#w.htps:/1,e\u0301\ufe0f\U0001f600"
        '\U0001f1e6!?"我ー\u3099กั\u0e33ក\u17d2မب\u200c'
    ),
    max_size=40,
)


@given(st.one_of(TELLING, st.text(max_size=40)))
@example("don't :) \u00a0 it's 3.5\u2028")
def test_tokens_never_span_white_space(text: str) -> None:
    assert tokenizer.find_surfaces(text) == [
        surface for piece in text.split() for surface in tokenizer.find_surfaces(piece)
    ]


@given(st.one_of(TELLING, st.text(max_size=40)))
def test_encoding_equals_looking_up_each_token(text: str) -> None:
    """A second encoding, from the cache, gives the same."""
    vocabulary = Vocabulary(WORDS)
    expected = [vocabulary.id(surface) for surface in tokenizer.find_surfaces(text)]
    for _ in range(2):
        ids, _, total = vocabulary.encode(text)
        assert ids.tolist() == expected
        assert total == len(expected)


@given(st.one_of(TELLING, st.text(max_size=40)))
@example("godo don't :) gooodd wood")
def test_correction_of_misspellings_changes_only_unknown_words(text: str) -> None:
    exact = Vocabulary(WORDS).encode(text)
    read = Vocabulary(WORDS, misspelled="nearest").encode(text)
    assert read.known.tolist() == exact.known.tolist() == (exact.ids > UNKNOWN_ID).tolist()
    assert read.ids[read.known].tolist() == exact.ids[exact.known].tolist()
    assert read.tokens == exact.tokens


def test_phrases_without_spaces_are_never_cached() -> None:
    """Their known letters may form a name."""
    vocabulary = Vocabulary((*WORDS, "张", "三"))
    assert vocabulary.encode("张三 张 good").known.all()
    assert set(vocabulary._pieces) == {"张", "good"}
    assert not vocabulary._pieces.by_hash


@given(TELLING)
def test_steps_find_the_same_words_for_a_long_piece(text: str) -> None:
    vocabulary = Vocabulary((*WORDS, "我", "ー"))
    for long_text in (text, text * 5):
        steps = vocabulary.encode_in_steps(long_text, max_tokens=20)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found = end.value
                break
        whole = vocabulary.encode(long_text, max_tokens=20)
        assert found.ids.tolist() == whole.ids.tolist()
        assert found.tokens == whole.tokens


def test_only_spellings_of_known_words_are_cached() -> None:
    vocabulary = Vocabulary(WORDS, misspelled="nearest")
    ids, _, _ = vocabulary.encode("GOOD don't good godo secret123 @someone 555-1234 :)" + "!" * 100)
    assert UNKNOWN_ID in ids
    assert set(vocabulary._pieces) == {"GOOD", "don't", "good"}


def test_numbers_are_never_cached() -> None:
    """Not even a number that consists of known ones."""
    vocabulary = Vocabulary((*WORDS, "555", "1234", "-"))
    known = vocabulary.encode("good 555-1234 1234").known
    assert known.all()
    assert set(vocabulary._pieces) == {"good"}
    assert not vocabulary._pieces.by_hash


def test_the_size_of_the_cache_is_bounded() -> None:
    vocabulary = Vocabulary(("<unk>", "good"))
    vocabulary.encode(
        " ".join("good" * (count % 2) + "g" + "o" * count + "d" for count in range(99))
    )
    assert len(vocabulary._pieces) <= 4 * len(vocabulary)
