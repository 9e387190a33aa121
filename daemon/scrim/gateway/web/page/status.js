// Shows how everything is.

import { $, put, element, number, duration } from "./dom.js";
import { sayInstead } from "./picture.js";
import { CAMERA, SINKS, STAGES, closedBy, eventInWords, qualityOf, stateOf } from "./words.js";

const SECONDS = 120;
const LEAST_SECONDS = 30;
const MOST_EVENTS = 50;

let samples = [];
let happened = []; // {series, tone, text, at_ms, count}, the newest first

export function showState(answer) {
  const [tone, text, title = "Connecting", detail = "The picture appears in a moment."] = stateOf(answer);
  $("state").dataset.tone = tone;
  put("state-text", text);
  sayInstead(title, detail);
  document.title = tone === "good" ? "scrim" : `${text} · scrim`;
}

export function showStatus(status) {
  const { camera, frames, latency_ms: latency, model } = status;
  put("rate-text", `${number(frames.rate_out_hz, 1)} fps`);
  put("latency-text", `${number(latency.p50)} ms`);
  $("latency-text").title = `19 of 20 frames within ${number(latency.p95)} ms`;
  put("camera-state", CAMERA[camera.state] ?? camera.state);
  put("camera-note", camera.error ?? closedBy(camera.closed_by ?? []));
  put("camera-source", camera.source);
  put("camera-caps", camera.caps || "–");
  put("model-name", `${model.name}, ${model.form}`);
  put("model-runtime", [model.runtime, model.delegate && model.delegate !== "cpu" ? model.delegate : ""].filter(Boolean).join(", "));
  put("quality", status.quality ? qualityOf(status.quality) : "–");
  put("coverage", `${number(status.coverage * 100)} %`);
  put("dropped", `${number(frames.dropped)} of ${number(frames.captured)}`);
  put("memory", `${number(status.rss_mb)} MB`);
  put("uptime", duration(status.uptime_s));
  put("version", `scrim ${status.version}`);
  showSinks(status.sinks);
  showStages(status.stages_ms);
}

export function showNothing() {
  for (const node of document.querySelectorAll("#page .facts dd")) node.textContent = "–";
  for (const id of ["rate-text", "latency-text", "camera-state"]) put(id, "–");
  put("camera-note", "");
  $("latency-text").removeAttribute("title");
  $("sinks").replaceChildren(element("li", { class: "hint" }, "No information while scrim is not running."));
  showStages({});
}

function showSinks(sinks) {
  const rows = sinks.map((sink) => {
    const isOpen = sink.state === "open";
    const state = isOpen ? `Open: ${number(sink.delivered)} frames, ${number(sink.dropped)} dropped` : "Failed";
    const row = element("li", {}, element("span", { class: `dot ${isOpen ? "good" : "bad"}`, "aria-hidden": "true" }));
    row.append(element("span", { class: "name" }, SINKS[sink.name] ?? sink.name), element("span", { class: "count" }, state));
    if (sink.error) row.append(element("span", { class: "why" }, sink.error));
    return row;
  });
  if (!rows.length) rows.push(element("li", { class: "hint" }, "None besides this page's picture."));
  $("sinks").replaceChildren(...rows);
}

function showStages(stages) {
  const names = Object.keys(STAGES).filter((name) => Number.isFinite(stages[name]));
  const total = names.reduce((sum, name) => sum + stages[name], 0);
  const bars = names.map((name, index) => {
    const bar = element("span", { class: `c${index + 1}` });
    bar.style.flexGrow = stages[name];
    return bar;
  });
  const legend = names.map((name, index) =>
    element("li", {}, element("i", { class: `c${index + 1}` }), element("span", {}, STAGES[name]), element("b", {}, `${number(stages[name], 1)} ms`)),
  );
  $("stages").replaceChildren(...bars);
  $("stages").setAttribute("aria-label", names.length ? `${number(total, 1)} ms per frame in all` : "No figures while scrim is not running");
  $("stage-names").replaceChildren(...legend);
}

// ---- the last two minutes -------------------------------------------------------------------------------------

export function forget() {
  samples = [];
  happened = [];
}

export function showHappenings(answer) {
  samples = [...samples, ...answer.samples].slice(-SECONDS);
  line("rate-line", samples.map((sample) => sample.fps), "Frame rate", "fps");
  line("latency-line", samples.map((sample) => sample.latency_ms), "Latency", "ms");
  for (const event of answer.events) note(event);
  showActivity();
}

function line(id, values, name, unit) {
  const known = values.filter(Number.isFinite);
  const top = Math.max(...known, 1) * 1.15;
  const across = Math.max(values.length, LEAST_SECONDS);
  const place = (index) => (((across - values.length + index + 1) * SECONDS) / across).toFixed(1);
  let path = "";
  let isOpen = false;
  values.forEach((value, index) => {
    if (Number.isFinite(value)) path += `${isOpen ? "L" : "M"}${place(index)} ${(31 - (30 * value) / top).toFixed(2)}`;
    isOpen = Number.isFinite(value);
  });
  const node = $(id);
  if (!node.firstElementChild) node.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  node.firstElementChild.setAttribute("d", path);
  const said = known.length ? `${name}, last two minutes: ${number(Math.min(...known))} to ${number(Math.max(...known))} ${unit}` : "No figures yet";
  if (node.getAttribute("aria-label") !== said) node.setAttribute("aria-label", said);
}

function note(event) {
  const [tone, text] = eventInWords(event);
  happened = happened.filter((each) => each.series !== event.series); // it was said again
  happened.unshift({ series: event.series, tone, text, at_ms: Date.now() - event.age_s * 1000, count: event.count });
  happened.length = Math.min(happened.length, MOST_EVENTS);
}

function showActivity() {
  const list = $("activity");
  const rows = happened.map(({ tone, text, at_ms, count }) => {
    const ago = (Date.now() - at_ms) / 1000;
    const when = ago < 10 ? "now" : `${duration(ago)} ago`;
    return [tone, count > 1 ? `${text} (${number(count)} times)` : text, when];
  });
  if (!rows.length) return;
  // Only what is different is touched, so that nobody who reads or selects here is disturbed.
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach(([tone, text, when], index) => {
    let row = list.children[index];
    if (!row?.querySelector("time")) {
      const fresh = element("li", {}, element("span", { class: "dot", "aria-hidden": "true" }), element("span"), element("time"));
      if (row) row.replaceWith(fresh);
      else list.append(fresh);
      row = fresh;
    }
    const [dot, words, time] = row.children;
    dot.className = `dot ${tone}`;
    if (words.textContent !== text) words.textContent = text;
    if (time.textContent !== when) time.textContent = when;
  });
}
