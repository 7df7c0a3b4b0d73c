"""``python -m tests.docs.settings_table``: write the table of settings from their descriptions."""

from __future__ import annotations

from pathlib import Path

from valence.service.settings import PREFIX, Settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
_START, _END = "<!-- settings -->\n", "<!-- /settings -->"


def table() -> str:
    """A row for each setting: its variable, its default and its description."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default == () else str(field.default).lower()
        shown = f"`{default}`" if default else ""
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


def written(page: str) -> str:
    """The text ``page`` with the table between its two marks."""
    before, _, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    return f"{before}{_START}\n{table()}\n\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
