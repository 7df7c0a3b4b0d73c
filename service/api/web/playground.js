"use strict";

const EXAMPLES = {
  sentiment: [
    "I loved every minute of it. The ending was not bad either, but the seats were awful!",
    "The food was delicious, but we waited an hour for it.",
    "Never again: rude staff, cold soup, and a bill for twice the price.",
    "The parcel arrived on Tuesday.",
    "not bad at all \u{1F600}",
  ],
  other: [
    "The central bank raised its rates again, and shares fell.",
    "She scored twice in the last five minutes of the final.",
    "The new phone has a better camera and a weaker battery.",
    "My card was charged twice. Please return the money.",
  ],
};
const REASONS = {
  empty: "The text has no word to read.",
  unknown_words: "The model knows no word of the text.",
  outside: "The text probably belongs to none of the labels.",
  min_confidence: "No label is likely enough.",
};
// a larger share of unknown words is told
const MANY_UNKNOWN = 0.25;

// by the bare name of a model, and by name:version
const cards = new Map();
// the last request and its answers; the draw functions read nothing else
let shown = null;
let asking = 0;

const nameOf = (model) => model.split(/[:@]/)[0];

async function loadModels() {
  const { models } = await call("v1/models");
  for (const card of models) cards.set(card.name, card).set(`${card.name}:${card.version}`, card);
  const groups = () =>
    models.map((card) => {
      const others = card.versions.filter((version) => version !== card.version).map((version) => `${card.name}:${version}`);
      const aliases = Object.keys(card.aliases).map((alias) => `${card.name}@${alias}`);
      return element(
        "optgroup",
        { label: card.name },
        ...[card.name, ...aliases, ...others].map((value) => element("option", { value }, value)),
      );
    });
  $("model").replaceChildren(...groups());
  $("compare").replaceChildren(element("option", { value: "" }, "nothing"), ...groups());
  $("model").value = models.find((card) => card.default)?.name ?? "";
  readAddress();
}

// Settings are in the part of the address that browsers keep to themselves.
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const id of ["model", "compare"]) {
    const known = [...$(id).options].some(({ value }) => value === given.get(id));
    if (known) $(id).value = given.get(id);
  }
  $("whole").checked = given.get("whole") === "1";
  if (given.has("text")) $("text").value = given.get("text");
}

function describeAddress(withText) {
  const settings = new URLSearchParams();
  if ($("model").value) settings.set("model", $("model").value);
  if ($("compare").value) settings.set("compare", $("compare").value);
  if ($("whole").checked) settings.set("whole", "1");
  if (withText) settings.set("text", $("text").value);
  const address = new URL(location.href);
  address.hash = settings.toString();
  return address.href;
}

function drawExamples() {
  const card = cards.get(nameOf($("model").value));
  $("examples").replaceChildren(
    ...(card?.polarity ? EXAMPLES.sentiment : EXAMPLES.other).map((text) =>
      element(
        "button",
        {
          type: "button",
          onclick: () => {
            $("text").value = text;
            classify();
          },
        },
        text.length > 40 ? `${text.slice(0, 38).trimEnd()}\u2026` : text,
      ),
    ),
  );
}

async function drawCard({ name, version }) {
  const tag = `${name}:${version}`;
  // a version that has left the memory has no card any more
  if (!cards.has(tag)) cards.set(tag, await call(`v1/models/${encodeURIComponent(tag)}`).catch(() => cards.get(name)));
  const card = cards.get(tag);
  const parts = [`Version ${card.version}`];
  parts.push(...listFigures(card).map(({ name, text, interval }) => `${name} ${text}${interval ? ` (${interval.join(" to ")})` : ""}`));
  if (card.metrics.test?.count) parts.push(`on ${card.metrics.test.count.toLocaleString("en")} test texts`);
  if (card.training.language) parts.push(`language: ${card.training.language}`);
  $("card").replaceChildren(
    `${parts.join(" \u00b7 ")} \u00b7 `,
    element("a", { href: `models#${encodeURIComponent(card.name)}` }, "about this model"),
  );
  $("licence").textContent = `Some of its training data is for some uses only: ${card.restrictions.join("; ")}`;
  $("licence").hidden = !card.restrictions.length;
}

async function ask(model) {
  const text = $("text").value;
  const asked = { text, explain: true, granularity: "sentence" };
  if (model) asked.model = model;
  if ($("whole").checked) asked.truncation = "window";
  const answer = await call("v1/classify", asked);
  return { asked, result: answer.results[0], model: answer.model };
}

async function classify() {
  const number = ++asking;
  const text = $("text").value;
  $("status").textContent = "Classifying\u2026";
  showProblem(null);
  try {
    if (!$("model").options.length) await loadModels();
    if (!$("examples").children.length) drawExamples();
    const model = $("model").value;
    const compare = $("compare").value;
    const [first, activations, other] = await Promise.all([
      ask(model),
      call("v1/activations", model ? { text, model } : { text }),
      compare ? ask(compare) : null,
    ]);
    if (number !== asking) return;
    history.replaceState(null, "", describeAddress(false));
    // offsets count code points, but JavaScript's strings count UTF-16 units
    shown = { ...first, other, characters: Array.from(text), activations };
    drawAnswer("", first, other ? `${first.model.name} ${first.model.version}` : "Label");
    $("other").hidden = !other;
    if (other) drawAnswer("other-", other, `${other.model.name} ${other.model.version}`);
    drawDifference();
    drawUnits();
    drawWords();
    drawSentences();
    drawCurl();
    await drawCard(first.model);
    if (number !== asking) return;
    $("answer").hidden = false;
    $("status").textContent = `Classified by ${first.model.name}: ${first.result.label}.`;
  } catch (error) {
    if (number !== asking) return;
    $("answer").hidden = true;
    $("status").textContent = "";
    showProblem(error);
  }
}

function drawAnswer(prefix, { result, model }, title) {
  const { label, reason, scores, polarity, usage } = result;
  const card = cards.get(model.name);
  $(`${prefix || "scores-"}title`).textContent = title;
  $(`${prefix}label`).textContent = label;
  $(`${prefix}label`).className = `verdict ${moodOf(card, label)}`;
  $(`${prefix}reason`).textContent = reason ? REASONS[reason] : "";
  $(`${prefix}reason`).hidden = !reason;
  $(`${prefix}scores`).tBodies[0].replaceChildren(
    ...scores.map(({ label: name, score }) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, name),
        element("td", {}, percent(score)),
        element("td", {}, drawBar(score, moodOf(card, name))),
      ),
    ),
  );
  const parts = [`${usage.tokens_used} of ${usage.tokens} tokens read`, `${usage.unknown_tokens} unknown`];
  if (usage.windows > 1) parts.push(`in ${usage.windows} windows`);
  if (polarity !== null) parts.push(`polarity ${signed(polarity)}`);
  let told = `${parts.join(", ")}.`;
  if (usage.truncated) told += " The rest was left out: tick \u201cread all of a long text\u201d.";
  if (usage.tokens_used && usage.unknown_tokens / usage.tokens_used > MANY_UNKNOWN)
    told += " The model does not know many of these words, so its answer says little about the text.";
  $(`${prefix}usage`).textContent = told;
}

function drawDifference() {
  const { other, result } = shown;
  $("difference").hidden = !other;
  if (!other) return;
  const scores = new Map(result.scores.map(({ label, score }) => [label, score]));
  const moved = other.result.scores
    .filter(({ label }) => scores.has(label))
    .map(({ label, score }) => ({ label, points: 100 * (score - scores.get(label)) }))
    .sort((one, two) => Math.abs(two.points) - Math.abs(one.points));
  const same = result.label === other.result.label;
  const said = same ? `Both answer ${result.label}.` : `The first answers ${result.label}, the second ${other.result.label}.`;
  const most = moved.length ? ` Largest difference: ${moved[0].label} ${signed(moved[0].points, 1)} points.` : " They have no label in common.";
  $("difference").textContent = said + most;
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

// Tokens with their values; the colours of positive and of negative values, and what these mean.
function describeContributions({ result, model }) {
  const { tokens, label } = result.explanation;
  const mood = moodOf(cards.get(model.name), label);
  const values = tokens.map((token) => ({ ...token, value: token.contribution }));
  if (mood === "good") return { tokens: values, name: "Contribution", colours: ["good", "bad"], said: ["speaks for a good opinion", "for a bad one"] };
  if (mood === "bad") return { tokens: values, name: "Contribution", colours: ["bad", "good"], said: ["speaks for a bad opinion", "for a good one"] };
  return { tokens: values, name: "Contribution", colours: ["towards", "away"], said: [`speaks for ${label}`, "against it"] };
}

function describeUnit() {
  const unit = shown.activations.units[$("unit").value || 0];
  const tokens = shown.activations.tokens.map((token, index) => ({ ...token, value: unit.activations[index] }));
  const said = [`positive activation of the ${unit.direction} unit ${unit.unit}`, "negative"];
  return { tokens, name: "Activation", colours: ["towards", "away"], said };
}

function colourWords(target, { tokens, colours }) {
  const { characters } = shown;
  const slice = (start, end) => characters.slice(start, end).join("");
  const full = Math.max(...tokens.map(({ value }) => Math.abs(value)), 1e-9);
  const pieces = [];
  let position = 0;
  for (const { start, end, unknown, truncated, value } of tokens) {
    pieces.push(slice(position, start));
    const word = element("span", { className: "word", title: note({ unknown, truncated }) || signed(value) }, slice(start, end));
    word.classList.toggle("unknown", unknown);
    word.classList.toggle("unread", Boolean(truncated));
    // at most 40 % of the colour, so that the word stays readable
    word.style.backgroundColor = `rgba(var(--${value < 0 ? colours[1] : colours[0]}), ${(0.4 * Math.abs(value)) / full})`;
    word.dataset.value = value;
    pieces.push(word);
    position = end;
  }
  const rest = slice(position);
  // activations exist only for the tokens that the model reads at once
  pieces.push(rest.trim() ? element("span", { className: "unread", title: "not read" }, rest) : rest);
  target.replaceChildren(...pieces);
  return full;
}

function explainColours({ colours, said }, full) {
  const [one, other] = colours.map((colour) => {
    const swatch = element("span", { className: "swatch" });
    swatch.style.backgroundColor = `rgba(var(--${colour}), .55)`;
    return swatch;
  });
  return [one, `${said[0]}, `, other, `${said[1]}. Strongest: ${full.toFixed(3)}.`];
}

function drawWords() {
  const units = $("by-unit").checked;
  const described = units ? describeUnit() : describeContributions(shown);
  const { tokens, name } = described;
  const full = colourWords($("words"), described);
  $("other-field").hidden = units || !shown.other;
  if (!$("other-field").hidden) {
    $("other-words-title").textContent = `${shown.other.model.name} ${shown.other.model.version}`;
    const ofOther = describeContributions(shown.other);
    $("other-legend").replaceChildren(...explainColours(ofOther, colourWords($("other-words"), ofOther)));
  }
  $("legend").replaceChildren(...explainColours(described, full), " Dotted: unknown word. Struck through: not read.");
  $("value-name").textContent = name;
  $("values").tBodies[0].replaceChildren(
    ...tokens.map(({ start, end, unknown, truncated, value }) =>
      element(
        "tr",
        {},
        element("td", {}, shown.characters.slice(start, end).join("")),
        element("td", {}, signed(value)),
        element("td", {}, note({ unknown, truncated })),
      ),
    ),
  );
}

function drawSentences() {
  const card = cards.get(shown.model.name);
  $("sentences").replaceChildren(
    ...shown.result.sentences.map(({ start, end, label, scores }) =>
      element(
        "li",
        {},
        shown.characters.slice(start, end).join(""),
        " ",
        element("span", { className: `chip ${moodOf(card, label)}` }, `${label} ${percent(scores[0].score)}`),
      ),
    ),
  );
}

function drawCurl() {
  const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  const url = new URL("v1/classify", document.baseURI).href;
  const key = $("key").value ? ' -H "Authorization: Bearer $VALENCE_API_KEY"' : "";
  $("curl").textContent = `curl -s ${url}${key} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(shown.asked))}`;
}

async function copy(text, told) {
  $("status").textContent = (await copyText(text)) ? told : "The browser does not let pages copy; select the text and copy it yourself.";
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  classify();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) classify();
});
$("model").addEventListener("change", () => {
  drawExamples();
  classify();
});
for (const id of ["compare", "whole"]) $(id).addEventListener("change", classify);
$("unit").addEventListener("change", drawWords);
for (const radio of document.querySelectorAll("input[name=colour]")) {
  radio.addEventListener("change", () => {
    $("unit-field").hidden = !$("by-unit").checked;
    drawWords();
  });
}
$("copy").addEventListener("click", () => copy($("curl").textContent, "Copied."));
$("share").addEventListener("click", () => {
  const withText = $("share-text").checked;
  copy(describeAddress(withText), withText ? "Copied the link, with the text in it." : "Copied the link; the text is not in it.");
});
window.addEventListener("hashchange", () => {
  readAddress();
  drawExamples();
  classify();
});
// a phone has no such keys
if (!matchMedia("(pointer: coarse)").matches) {
  $("shortcut").textContent = `${/Mac|iPad/.test(navigator.platform) ? "\u2318" : "Ctrl"} + Enter classifies. `;
  $("shortcut").hidden = false;
}
classify();
