from __future__ import annotations

import pytest
from valence.training.corpora.normal_form import normal_form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Good, film_2!! @you http://a.b", "good film 2"),
        (":-)", ":-)"),
        ("cafe\u0301 1\ufe0f\u20e3 ❤️", "café 1"),
        ("你好，世界。", "你好 世界"),
        ("น้ำดี!", "น\u0e49\u0e4dาด\u0e35"),
        ("वह कि", "वह कि"),
        ("می\u200cخواهم", "می خواهم"),
    ],
)
def test_a_normal_form_is_words_without_signs(text: str, form: str) -> None:
    assert normal_form(text) == form


@pytest.mark.parametrize(("one", "other"), [("मैं की", "मैं का"), ("มี", "มา"), ("ขอ", "ข้อ")])
def test_vowels_and_tones_tell_one_text_from_another(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)
