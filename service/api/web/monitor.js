"use strict";
const drawn = (name, attributes = {}, ...children) => fill(document.createElementNS($("timeline").namespaceURI, name), attributes, children);
const fill = (made, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.replaceChildren(...children);
  return made;
};
const rounded = (share) => `${Math.round(100 * share)} %`;
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

async function refresh() {
  try {
    reports = (await call("v1/monitor")).models;
    drawModels();
    showProblem(null);
    $("report").hidden = !reports.length;
    if (reports.length) drawReport();
    $("status").textContent = `As of ${new Date().toLocaleTimeString()}.`;
  } catch (error) {
    $("status").textContent = "";
    $("report").hidden = true;
    showProblem(error);
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
  $("verdict").className = `card ${drifted.length ? "bad" : judged ? "good" : ""}`;
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
  fill($("timeline"), { viewBox: `0 0 ${width} ${height}`, "aria-label": said }, [
    drawn("polygon", { class: "band", points: [...points("low"), ...points("high").reverse()].join(" ") }),
    drawn("line", { class: "reference", x1: left, x2: width, y1: y(reference), y2: y(reference) }),
    drawn("polyline", { class: "trend", points: points("value").join(" ") }),
    drawn("text", { x: 0, y: y(high) + 9 }, rounded(high)),
    drawn("text", { x: 0, y: y(low) }, rounded(low)),
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
    element("div", { className: "title" }, element("h3", {}, TITLES[name]), element("span", { className: `chip ${state}` }, word)),
  ];
  const far = (limit) => (limit.drifted ? Math.abs(limit.recent - limit.expected) : -1);
  const worst = limits.reduce((found, limit) => (far(limit) > far(found) ? limit : found), { drifted: false });
  if (worst.drifted) {
    const what = signal.ordered ? `at most ${bound(name, worst.name)}` : worst.name;
    const usual = `usual are ${percent(worst.low)} to ${percent(worst.high)}`;
    parts.push(element("p", {}, `${what}: ${percent(worst.recent)} of the texts; ${usual}.`));
  }
  parts.push(drawClasses(signal));
  const card = element("article", { className: `signal card ${state}` }, ...parts);
  card.dataset.signal = name;
  return card;
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
  const bar = (kind, share) => element("span", { className: `share ${kind}`, style: `width: ${(100 * (share || 0)) / widest}%` });
  const said = (share) => (share === null ? "\u2013" : rounded(share));
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
          element("td", {}, element("span", { ariaHidden: "true" }, bar("recent", recent), bar("expected", expected))),
          element("td", { className: "shares" }, `${said(recent)}, ${said(expected)}`),
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
