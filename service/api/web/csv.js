"use strict";
// Tables of separated values, read and written as RFC 4180 has them.

// The rows of a text as lists of cells. The separator is the one of , ; and tab that the first row has most of.
function readCsv(content) {
  const text = content.replace(/^\ufeff/, "");
  const head = text.slice(0, text.search(/[\r\n]|$/));
  const count = (mark) => head.split(mark).length;
  const separator = [",", ";", "\t"].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
  const rows = [];
  let row = [], cell = "", quoted = false;
  const endCell = () => { row.push(cell); cell = ""; };
  const endRow = () => {
    endCell();
    // a line without anything is no row
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (text[at + 1] === '"') { cell += '"'; at++; }
      else quoted = false;
    } else if (sign === '"' && cell === "") quoted = true;
    else if (sign === separator) endCell();
    else if (sign === "\n") endRow();
    else if (sign !== "\r" || text[at + 1] !== "\n") cell += sign;
  }
  if (quoted) throw new Error("The file ends within quotation marks. Save it as CSV anew.");
  if (cell !== "" || row.length) endRow();
  return rows;
}

function writeCsv(rows) {
  const quote = (cell) => (/[",\r\n]/.test(cell) || cell !== cell.trim() ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((row) => `${row.map((cell) => quote(String(cell))).join(",")}\r\n`).join("");
}
