"""Writers of tables in many formats, dialects, encodings and compressions."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape

import pyarrow
from pyarrow import parquet

Records = Sequence[dict[str, str]]


def pack_zip(content: bytes, name: str = "table.csv") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        # without the time, so that equal contents give equal bytes
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda content: content,
    ".gz": lambda content: gzip.compress(content, 1, mtime=0),
    ".bz2": lambda content: bz2.compress(content, 1),
    ".xz": lambda content: lzma.compress(content, preset=0),
    ".zst": lambda content: pyarrow.compress(content, codec="zstd", asbytes=True),
    ".zip": pack_zip,
}


def write_csv(columns: Sequence[str], records: Records, **dialect: Any) -> str:
    text = io.StringIO(newline="")
    # in any Python, so that a carriage return in a text is in quotes
    end = dialect.pop("lineterminator", "\n")
    writer = csv.writer(text, lineterminator="\r\n", **dialect)
    lines = []
    for row in (columns, *([record[name] for name in columns] for record in records)):
        writer.writerow(row)
        lines.append(text.getvalue().removesuffix("\r\n") + end)
        text.seek(0)
        text.truncate()
    return "".join(lines)


def write_workbook(*sheets: Sequence[Sequence[str | float | None]]) -> bytes:
    """An Excel workbook whose sheets have these rows; the texts are in their cells."""
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    packages = "http://schemas.openxmlformats.org/package/2006"
    head = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        numbers = range(1, len(sheets) + 1)
        parts = "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{head}.worksheet+xml"/>'
            for n in numbers
        )
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{packages}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{head}.sheet.main+xml"/>'
            f"{parts}</Types>",
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{packages}/relationships"><Relationship Id="rId1" '
            f'Type="{kinds}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{packages}/relationships">'
            + "".join(
                f'<Relationship Id="rId{n}" Type="{kinds}/worksheet" '
                f'Target="worksheets/sheet{n}.xml"/>'
                for n in numbers
            )
            + "</Relationships>",
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{kinds}"><sheets>'
            + "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
            + "</sheets></workbook>",
        )
        for number, rows in zip(numbers, sheets, strict=True):
            cells = "".join(
                f'<row r="{place}">{"".join(map(_encode_cell, row))}</row>'
                for place, row in enumerate(rows, 1)
            )
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                # files have wrong dimensions
                f'<worksheet xmlns="{main}"><dimension ref="A1:A2"/><sheetData>{cells}'
                "</sheetData></worksheet>",
            )
    return packed.getvalue()


def _encode_cell(value: str | float | None) -> str:
    if value is None:
        return "<c/>"
    if not isinstance(value, str):
        return f"<c><v>{value}</v></c>"
    text = escape(value).replace("\r", "_x000D_")
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def write_parquet(columns: Sequence[str], records: Records) -> bytes:
    content = io.BytesIO()
    values = {
        name: pyarrow.array([record[name] for record in records], pyarrow.string())
        for name in columns
    }
    parquet.write_table(pyarrow.table(values), content)
    return content.getvalue()


def write_json(records: Records, layout: str, *, ascii_only: bool) -> str:
    """``layout`` is "lines", "array" (on one line), "pretty" array, or "objects" over lines."""
    if layout == "array":
        return json.dumps(list(records), ensure_ascii=ascii_only)
    if layout == "pretty":
        return json.dumps(list(records), ensure_ascii=ascii_only, indent=2) + "\n"
    indent = 1 if layout == "objects" else None
    return "".join(
        json.dumps(record, ensure_ascii=ascii_only, indent=indent) + "\n" for record in records
    )
