// The page of scrim: asks for the state once a second, shows it, and sends changes one after the other.

const POLL_MS = 1000;
const HIDDEN_POLL_MS = 5000;
const ANSWER_MS = 4000;
const CHANGE_MS = 25000; // an image may be slow to come
const STRENGTHS = { low: 7, medium: 15, high: 30 };
const SWATCHES = ["#0f766e", "#336699", "#5b4b8a", "#7a3b3b", "#3f4b57", "#e8e4da"];
const REASONS = {
  starting: "Camera is starting",
  camera_lost: "Camera is not available",
  no_safe_picture: "Picture is protected",
  effect_off: "No effect is on",
  stopping: "Camera is off",
};
const EFFECTS = { blur: "Background blurred", image: "Background replaced", color: "Background replaced" };
const SINKS = { feed: "This page" };
const STAGES = { capture: "Capture", segment: "Person", matte: "Edge", composite: "Compose" };

const $ = (id) => document.getElementById(id);
const picture = $("picture");
const form = $("effect");
const radios = [...form.elements.namedItem("effect")];

// ---- small things -------------------------------------------------------------------------------------------

function put(id, text) {
  const node = $(id);
  if (node.textContent !== text) node.textContent = text;
}

const number = (value, digits = 0) =>
  Number.isFinite(value) ? value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) : "–";

function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min` : `${Math.floor(seconds)} s`;
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// ---- the picture --------------------------------------------------------------------------------------------

const live = { wanted: false, stream: 0, instance: null };

function play(wanted) {
  if (wanted === live.wanted) return;
  live.wanted = wanted;
  picture.hidden = true;
  if (wanted) {
    picture.src = `/preview.mjpg?n=${++live.stream}`;
    waitForPicture(live.stream);
  } else {
    picture.removeAttribute("src");
  }
  $("blank").hidden = false;
}

function waitForPicture(stream) {
  if (!live.wanted || stream !== live.stream) return;
  if (picture.naturalWidth) {
    picture.hidden = false;
    $("blank").hidden = true;
    $("screen").style.aspectRatio = `${picture.naturalWidth} / ${picture.naturalHeight}`;
  } else {
    setTimeout(waitForPicture, 50, stream);
  }
}

picture.addEventListener("error", () => {
  if (live.wanted) play(false); // the next poll starts it again
});

// ---- the state ----------------------------------------------------------------------------------------------

function stateOf(answer) {
  if (!answer) return ["bad", "Page is disconnected", "scrim does not answer", "This page comes back by itself."];
  const status = answer.status;
  if (!status) return ["bad", "scrim is not running", "No picture", "scrim's core is not running. This page comes back by itself."];
  const why = REASONS[status.placeholder_reason] ?? status.placeholder_reason ?? "";
  if (status.state === "starting") return ["wait", "Starting"];
  if (status.state === "placeholder") return ["warn", `Placeholder${why ? ": " + why.toLowerCase() : ""}`];
  if (status.effect.effect in EFFECTS && status.state === "running") return ["good", EFFECTS[status.effect.effect]];
  if (why) return ["wait", "Off: a placeholder is shown"];
  return ["bad", "Plain picture: the room is visible"];
}

function showState(answer) {
  const [tone, text, title = "Connecting", detail = "The picture appears in a moment."] = stateOf(answer);
  $("state").dataset.tone = tone;
  put("state-text", text);
  put("blank-title", title);
  put("blank-text", detail);
  document.title = tone === "good" ? "scrim" : `${text} · scrim`;
}

function showStatus(status) {
  const { camera, frames, latency_ms: latency, model } = status;
  put("camera-state", { live: "Live", starting: "Starting", lost: "Lost" }[camera.state] ?? camera.state);
  put("rate-in", number(frames.rate_in_hz, 1));
  put("rate-out", number(frames.rate_out_hz, 1));
  put("latency", `${number(latency.p50)} ms`);
  $("latency").title = `19 of 20 frames within ${number(latency.p95)} ms`;
  put("camera-source", camera.error ? `${camera.source}: ${camera.error}` : camera.source);
  put("camera-caps", camera.caps || "–");
  put("model-name", `${model.name}, ${model.form}`);
  put("model-runtime", model.runtime);
  put("coverage", `${number(status.coverage * 100)} %`);
  put("dropped", `${number(frames.dropped)} of ${number(frames.captured)}`);
  put("memory", `${number(status.rss_mb)} MB`);
  put("uptime", duration(status.uptime_s));
  put("version", `scrim ${status.version}`);
  showSinks(status.sinks);
  showStages(status.stages_ms);
}

function showNothing() {
  for (const node of document.querySelectorAll("dd")) node.textContent = "–";
  $("latency").removeAttribute("title");
  $("sinks").replaceChildren(element("li", "hint", "No information while scrim is not running."));
  showStages({});
  clearErrors();
  put("saved", "");
}

function showSinks(sinks) {
  const rows = sinks.map((sink) => {
    const row = element("li");
    const dot = element("span", `dot ${sink.state === "open" ? "good" : "bad"}`);
    dot.setAttribute("aria-hidden", "true");
    row.append(dot, element("span", "name", SINKS[sink.name] ?? sink.name));
    row.append(element("span", "count", sink.state === "open" ? `Open: ${number(sink.delivered)} frames, ${number(sink.dropped)} dropped` : "Failed"));
    if (sink.error) row.append(element("span", "why", sink.error));
    return row;
  });
  if (!rows.length) rows.push(element("li", "hint", "None besides this page's picture."));
  $("sinks").replaceChildren(...rows);
}

function showStages(stages) {
  const names = Object.keys(STAGES).filter((name) => Number.isFinite(stages[name]));
  const total = names.reduce((sum, name) => sum + stages[name], 0);
  const bars = names.map((name, index) => {
    const bar = element("span", `c${index + 1}`);
    bar.style.flexGrow = stages[name];
    return bar;
  });
  const legend = names.map((name, index) => {
    const row = element("li");
    row.append(element("i", `c${index + 1}`), element("span", "", STAGES[name]), element("b", "", `${number(stages[name], 1)} ms`));
    return row;
  });
  $("stages").replaceChildren(...bars);
  $("stages").setAttribute("aria-label", `${number(total, 1)} ms per frame in all`);
  $("stage-names").replaceChildren(...legend);
}

// ---- the settings -------------------------------------------------------------------------------------------

let effect = null; // what the core says is in effect
let chosen = null; // a card chosen here that still lacks its image
let sending = 0;
let queue = Promise.resolve();

function showEffect() {
  if (!effect) return;
  const kind = chosen ?? effect.effect;
  for (const radio of radios) radio.checked = radio.value === kind;
  for (const pane of form.querySelectorAll(".pane")) pane.hidden = pane.dataset.pane !== kind;
  unlessEdited("strength", Math.min(60, effect.strength));
  showStrength(effect.strength);
  unlessEdited("color-text", effect.color ?? "");
  unlessEdited("color", effect.color ?? "#336699");
  unlessEdited("image", effect.image?.startsWith("data:") ? "" : (effect.image ?? ""));
  put("image-missing", effect.image_error ? `Black stands in for the image: ${effect.image_error}` : "");
  $("image-missing").hidden = !effect.image_error;
  unlessEdited("fit", effect.fit);
  for (const swatch of $("swatches").children) swatch.setAttribute("aria-pressed", swatch.value === effect.color);
}

function unlessEdited(id, value) {
  const field = $(id);
  if (field.dataset.edited || document.activeElement === field) return;
  if (field.value !== String(value)) field.value = value;
}

function showStrength(value) {
  const exact = Object.keys(STRENGTHS).find((name) => STRENGTHS[name] === value);
  put("strength-text", exact ? `${exact} (${number(value)})` : number(value, value % 1 ? 1 : 0));
  for (const button of form.querySelectorAll("[data-strength]")) button.setAttribute("aria-pressed", button.dataset.strength === exact);
}

function fieldOf(error) {
  return document.querySelector(`[aria-describedby~="${error.id}"]`);
}

function clearErrors() {
  for (const node of form.querySelectorAll(".error")) {
    node.hidden = true;
    node.textContent = "";
    fieldOf(node)?.removeAttribute("aria-invalid");
  }
}

function showErrors(errors) {
  clearErrors();
  for (const { key, value, message, allowed } of errors) {
    const fits = [...form.querySelectorAll(".error[data-key]")].find((node) => node.dataset.key === key && !node.closest("[hidden]:not(.error)"));
    const node = fits ?? $("other-error");
    const what = [fits ? "" : key, value].filter(Boolean).join(" = ");
    const text = `${what ? `${what}: ` : ""}${message}${allowed ? `. Allowed: ${allowed}` : ""}`;
    node.textContent = node.textContent ? `${node.textContent} ${text}` : text;
    node.hidden = false;
    if (fits) fieldOf(fits)?.setAttribute("aria-invalid", "true");
  }
}

function change(patch, ...fields) {
  sending += 1;
  queue = queue.then(() => send(patch, fields)).finally(() => {
    sending -= 1;
  });
}

async function send(patch, fields) {
  put("saved", "Applying…");
  let answer;
  try {
    const response = await fetch("/api/settings", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Scrim": "1" },
      body: JSON.stringify(patch),
      signal: AbortSignal.timeout(CHANGE_MS),
    });
    const text = await response.text();
    answer = response.headers.get("Content-Type")?.startsWith("application/json") ? JSON.parse(text) : { ok: false, errors: [{ message: text }] };
  } catch {
    answer = { ok: false, errors: [{ message: "scrim does not answer; nothing was changed" }] };
  }
  if (answer.ok) {
    clearErrors();
    chosen = null;
    for (const id of fields) delete $(id).dataset.edited;
  } else {
    showErrors(answer.errors);
    if (!form.querySelector(".pane:not([hidden]) .error:not([hidden])")) chosen = null;
  }
  put("saved", answer.ok ? "Applied." : "");
  await poll();
  if (sending === 1) showEffect();
}

const replacement = (values) => ({ background_replacement: values });
const strength = (value) => change({ background_blur: { strength: value } }, "strength");

for (const radio of radios) {
  radio.addEventListener("change", () => {
    clearErrors();
    put("saved", "");
    chosen = radio.value;
    showEffect();
    if (radio.value === "image" && !effect.image) {
      put("saved", "Choose an image to apply.");
    } else if (radio.value === "color" && !effect.color) {
      change({ effect: "color", ...replacement({ default_color: $("color").value }) });
    } else {
      change({ effect: radio.value });
    }
  });
}

$("strength").addEventListener("input", (event) => showStrength(Number(event.target.value)));
$("strength").addEventListener("change", (event) => strength(Number(event.target.value)));
form.addEventListener("click", (event) => {
  const name = event.target.dataset?.strength;
  if (name) strength(name);
});

function applyColor(value) {
  change({ effect: "color", ...replacement({ default_color: value }) }, "color", "color-text");
}
for (const value of SWATCHES) {
  const swatch = element("button");
  swatch.type = "button";
  swatch.value = value;
  swatch.style.backgroundColor = value;
  swatch.setAttribute("aria-label", value);
  swatch.addEventListener("click", () => applyColor(value));
  $("swatches").append(swatch);
}
$("color").addEventListener("change", (event) => applyColor(event.target.value));
$("color-apply").addEventListener("click", () => applyColor($("color-text").value.trim()));
$("image-apply").addEventListener("click", () =>
  change({ effect: "image", ...replacement({ background_image_url: $("image").value.trim(), fit: $("fit").value }) }, "image", "fit"),
);
$("fit").addEventListener("change", (event) => {
  if (effect?.image) change(replacement({ fit: event.target.value }), "fit");
});
for (const id of ["color-text", "image", "fit"]) $(id).addEventListener("input", () => ($(id).dataset.edited = "yes"));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const pane = document.activeElement?.closest(".pane")?.dataset.pane;
  if (pane === "color" || pane === "image") $(`${pane}-apply`).click();
});

// ---- round and round ----------------------------------------------------------------------------------------

async function ask() {
  try {
    const response = await fetch("/api/status", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

async function poll() {
  const answer = await ask();
  const status = answer?.status ?? null;
  const instance = answer?.gateway.started_ns ?? null;
  if (instance !== live.instance) play(false);
  live.instance = instance;
  showState(answer);
  play(Boolean(status) && !document.hidden);
  $("controls").disabled = !status;
  if (!status) return showNothing();
  effect = status.effect;
  showStatus(status);
  if (!sending) showEffect();
}

let round = 0;

async function loop(mine) {
  if (mine !== round) return;
  await poll();
  if (mine === round) setTimeout(loop, document.hidden ? HIDDEN_POLL_MS : POLL_MS, mine);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) play(false);
  loop(++round);
});
loop(round);
