"""What mkdocs cannot say in mkdocs.yml: pages from elsewhere, and links that lead there.

* Pages at the root of the repository (README.md and so on) become pages of the site.
* Each module of ``extra.modules`` gets a page that mkdocstrings fills from its docstrings.
* Links stay those that work in the repository. A link to a file that the site lacks, such as
  source code, becomes plain text.

The names of functions are those of mkdocs' events.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
# pages of the site by their path in the repository
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
# as in setup.py: the folder of each package
FOLDERS = {
    "valence": "service/python",
    "valence.service": "service",
    "valence.training": "training",
}
MODULES = ROOT / "build" / "modules"
PYTHON = "reference/python"
_LINK = re.compile(r"\[(?P<text>(?:`[^`]*`|[^]`[])*)\]\((?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")
# Sphinx' roles in docstrings, as they come out of Markdown
_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):(?=<code>)")


def on_startup(**_: object) -> None:
    """Link the packages under their installed names, for griffe to read without an import."""
    shutil.rmtree(MODULES, ignore_errors=True)
    for name, folder in FOLDERS.items():
        package = MODULES / name.replace(".", "/")
        package.mkdir(parents=True, exist_ok=True)
        for entry in (ROOT / folder).iterdir():
            if entry.name != "__pycache__":
                (package / entry.name).symlink_to(entry)


def on_config(config: MkDocsConfig) -> None:
    """Put pages in the place of folders in the navigation."""
    config.nav = _expanded(config.nav, Path(config.docs_dir), config.extra["modules"])


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages that are not in the folder of documents."""
    for path, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    for module in config.extra["modules"]:
        content = f"# `{module}`\n\n::: {module}\n    options:\n      show_root_toc_entry: false\n"
        files.append(File.generated(config, _page_of(module), content=content))


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Point the links of ``markdown`` to pages of the site."""
    here = page.file.src_uri
    source = next((path for path, name in PAGES.items() if name == here), f"docs/{here}")

    def replaced(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match["path"]))
        target = PAGES.get(path) or path.removeprefix("docs/")
        if files.get_file_from_path(target) is None:
            # mkdocs warns of a link to what does not exist at all
            return match["text"] if (ROOT / path).exists() else match[0]
        link = posixpath.relpath(target, posixpath.dirname(here) or ".")
        return f"[{match['text']}]({link}{match['anchor'] or ''})"

    return _LINK.sub(replaced, markdown)


def on_page_content(html: str, **_: object) -> str:
    """Take the names of Sphinx' roles out of docstrings."""
    return _ROLE.sub("", html)


def _page_of(module: str) -> str:
    return f"{PYTHON}/{module}.md"


def _expanded(entry: Any, docs: Path, modules: list[str]) -> Any:
    """``entry`` of the navigation, a list of pages in the place of each folder."""
    if isinstance(entry, list):
        return [_expanded(one, docs, modules) for one in entry]
    if isinstance(entry, dict):
        return {title: _expanded(content, docs, modules) for title, content in entry.items()}
    if not entry.endswith("/"):
        return entry
    if entry == f"{PYTHON}/":
        return [_page_of(module) for module in modules]
    pages = sorted((docs / entry).glob("*.md"), key=lambda path: (path.stem != "README", path.name))
    beside = (docs / entry).with_suffix(".md")
    found = [beside, *pages] if beside.exists() else pages
    return [path.relative_to(docs).as_posix() for path in found]
