"""The tables of the check, and their place on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.trials.gpu.measurements import MOST_DIFFERENCE, Row, agrees

PAGE = Path(__file__).parents[3] / "docs" / "measured" / "gpu.md"
_START, _END = "<!-- measured -->\n", "<!-- end -->"
_NAMES = {"engine": "the engine", "eager": "eager", "compiled": "compiled", "graph": "CUDA graph"}


def draw(found: Mapping[str, Sequence[Row]], faults: Sequence[str], *, stand_in: bool) -> str:
    """Everything that was ``found`` by part, and the ``faults``."""
    lines = ["**The processor stands in for a GPU: no figure below is one of a GPU.**", ""]
    lines = lines if stand_in else []
    limits = found["limits"][0] if found.get("limits") else None
    if limits is not None:
        lines += [
            (
                f"Device: {limits['device']}. It reaches "
                f"{float(limits['operations_per_second']) / 1e12:,.3g} TFLOP/s in a large product "
                f"and {float(limits['bytes_per_second']) / 1e9:,.3g} GB/s in a large copy."
            ),
            "",
        ]
    for row in found.get("agreement", ()):
        word = "agrees" if agrees(row) else "DOES NOT AGREE"
        lines += [
            (
                f"The engine {word} with the reference: on {row['texts']:,} texts probabilities "
                f"differ by at most {row['difference']:.1e} (allowed {MOST_DIFFERENCE}), and "
                f"{row['same']:.2%} of the labels are the same."
            ),
            "",
        ]
    if found.get("speed"):
        lines += [*_draw_speed(found["speed"], limits), ""]
    for row in found.get("training", ()):
        share = float(row["trainer"]) / float(row["cudnn"])
        lines += [
            (
                f"Training: {row['trainer']:,.0f} tokens/s. The bidirectional LSTM of torch alone, "
                f"which is cuDNN's on a GPU, forward and backward: {row['cudnn']:,.0f} tokens/s. "
                f"Training reaches {share:.0%} of it."
            ),
            "",
        ]
    return "\n".join([*lines, *(f"Fault: {fault}." for fault in faults)]).strip()


def _draw_speed(rows: Sequence[Row], limits: Row | None) -> Iterator[str]:
    names = list(_NAMES.values())
    yield f"| texts of a batch | {', texts/s | '.join(names)}, texts/s | computing | memory |"
    yield "|---:|" + "---:|" * (len(names) + 2)
    for row in rows:
        cells = [_figure(row.get(name)) for name in _NAMES]
        cells += [_share(row, kind, limits) for kind in ("operations", "bytes")]
        yield f"| {row['rows']:,} | {' | '.join(cells)} |"


def _figure(value: str | float | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:,.0f}"


def _share(row: Row, kind: str, limits: Row | None) -> str:
    """The share that the engine reaches of the limit of computing, or of memory."""
    if limits is None:
        return ""
    per_second = float(row[kind]) * float(row["engine"]) / float(row["rows"])
    return f"{per_second / float(limits[f'{kind}_per_second']):.2%}"


def write(content: str, page: Path = PAGE) -> None:
    """Put ``content`` between the marks of the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(_START)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_START}\n{content}\n\n{_END}{after}", encoding="utf-8")
