"use strict";
// Names come from the model; they are shown through textContent only.

const $ = (id) => document.getElementById(id);
const fill = (made, properties, children) => {
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};
const element = (name, properties = {}, ...children) => fill(document.createElement(name), properties, children);
const drawn = (name, properties = {}, ...children) =>
  fill(document.createElementNS($("timeline").namespaceURI, name), properties, children);
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const count = (number) => number.toLocaleString("en");

const TITLES = {
  label: "Labels",
  confidence: "Confidence",
  length: "Length, in tokens",
  unknown_words: "Unknown words",
  language: "Language",
};
const SHOWN_CLASSES = 12;
const REFRESH_SECONDS = 15;

let reports = [];

async function load() {
  const headers = $("key").value ? { Authorization: `Bearer ${$("key").value}` } : {};
  const response = await fetch("v1/monitor", { headers });
  const content = await response.json();
  if (response.status === 401) $("key-field").hidden = false;
  if (!response.ok) throw new Error(content.detail || `the server answered ${response.status}`);
  return content.models;
}

async function refresh() {
  try {
    reports = await load();
    drawModels();
    $("problem").hidden = true;
    $("report").hidden = !reports.length;
    if (reports.length) drawReport();
    $("status").textContent = `As of ${new Date().toLocaleTimeString()}.`;
  } catch (error) {
    $("status").textContent = "";
    $("report").hidden = true;
    $("problem").textContent = error.message;
    $("problem").hidden = false;
  }
}

function drawModels() {
  const name = ({ model, version }) => `${model}:${version}`;
  const chosen = $("model").value;
  $("model").replaceChildren(...reports.map((report) => element("option", { value: name(report) }, name(report))));
  if (reports.some((report) => name(report) === chosen)) $("model").value = chosen;
}

function drawReport() {
  const report = reports[Math.max($("model").selectedIndex, 0)];
  drawVerdict(report);
  drawAccuracy(report);
  $("signals").replaceChildren(...report.signals.map(drawSignal));
  $("rate").textContent =
    `Of texts like those of the training, at most one window in ${count(report.windows_per_false_alarm)} drifts by ` +
    "chance, all its signals together. Windows follow each other; a window is judged when it is full. Only counts are kept.";
}

function drawVerdict({ drifted, signals, texts, reference_texts: known }) {
  const [first] = signals;
  const judged = signals.some((signal) => signal.drifted !== null);
  const words = drifted.map((name) => TITLES[name].split(",")[0].toLowerCase());
  $("verdict").className = drifted.length ? "bad" : judged ? "good" : "";
  let title = "Waiting for texts";
  let detail = `${count(first.filled_texts)} of the ${count(first.window_texts)} texts of the first window are there.`;
  if (known === null) {
    title = "Nothing to compare with";
    detail = "This model was trained by a version of Valence that counted no reference. A model that is trained now has one.";
  } else if (drifted.length) {
    title = "The texts have drifted";
    detail = `They differ from those of the training in: ${words.join(", ")}.`;
  } else if (judged) {
    title = "As in training";
    detail = `The last ${count(first.window_texts)} texts are like the ${count(known)} held-out texts of the training.`;
  }
  $("verdict-title").textContent = title;
  $("verdict-detail").textContent = `${detail} ${count(texts)} texts since the start of the server.`;
}

function drawAccuracy({ accuracy, reference_accuracy: reference, history }) {
  const windows = history.filter((window) => window.accuracy);
  const newest = windows.length ? windows[windows.length - 1].accuracy : accuracy;
  $("accuracy").textContent = newest ? percent(newest.value) : "\u2013";
  $("accuracy-detail").textContent = newest
    ? `${percent(newest.low)} to ${percent(newest.high)}; held-out texts of the training: ${percent(reference)}`
    : "no text, or no reference";
  $("timeline").toggleAttribute("hidden", windows.length < 2);
  if (windows.length > 1) drawTimeline(windows, reference);
}

// the trend of the windows with its interval, and a mark for each window: red where a signal drifted
function drawTimeline(windows, reference) {
  const width = $("timeline").parentElement.clientWidth;
  const [height, left, marks] = [160, 38, 12];
  const bottom = height - marks - 18;
  const low = Math.max(0, Math.min(reference, ...windows.map(({ accuracy }) => accuracy.low)) - 0.02);
  const high = Math.min(1, Math.max(reference, ...windows.map(({ accuracy }) => accuracy.high)) + 0.02);
  const x = (index) => left + ((width - left - 6) * (index + 0.5)) / windows.length;
  const y = (share) => 6 + ((bottom - 6) * (high - share)) / (high - low);
  const points = (field) => windows.map(({ accuracy }, index) => `${x(index).toFixed(1)},${y(accuracy[field]).toFixed(1)}`);
  const step = (width - left - 6) / windows.length;
  const drifted = windows.filter((window) => window.drifted.length).length;
  const said = `Estimated accuracy of the last ${windows.length} windows; ${drifted} of them drifted.`;
  const times = [windows[0], windows[windows.length - 1]].map(({ ended }) => new Date(1000 * ended).toLocaleString());
  $("timeline").replaceChildren();
  fill($("timeline"), { viewBox: `0 0 ${width} ${height}`, "aria-label": said }, [
    drawn("polygon", { class: "band", points: [...points("low"), ...points("high").reverse()].join(" ") }),
    drawn("line", { class: "reference", x1: left, x2: width, y1: y(reference), y2: y(reference) }),
    drawn("polyline", { class: "trend", points: points("value").join(" ") }),
    drawn("text", { x: 0, y: y(high) + 9 }, percent(high, 0)),
    drawn("text", { x: 0, y: y(low) }, percent(low, 0)),
    ...windows.map((window, index) =>
      drawn(
        "rect",
        { class: window.drifted.length ? "drifted" : "usual", x: x(index) - step / 2 + 0.5, y: bottom + 4, width: Math.max(step - 1, 1), height: marks - 4 },
        drawn("title", {}, window.drifted.length ? `drifted: ${window.drifted.join(", ")}` : "as in training"),
      ),
    ),
    drawn("text", { x: left, y: height - 2 }, times[0]),
    drawn("text", { x: width, y: height - 2, "text-anchor": "end" }, times[1]),
  ]);
}

function drawSignal(signal) {
  const { signal: name, drifted, limits } = signal;
  const [state, word] = drifted === null ? ["", "no verdict yet"] : drifted ? ["bad", "drifted"] : ["good", "as in training"];
  const parts = [
    element("div", { class: "title" }, element("h3", {}, TITLES[name]), element("span", { class: `chip ${state}` }, word)),
  ];
  const far = (limit) => (limit.drifted ? Math.abs(limit.recent - limit.expected) : -1);
  const worst = limits.reduce((found, limit) => (far(limit) > far(found) ? limit : found), { drifted: false });
  if (worst.drifted) {
    const what = signal.ordered ? `at most ${bound(name, worst.name)}` : worst.name;
    const usual = `usual are ${percent(worst.low)} to ${percent(worst.high)}`;
    parts.push(element("p", {}, `${what}: ${percent(worst.recent)} of the texts; ${usual}.`));
  }
  parts.push(drawClasses(signal));
  return element("article", { class: `signal ${state}`, "data-signal": name }, ...parts);
}

const bound = (name, value) => (name === "length" ? value : `${Number((100 * value).toFixed(1))} %`);

function nameClasses({ signal, ordered, classes }) {
  if (!ordered) return classes;
  return classes.map((one, index) => {
    const before = index ? bound(signal, classes[index - 1].name) : "";
    if (one.name === "") return { ...one, name: `over ${before}` };
    return { ...one, name: one.name === "0" ? "none" : `up to ${bound(signal, one.name)}` };
  });
}

// the classes that have texts; of many, those with most
function chooseClasses(signal) {
  const weight = ({ expected, recent }) => (expected || 0) + (recent || 0);
  const named = nameClasses(signal).filter((one) => weight(one) > 0.002);
  const kept = new Set([...named].sort((a, b) => weight(b) - weight(a)).slice(0, SHOWN_CLASSES));
  return named.filter((one) => kept.has(one));
}

function drawClasses(signal) {
  const shown = chooseClasses(signal);
  const widest = Math.max(...shown.flatMap(({ expected, recent }) => [expected || 0, recent || 0]), 0.01);
  const bar = (kind, share) => element("span", { class: `bar ${kind}`, style: `width: ${(100 * (share || 0)) / widest}%` });
  const said = (share) => (share === null ? "\u2013" : percent(share, 0));
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...["Class", "Bars", "Newest window, training"].map((title) => element("th", { scope: "col" }, title)))),
    element(
      "tbody",
      {},
      ...shown.map(({ name, expected, recent }) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, name),
          element("td", {}, element("span", { class: "bars", "aria-hidden": "true" }, bar("recent", recent), bar("expected", expected))),
          element("td", { class: "shares" }, `${said(recent)}, ${said(expected)}`),
        ),
      ),
    ),
  );
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});
$("model").addEventListener("change", drawReport);
window.addEventListener("resize", () => reports.length && drawReport());
refresh();
setInterval(() => document.hidden || refresh(), 1000 * REFRESH_SECONDS);
