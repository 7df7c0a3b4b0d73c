"use strict";
// What the pages share. They show texts through textContent only, so that a text is never read as HTML.

const $ = (id) => document.getElementById(id);
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const signed = (value, digits = 3) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(digits);

// The content that the server answers with; a page that needs an API key has a field for it.
async function call(path, body) {
  const headers = {};
  if ($("key").value) headers["Authorization"] = `Bearer ${$("key").value}`;
  const options = { headers };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer. Look whether it runs, and try again.");
  }
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  if (response.status === 401) $("key-field").hidden = false;
  throw new Error(content.detail || `the server answered ${response.status}`);
}

function showProblem(error) {
  $("problem").textContent = error ? error.message : "";
  $("problem").hidden = !error;
}

// "good" or "bad" where the labels are a sentiment, "even" for its middle, else ""
function moodOf(card, label) {
  const polarity = card?.polarity?.[label];
  if (polarity === undefined) return "";
  return polarity > 0 ? "good" : polarity < 0 ? "bad" : "even";
}

function drawBar(share, mood = "") {
  const filled = element("span", { className: mood });
  filled.style.width = `${100 * share}%`;
  const bar = element("span", { className: "bar" }, filled);
  bar.setAttribute("aria-hidden", "true");
  return bar;
}

// Browsers give the clipboard only to pages of https and of this machine; a selection they copy anywhere.
async function copyText(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // the user or a policy refused; the selection may work
    }
  }
  const area = element("textarea", { value: text, readOnly: true });
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

// the figures of a card that a person compares, with their intervals
const FIGURES = [
  ["accuracy", "Accuracy", percent],
  ["macro_f1", "Macro-F1", percent],
  ["micro_f1", "Micro-F1", percent],
  ["ece", "Calibration error (ECE)", (value) => value.toFixed(3)],
];

function listFigures(card) {
  const test = card.metrics.test ?? {};
  const single = card.task === "single_label";
  return FIGURES.filter(([key]) => typeof test[key] === "number" && !(single && key === "micro_f1")).map(([key, name, shape]) => ({
    key,
    name,
    value: test[key],
    text: shape(test[key]),
    interval: card.intervals.test?.[key]?.map(shape) ?? null,
  }));
}
