from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
from valence.training.char_lm import heatmap
from valence.training.char_lm.interpretable_units import InterpretableUnit


def test_the_page_holds_coloured_text_and_loads_nothing(tmp_path: Path) -> None:
    text = 'a <b> & "c"'
    values = np.linspace(-1, 1, len(text), dtype=np.float32)
    page = tmp_path / "cells" / "page.html"
    heatmap.write_heatmap(
        page,
        name="toy",
        units=[
            (
                InterpretableUnit("digit", 2, 5, 0.4, 0.31, auc=0.777),
                heatmap.split_spans(text, values),
            )
        ],
    )
    content = page.read_text(encoding="utf-8")
    (body,) = re.findall(r"<pre>(.*)</pre>", content, flags=re.DOTALL)
    assert unescape(re.sub(r"<[^>]*>", "", body)) == text
    assert "digit: layer 2, unit 5" in content
    assert "Correlation 0.31, AUC 0.777 on" in content
    assert "--a:1.0" in body
    assert not re.search(r"https?:|<script|<link|@import", content)


def test_adjacent_characters_of_one_colour_share_an_element(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    values = np.full(100, 0.5, dtype=np.float32)
    heatmap.write_heatmap(
        page,
        name="toy",
        units=[(InterpretableUnit("x", 1, 0, 1, 1), heatmap.split_spans("a" * 100, values))],
    )
    assert page.read_text(encoding="utf-8").count("<span") == 1
    assert "Correlation 1.00 on" in page.read_text(encoding="utf-8")
