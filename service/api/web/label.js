"use strict";
// Labels for the rows of a table. The rows are in this page alone, until the user saves them as a file.

const SEPARATOR = "|";
// so many labels have a key of their own
const KEYS = "1234567890";
const MANY = 12;
const state = { cards: [], header: [], rows: [], place: 0, labels: [], several: false, unsaved: false, name: "" };

const card = () => state.cards.find((one) => one.name === $("model").value);
const column = (name) => state.header.indexOf(name);
const cell = (row, name) => (column(name) < 0 ? "" : row.cells[column(name)] ?? "");
const split = (value) => value.split(SEPARATOR).map((part) => part.trim()).filter(Boolean);
const current = () => state.rows[state.place];

async function start() {
  try {
    state.cards = (await call("v1/models")).models;
  } catch (error) {
    // a file can be labelled with the labels that it has
    state.cards = [];
    if ($("key-field").hidden) showProblem(error);
  }
  const chosen = $("model").value;
  $("model").replaceChildren(...state.cards.map(({ name }) => element("option", { value: name }, name)), element("option", { value: "" }, "the file alone"));
  if (state.cards.some(({ name }) => name === chosen)) $("model").value = chosen;
  $("sample-card").hidden = !state.cards.some(({ sampling }) => sampling);
}

function openTable(header, lists, name) {
  if (!header.includes("text")) throw new Error(`The file has no column "text"; its columns are ${header.join(", ").slice(0, 200)}.`);
  const extended = header.includes("label") ? header : [...header, "label"];
  Object.assign(state, { header: extended, name, place: 0, unsaved: false });
  state.rows = lists.map((cells) => {
    const row = { cells: extended.map((_, index) => cells[index] ?? ""), labels: [], done: false };
    row.labels = split(cell(row, "label"));
    row.done = row.labels.length > 0;
    return row;
  });
  state.rows = state.rows.filter((row) => cell(row, "text").trim());
  if (!state.rows.length) throw new Error("The file has no text.");
  const known = card()?.labels ?? [];
  const found = new Set(state.rows.flatMap((row) => [...row.labels, ...split(cell(row, "predicted"))]));
  for (const label of known) found.delete(label);
  state.labels = [...known, ...[...found].sort()];
  state.several = card() ? card().task === "multi_label" : state.rows.some((row) => row.labels.length > 1);
  if (state.labels.length < 2) throw new Error("Fewer than two labels are known. Choose a model above, or give some rows of the file a label.");
  showProblem(null);
  $("start").hidden = true;
  $("work").hidden = false;
  const first = state.rows.findIndex((row) => !row.done);
  show(first < 0 ? 0 : first);
}

function show(place) {
  state.place = Math.min(Math.max(place, 0), state.rows.length - 1);
  const row = current();
  $("text").textContent = cell(row, "text");
  $("text").scrollTop = 0;
  const predicted = split(cell(row, "predicted"));
  const score = Number(cell(row, "score"));
  const told = predicted.length ? [`The model says ${predicted.join(", ")}${score ? `, ${percent(score)} sure` : ""}.`] : [];
  if (cell(row, "reason") === "drifting") told.push("Texts of this kind are new.");
  $("told").textContent = told.join(" ");
  $("find").value = "";
  $("find-field").hidden = state.labels.length <= MANY;
  drawLabels();
  $("accept").hidden = !state.several && !predicted.some((label) => state.labels.includes(label));
  $("accept").firstChild.textContent = state.several ? "Next " : "As predicted ";
  $("back").disabled = state.place === 0;
  drawProgress();
}

function listed() {
  const wanted = $("find").value.trim().toLowerCase();
  const predicted = split(cell(current(), "predicted"));
  const found = state.labels.filter((label) => label.toLowerCase().includes(wanted));
  // few labels keep their place and their key; of many the predicted ones come first
  return state.labels.length <= MANY ? found : [...found.filter((label) => predicted.includes(label)), ...found.filter((label) => !predicted.includes(label))];
}

function drawLabels() {
  const predicted = split(cell(current(), "predicted"));
  $("labels").replaceChildren(
    ...listed().map((label, index) => {
      const button = element("button", { type: "button", className: predicted.includes(label) ? "predicted" : "" });
      if (index < KEYS.length) button.append(element("kbd", {}, KEYS[index]));
      button.append(element("span", {}, label));
      button.setAttribute("aria-pressed", current().labels.includes(label));
      button.addEventListener("click", () => choose(label));
      return button;
    }),
  );
}

function drawProgress() {
  const done = state.rows.filter((row) => row.done).length;
  $("status").textContent = `Text ${(state.place + 1).toLocaleString("en")} of ${state.rows.length.toLocaleString("en")}, ${done.toLocaleString("en")} labelled.`;
  $("progress").replaceChildren(drawBar(done / state.rows.length, "good"));
  $("save").disabled = done === 0;
}

function choose(label) {
  const row = current();
  state.unsaved = true;
  if (state.several) {
    const chosen = row.labels.includes(label) ? row.labels.filter((one) => one !== label) : [...row.labels, label];
    row.labels = state.labels.filter((one) => chosen.includes(one));
    drawLabels();
    // the buttons are new ones
    [...$("labels").children].find((button) => button.lastChild.textContent === label)?.focus();
    return;
  }
  finish([label]);
}

function finish(labels) {
  Object.assign(current(), { labels, done: true });
  state.unsaved = true;
  if (state.place + 1 < state.rows.length) show(state.place + 1);
  else {
    show(state.place);
    $("status").textContent += " That was the last one.";
  }
  $("text").focus({ preventScroll: true });
}

function accept() {
  if (state.several) finish(current().labels);
  else {
    const label = split(cell(current(), "predicted")).find((one) => state.labels.includes(one));
    if (label) finish([label]);
  }
}

function save(rows, name) {
  const at = column("label");
  const table = rows.map((row) => row.cells.map((value, index) => (index === at ? row.labels.join(SEPARATOR) : value)));
  const content = new Blob([writeCsv([state.header, ...table])], { type: "text/csv" });
  const link = element("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  // the browser has begun to read it by then
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  state.unsaved = false;
  drawProgress();
  $("status").textContent += ` Saved as ${name}.`;
}

async function openFile() {
  const [file] = $("file").files;
  if (!file) return;
  try {
    const [header, ...lists] = readCsv(new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()));
    openTable((header ?? []).map((name) => name.trim()), lists, file.name);
  } catch (error) {
    showProblem(error instanceof TypeError ? new Error("The file is not UTF-8. Save it as CSV in UTF-8.") : error);
    $("file").value = "";
  }
}

async function openSample() {
  try {
    const asked = new URLSearchParams({ limit: 1000, model: card()?.name ?? "" });
    const { texts } = await call(`v1/sample?${asked}`);
    const lists = texts.map(({ text, predicted, score, reason }) => [text, "", predicted.join(SEPARATOR), score.toFixed(4), reason]);
    openTable(["text", "label", "predicted", "score", "reason"], lists, "sample.csv");
  } catch (error) {
    $("key-field").hidden = false;
    showProblem(error);
  }
}

$("file").addEventListener("change", openFile);
$("sample").addEventListener("click", openSample);
$("key").addEventListener("change", start);
// Enter changes the key, and the page stays
$("form").addEventListener("submit", (event) => event.preventDefault());
$("back").addEventListener("click", () => show(state.place - 1));
$("skip").addEventListener("click", () => show(state.place + 1));
$("accept").addEventListener("click", accept);
$("find").addEventListener("input", drawLabels);
$("save").addEventListener("click", () => save(state.rows.filter((row) => row.done), "labelled.csv"));
$("save-all").addEventListener("click", () => save(state.rows, "queue.csv"));
addEventListener("beforeunload", (event) => state.unsaved && event.preventDefault());
document.addEventListener("keydown", (event) => {
  if ($("work").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const finding = event.target === $("find");
  if (event.key === "Escape" && finding) {
    $("find").value = "";
    drawLabels();
    $("text").focus({ preventScroll: true });
  } else if (event.key === "Enter" && finding) {
    event.preventDefault();
    const [label] = listed();
    if (label !== undefined && $("find").value.trim()) {
      $("find").value = "";
      choose(label);
    }
  } else if (finding) return;
  else if (event.key === "/" && !$("find-field").hidden) {
    event.preventDefault();
    $("find").focus();
  } else if (event.key === "ArrowLeft") show(state.place - 1);
  else if (event.key === "ArrowRight") show(state.place + 1);
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON") accept();
  else if (KEYS.includes(event.key)) {
    const label = listed()[KEYS.indexOf(event.key)];
    if (label !== undefined) choose(label);
  }
});
start();
