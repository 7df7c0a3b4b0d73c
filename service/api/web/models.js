"use strict";

const points = (change) => `${signed(100 * change, 1)} points`;

async function drawModels() {
  showProblem(null);
  try {
    const [{ models }, statistics] = await Promise.all([
      call("v1/models"),
      // figures of the past minutes are no reason to show nothing
      call("v2/models/stats").catch(() => ({ model_stats: [] })),
    ]);
    const sections = await Promise.all(models.map((card) => describeModel(card, statistics.model_stats)));
    $("models").replaceChildren(...sections);
    $("key-field").hidden = true;
    const count = models.reduce((sum, card) => sum + card.versions.length, 0);
    $("status").textContent = `${models.length} ${models.length === 1 ? "model" : "models"}, ${count} ${count === 1 ? "version" : "versions"} in memory.`;
    // the address may name a model, whose section is here only now
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  } catch (error) {
    $("status").textContent = "";
    showProblem(error);
  }
}

async function describeModel(card, statistics) {
  const others = await Promise.all(
    card.versions
      .filter((version) => version !== card.version)
      // it may have left the memory meanwhile
      .map((version) => call(`v1/models/${encodeURIComponent(`${card.name}:${version}`)}`).catch(() => null)),
  );
  const versions = [card, ...others.filter((other) => other !== null)];
  const done = (version) => statistics.find((one) => one.name === card.name && one.version === version);
  const title = element("h2", {}, card.name);
  if (card.default) title.append(" ", element("span", { className: "chip" }, "answers requests without a model"));
  return element(
    "section",
    { id: card.name },
    title,
    element(
      "ul",
      { className: "chips", ariaLabel: "Labels" },
      ...card.labels.map((label) => element("li", { className: `chip ${moodOf(card, label)}` }, label)),
    ),
    element("div", { className: "grid" }, ...versions.map((version) => describeVersion(version, card, done(version.version)))),
    ...(card.sampling ? [describeSampling(card.sampling)] : []),
    describeLicences(card),
    describeTests(card),
    element(
      "p",
      {},
      element("a", { href: `./#model=${encodeURIComponent(card.name)}` }, "Try it in the playground"),
      " \u00b7 ",
      element("a", { href: `v1/models/${encodeURIComponent(card.name)}` }, "everything as JSON"),
    ),
  );
}

function describeVersion(card, served, done) {
  const isServed = card.version === served.version;
  const names = Object.entries(served.aliases).filter(([, version]) => version === card.version).map(([alias]) => `@${alias}`);
  const list = element("dl", { className: "figures" });
  const test = new Map(listFigures(served).map((figure) => [figure.key, figure.value]));
  for (const { key, name, value, text, interval } of listFigures(card)) {
    const told = element("dd", {}, text);
    if (interval) told.append(element("span", { className: "interval" }, `${interval.join(" to ")}`));
    if (!isServed && test.has(key)) told.append(element("span", { className: "change" }, `${key === "ece" ? signed(value - test.get(key)) : points(value - test.get(key))} to the served`));
    list.append(element("dt", {}, name), told);
  }
  const add = (name, value) => list.append(element("dt", {}, name), element("dd", {}, value));
  if (card.metrics.test?.count) add("Test texts", card.metrics.test.count.toLocaleString("en"));
  const requests = done?.inference_stats.success.count ?? 0;
  add("Requests since the start", requests.toLocaleString("en"));
  if (requests) {
    add("Mean time of a request", milliseconds(done.inference_stats.success, requests));
    add("of it in the queue", milliseconds(done.inference_stats.queue, requests));
    add("of it computing", milliseconds(done.inference_stats.compute_infer, requests));
  }
  add("Engine", card.engine);
  add("Trained", `${card.training.started.slice(0, 10)}, code ${card.training.code_version.slice(0, 12)}`);
  const links = element("p", { className: "row" });
  const tag = `${card.name}:${card.version}`;
  links.append(
    isServed
      ? element("a", { href: `./#model=${encodeURIComponent(card.name)}` }, "Try it")
      : element("a", { href: `./#model=${encodeURIComponent(served.name)}&compare=${encodeURIComponent(tag)}` }, "Compare on a text"),
  );
  return element(
    "article",
    { className: "card version" },
    element("h3", {}, card.version),
    element(
      "ul",
      { className: "chips", ariaLabel: "What means this version" },
      ...(isServed ? [element("li", { className: "chip good" }, "served")] : []),
      ...names.map((name) => element("li", { className: "chip" }, name)),
      ...(isServed || names.length ? [] : [element("li", { className: "chip" }, "kept in memory")]),
    ),
    list,
    links,
  );
}

const milliseconds = ({ ns }, count) => `${(ns / count / 1e6).toFixed(2)} ms`;

function describeSampling({ max_texts: most, days }) {
  const until = days === null ? "" : ` for ${days.toLocaleString("en")} ${days === 1 ? "day" : "days"}`;
  return element("p", { className: "note" }, `The operator keeps up to ${most.toLocaleString("en")} of the texts that are sent${until}, to label them.`);
}

function describeSource({ name, texts, license }) {
  const count = texts === undefined ? "" : `${texts.toLocaleString("en")} texts`;
  return [name, count, license || "no licence recorded"].filter(Boolean).join(", ");
}

function describeLicences(card) {
  const { corpora, unlabelled = [], vectors, teacher } = card.training;
  // a model that taught twice is told once
  const sources = [...corpora, ...unlabelled, ...vectors, ...(teacher?.teachers ?? [])];
  const told = card.restrictions.length
    ? element("p", { className: "note" }, `Its owners provide some of the training data for some uses only: ${card.restrictions.join("; ")}.`)
    : element("p", {}, "No recorded licence of the training data limits the use.");
  return element(
    "div",
    {},
    element("h3", {}, "Training data and licences"),
    told,
    element(
      "ul",
      {},
      ...[...new Set(sources.map(describeSource))].map((source) => element("li", {}, source)),
    ),
  );
}

function describeTests(card) {
  const folded = element("details", {}, element("summary", {}, "Other classifiers on the same test texts, and behaviour tests"));
  const baselines = Object.entries(card.baselines).filter(([, figures]) => typeof figures.macro_f1 === "number");
  if (baselines.length) {
    const list = element("dl", { className: "figures" });
    if (typeof card.metrics.test?.macro_f1 === "number") baselines.unshift([`this model (${card.version})`, card.metrics.test]);
    for (const [name, { macro_f1: value }] of baselines) list.append(element("dt", {}, name), element("dd", {}, `macro-F1 ${percent(value)}`));
    folded.append(list);
  }
  const tests = Object.entries(card.behaviour);
  for (const [name, { kind, passed, tried }] of tests) {
    folded.append(
      element(
        "div",
        { className: "behaviour" },
        element("p", {}, name, element("br"), element("span", { className: "soft" }, kind)),
        drawBar(passed / tried),
        element("p", {}, `${percent(passed / tried)} of ${tried.toLocaleString("en")}`),
      ),
    );
  }
  if (!baselines.length && !tests.length) folded.append(element("p", {}, "None is recorded."));
  return folded;
}

$("key-field").addEventListener("submit", (event) => {
  event.preventDefault();
  drawModels();
});
drawModels();
