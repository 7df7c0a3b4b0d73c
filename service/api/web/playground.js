"use strict";
// The page shows texts through textContent only, so that a typed text is never read as HTML.

const $ = (id) => document.getElementById(id);
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const signed = (value) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(3);

// the last request and its answers; the draw functions read nothing else
let shown = null;

async function call(path, body) {
  const headers = {};
  if ($("key").value) headers["Authorization"] = `Bearer ${$("key").value}`;
  const options = { headers };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  }
  const response = await fetch(path, options);
  const content = await response.json();
  if (response.ok) return content;
  if (response.status === 401) $("key-field").hidden = false;
  throw new Error(content.detail || `the server answered ${response.status}`);
}

async function loadModels() {
  const { models } = await call("v1/models");
  $("model").replaceChildren(
    ...models.map((model) => element("option", { value: model.name, selected: model.default }, model.name)),
  );
}

async function classify() {
  const text = $("text").value;
  $("status").textContent = "Classifying\u2026";
  $("problem").hidden = true;
  try {
    if (!$("model").options.length) await loadModels();
    const asked = { text, explain: true, granularity: "sentence" };
    if ($("model").value) asked.model = $("model").value;
    const named = asked.model ? { text, model: asked.model } : { text };
    const [answer, activations] = await Promise.all([
      call("v1/classify", asked),
      call("v1/activations", named),
    ]);
    // offsets count code points, but JavaScript's strings count UTF-16 units
    shown = { asked, characters: Array.from(text), result: answer.results[0], model: answer.model, activations };
    drawScores();
    drawUnits();
    drawWords();
    drawSentences();
    drawCurl();
    $("answer").hidden = false;
    $("status").textContent = `Classified by ${answer.model.name}: ${shown.result.label}.`;
  } catch (error) {
    $("answer").hidden = true;
    $("status").textContent = "";
    $("problem").textContent = error.message;
    $("problem").hidden = false;
  }
}

const REASONS = {
  empty: "The text has no word to read.",
  unknown_words: "The model knows no word of the text.",
  min_confidence: "No label is likely enough.",
};

function drawScores() {
  const { label, reason, scores, polarity, usage } = shown.result;
  $("label").textContent = label;
  $("reason").textContent = reason ? REASONS[reason] : "";
  $("reason").hidden = !reason;
  $("scores").tBodies[0].replaceChildren(
    ...scores.map(({ label: name, score }) => {
      const meter = element("meter", { min: 0, max: 1, value: score });
      meter.setAttribute("aria-label", `probability of ${name}`);
      return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, percent(score)), element("td", {}, meter));
    }),
  );
  const parts = [`${usage.tokens_used} of ${usage.tokens} tokens read`, `${usage.unknown_tokens} unknown`];
  if (usage.truncated) parts.push("the rest was left out");
  if (polarity !== null) parts.push(`polarity ${signed(polarity)}`);
  $("usage").textContent = parts.join(", ") + ".";
}

function drawUnits() {
  $("unit").replaceChildren(
    ...shown.activations.units.map(({ direction, unit, telling }, index) =>
      element("option", { value: index }, `${direction} ${unit} (${telling.toFixed(2)})`),
    ),
  );
}

function note({ unknown, truncated }) {
  if (truncated) return "not read";
  return unknown ? "unknown word" : "";
}

// tokens with their values, and the value that gets the full colour
function coloured() {
  if ($("by-unit").checked) {
    const unit = shown.activations.units[$("unit").value || 0];
    const tokens = shown.activations.tokens.map((token, index) => ({ ...token, value: unit.activations[index] }));
    return { tokens, full: Math.max(...unit.activations.map(Math.abs), 1e-9), name: `${unit.direction} unit ${unit.unit}` };
  }
  const { tokens, label } = shown.result.explanation;
  const values = tokens.map((token) => ({ ...token, value: token.contribution }));
  return { tokens: values, full: Math.max(...values.map(({ value }) => Math.abs(value)), 1e-9), name: `towards ${label}` };
}

function drawWords() {
  const { tokens, full, name } = coloured();
  const { characters } = shown;
  const slice = (start, end) => characters.slice(start, end).join("");
  const pieces = [];
  let position = 0;
  for (const { start, end, unknown, truncated, value } of tokens) {
    pieces.push(slice(position, start));
    const word = element("span", { className: "word", title: note({ unknown, truncated }) || signed(value) }, slice(start, end));
    word.classList.toggle("unknown", unknown);
    word.classList.toggle("unread", Boolean(truncated));
    const colour = value < 0 ? "--against" : "--for";
    // at most 40 % of the colour, so that the word stays readable
    word.style.backgroundColor = `rgba(var(${colour}), ${(0.4 * Math.abs(value)) / full})`;
    word.dataset.value = value;
    pieces.push(word);
    position = end;
  }
  const rest = slice(position);
  // activations exist only for the tokens that the model read
  pieces.push(shown.result.usage.truncated && rest.trim() ? element("span", { className: "unread", title: "not read" }, rest) : rest);
  $("words").replaceChildren(...pieces);
  $("legend").textContent =
    `Green: ${name}; red: against. Strongest: ${full.toFixed(3)}. Dotted: unknown word. Struck through: not read.`;
  if ($("by-unit").checked) $("legend").textContent = $("legend").textContent.replace("Green: ", "Green: positive activation of ").replace("red: against", "red: negative");
  $("value-name").textContent = $("by-unit").checked ? "Activation" : "Contribution";
  $("values").tBodies[0].replaceChildren(
    ...tokens.map(({ start, end, unknown, truncated, value }) =>
      element("tr", {}, element("td", {}, slice(start, end)), element("td", {}, signed(value)), element("td", {}, note({ unknown, truncated }))),
    ),
  );
}

function drawSentences() {
  $("sentences").replaceChildren(
    ...shown.result.sentences.map(({ start, end, label, scores }) =>
      element("li", {}, shown.characters.slice(start, end).join(""), " ", element("span", { className: "chip" }, `${label} ${percent(scores[0].score)}`)),
    ),
  );
}

function drawCurl() {
  const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  const url = new URL("v1/classify", document.baseURI).href;
  const key = $("key").value ? " -H \"Authorization: Bearer $VALENCE_API_KEY\"" : "";
  $("curl").textContent = `curl -s ${url}${key} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(shown.asked))}`;
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  classify();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) classify();
});
$("unit").addEventListener("change", drawWords);
for (const radio of document.querySelectorAll("input[name=colour]")) {
  radio.addEventListener("change", () => {
    $("unit-field").hidden = !$("by-unit").checked;
    drawWords();
  });
}
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText($("curl").textContent);
  $("status").textContent = "Copied.";
});
loadModels().catch((error) => {
  $("problem").textContent = error.message;
  $("problem").hidden = false;
});
