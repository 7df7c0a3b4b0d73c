"""A wrong argument is one line that names the value, the nearest option and the help."""

from __future__ import annotations

import pytest
from valence.service.keys import __main__ as keys
from valence.service.score import __main__ as score

FILES = ("in.csv", "out.csv")


@pytest.mark.parametrize(
    ("main", "given", "told"),
    [
        (
            score.main,
            (*FILES, "--txt-column", "x"),
            "no such option: --txt-column; did you mean --text-column? see `valence score --help`",
        ),
        (
            score.main,
            (*FILES, "--tex=x"),
            "no such option: --tex=x; did you mean --text-column? see `valence score --help`",
        ),
        (
            score.main,
            (*FILES, "third.csv"),
            "an argument too many: third.csv; see `valence score --help`",
        ),
        (
            score.main,
            (*FILES, "--top-k", "-1"),
            "--top-k: '-1' is not a whole number of labels from 1 on; see `valence score --help`",
        ),
        (
            score.main,
            (*FILES, "--quoting", "singel"),
            "--quoting: invalid choice: 'singel' (choose from",
        ),
        (
            score.main,
            (*FILES, "--model"),
            "--model: expected one argument; see `valence score --help`",
        ),
        (
            score.main,
            FILES[:1],
            "the following arguments are required: OUT; see `valence score --help`",
        ),
        (
            keys.main,
            ("new", "a", "--scopes", "score"),
            "no such option: --scopes; did you mean --scope? see `valence keys new --help`",
        ),
        (keys.main, ("nwe", "a"), "COMMAND: invalid choice: 'nwe' (choose from"),
        (keys.main, ("new", "a b"), "name: 'a b' is"),
    ],
)
def test_a_wrong_argument_is_one_line_and_code_2(capsys, main, given, told):
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    out, said = capsys.readouterr()
    assert out == ""
    assert said.startswith(f"error: {told}")
    assert said.endswith("--help`\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(("main", "given"), [(score.main, ()), (keys.main, ("new",))])
def test_the_help_has_code_0(capsys, main, given):
    with pytest.raises(SystemExit) as ended:
        main((*given, "--help"))
    assert ended.value.code == 0
    assert "usage: valence" in capsys.readouterr().out
