from __future__ import annotations

import subprocess
import sys

import pytest

from tests.trials.bench import revision
from tests.trials.bench.__main__ import main
from tests.trials.bench.measure import Options
from tests.trials.bench.processes import BenchError


def git(*arguments):
    named = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", *named, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Create a repository of two commits whose extension is a file that the build copies."""
    monkeypatch.chdir(tmp_path)

    git("init", "--quiet")
    for content in ("old", "new"):
        (tmp_path / "source").write_text(content)
        (tmp_path / "setup.py").write_text("import shutil; shutil.copy('source', 'built')")
        git("add", ".")
        git("commit", "--quiet", "-m", content)
    return tmp_path


def test_another_revision_is_checked_out_built_and_removed(repository):
    with revision.checked_out("HEAD~1") as folder:
        assert (folder / "built").read_text() == "old"
        assert (repository / "source").read_text() == "new"
    assert not folder.exists()
    assert len(git("worktree", "list")) == 1


def test_a_revision_that_fails_to_build_names_the_reason(repository):
    """Its folder is removed."""
    (repository / "setup.py").write_text("raise SystemExit('no compiler here')")
    git("commit", "--quiet", "-a", "-m", "broken")
    with pytest.raises(BenchError, match="no compiler here"), revision.checked_out("HEAD"):
        pass
    assert len(git("worktree", "list")) == 1


def test_a_commit_is_compared_with_the_work_tree(repository):
    with revision.compared("HEAD~1") as (before, after):
        assert (before.folder / "built").read_text() == "old"
        assert after == (revision.name_of("HEAD"), repository)
        (repository / "source").write_text("newer")
    with revision.compared("HEAD~1") as (_, after):
        assert after.name.endswith(" with changes")


def test_two_commits_are_compared_without_the_work_tree(repository):
    (repository / "source").write_text("newer")
    with revision.compared("HEAD~1..HEAD") as (before, after):
        assert (before.folder / "built").read_text() == "old"
        assert (after.folder / "built").read_text() == "new"
        assert after.name == revision.name_of("HEAD")


@pytest.mark.parametrize("name", ["no-such-branch", "--all", ""])
def test_an_unknown_commit_is_refused_by_name(repository, name):
    with pytest.raises(BenchError, match="rev-parse"):
        revision.name_of(name)


def test_without_a_revision_the_error_shows_the_command():
    with pytest.raises(BenchError, match="AGAINST="):
        revision.run(Options(rounds=1, seconds=1.0))


@pytest.mark.parametrize("arguments", [["--only", "revision"], ["--against", "HEAD"]])
def test_the_part_and_its_revision_need_each_other(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tests.trials.bench", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "--only revision and --against REVISION go together" in capsys.readouterr().err
