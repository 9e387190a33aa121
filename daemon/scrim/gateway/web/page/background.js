// What is shown behind the person: the cards, and what belongs to each.

import { change, isChanging, onChange } from "./change.js";
import { $, clearErrors, element, inWords, number, put, showError } from "./dom.js";
import { showGallery, startGallery } from "./library.js";

const STRENGTHS = { low: 7, medium: 15, high: 30 };
const SWATCHES = ["#ffffff", "#e8e4da", "#c9d6df", "#8fa9b8", "#336699", "#0f766e", "#3d6b45", "#7a3b3b", "#5b4b8a", "#3f4b57", "#1d242b", "#000000"];
const SLIDE_MS = 200;

const form = $("background");
const radios = [...form.elements.namedItem("effect")];
const source = "background";

const STALE_MS = 3000;

let effect = null; // what scrim says is in effect
let chosen = null; // a card chosen here that still lacks its picture
let newest = { revision: 0, until_ms: 0 }; // what a change was answered with; the state may be older for a moment

export function showEffect(found, revision) {
  if (revision < newest.revision && Date.now() < newest.until_ms) return;
  effect = found;
  if (!isChanging()) show();
}

function effectIn({ background_blur: blur, background_replacement: replacement }) {
  const { background_image_url: image, default_color: color, fit } = replacement;
  const replaced = image ? "image" : "color";
  const kind = blur.is_enabled ? "blur" : replacement.is_enabled ? replaced : "off";
  return { effect: kind, strength: STRENGTHS[blur.strength] ?? blur.strength, color, image, image_error: null, fit };
}

function show() {
  if (!effect) return;
  const kind = chosen ?? effect.effect;
  for (const radio of radios) radio.checked = radio.value === kind;
  for (const pane of form.querySelectorAll(".pane")) pane.hidden = pane.dataset.pane !== kind;
  unlessEdited("strength", Math.min(60, effect.strength));
  if (!$("strength").dataset.edited) showStrength(effect.strength);
  unlessEdited("color-text", effect.color ?? "");
  unlessEdited("color", effect.color ?? "#336699");
  $("card-color").style.fill = effect.color ?? "";
  put("image-missing", effect.image_error ? `Black stands in for the picture: ${effect.image_error}` : "");
  $("image-missing").hidden = !effect.image_error;
  unlessEdited("fit", effect.fit);
  for (const swatch of $("swatches").children) swatch.setAttribute("aria-pressed", swatch.value === effect.color);
  showGallery(effect.image);
}

function unlessEdited(id, value) {
  const field = $(id);
  if (field.dataset.edited || document.activeElement === field) return;
  if (field.value !== String(value)) field.value = value;
}

function showStrength(value) {
  const exact = Object.keys(STRENGTHS).find((name) => STRENGTHS[name] === value);
  put("strength-name", exact ?? "");
  unlessEdited("strength-number", Number(value.toFixed(1)));
  $("strength").setAttribute("aria-valuetext", exact ? `${number(value)}, ${exact}` : number(value, value % 1 ? 1 : 0));
  for (const button of form.querySelectorAll("[data-strength]")) button.setAttribute("aria-pressed", button.dataset.strength === exact);
}

// ---- what comes of a change -----------------------------------------------------------------------------------

function say(text) {
  put("saved", text);
}

function showErrors(errors) {
  clearErrors(form);
  for (const error of errors) {
    const keys = error.key?.split(" and ") ?? [];
    const place = [...form.querySelectorAll(".error[data-key]")].find(
      (node) => keys.includes(node.dataset.key) && !node.parentElement.closest("[hidden]"),
    );
    showError(place ?? $("other-error"), inWords(error, !place));
  }
}

let attempts = 0; // the answer to an older one must not wipe away what was said of a newer

async function apply(patch, ...fields) {
  const attempt = ++attempts;
  say("Applying…");
  const answer = await change(patch, source);
  if (answer.ok) {
    if (attempt === attempts) clearErrors(form);
    chosen = null;
    for (const id of fields) delete $(id).dataset.edited;
  } else {
    showErrors(answer.errors);
    if (!form.querySelector(".pane:not([hidden]) .error:not([hidden])")) chosen = null;
  }
  if (attempt === attempts) say(answer.ok ? "Applied." : "");
  show();
  return answer.ok;
}

const replacement = (values) => ({ background_replacement: values });

// ---- cards ----------------------------------------------------------------------------------------------------

for (const radio of radios) {
  radio.addEventListener("change", () => {
    clearErrors(form);
    say("");
    chosen = radio.value;
    show();
    if (radio.value === "image" && !effect.image) {
      say("Choose a picture to apply.");
    } else if (radio.value === "color" && !effect.color) {
      apply({ effect: "color", ...replacement({ default_color: $("color").value }) });
    } else {
      apply({ effect: radio.value });
    }
  });
}

// ---- strength -------------------------------------------------------------------------------------------------

let sliding = null;

function strength(value, ...fields) {
  clearTimeout(sliding);
  sliding = null;
  return apply({ background_blur: { strength: value } }, "strength", "strength-number", ...fields);
}

// On the way: where the slider stands is nobody's but the hand's until it lets go.
function slide(value) {
  sliding = null;
  apply({ background_blur: { strength: value } });
}

$("strength").addEventListener("input", (event) => {
  const value = Number(event.target.value);
  event.target.dataset.edited = "yes";
  delete $("strength-number").dataset.edited;
  showStrength(value);
  sliding ??= setTimeout(() => slide(Number(event.target.value)), SLIDE_MS);
});
$("strength").addEventListener("change", (event) => strength(Number(event.target.value)));
$("strength-number").addEventListener("change", (event) => strength(event.target.value.trim() === "" ? null : Number(event.target.value)));
form.addEventListener("click", (event) => {
  const name = event.target.dataset?.strength;
  if (name) strength(name);
});

// ---- colour ---------------------------------------------------------------------------------------------------

const color = (value) => apply({ effect: "color", ...replacement({ default_color: value }) }, "color", "color-text");

for (const value of SWATCHES) {
  const swatch = element("button", { type: "button", value, "aria-label": value, "aria-pressed": "false" });
  swatch.style.backgroundColor = value;
  swatch.addEventListener("click", () => color(value));
  $("swatches").append(swatch);
}
$("color").addEventListener("change", (event) => color(event.target.value));
$("color-apply").addEventListener("click", () => color($("color-text").value.trim()));

// ---- picture --------------------------------------------------------------------------------------------------

startGallery({
  choose: (url) => apply({ effect: "image", ...replacement({ background_image_url: url }) }),
  working(text) {
    attempts += 1;
    clearErrors(form);
    say(text);
  },
  refused(errors) {
    attempts += 1;
    say("");
    $("image-error").textContent = "";
    for (const error of errors) showError($("image-error"), inWords(error));
  },
  open() {
    chosen = "image";
    show();
  },
});
$("fit").addEventListener("change", (event) => effect?.image && apply(replacement({ fit: event.target.value }), "fit"));

for (const id of ["color-text", "strength-number", "fit"]) $(id).addEventListener("input", () => ($(id).dataset.edited = "yes"));
for (const [id, button] of [["color-text", "color-apply"], ["image", "image-add"]]) {
  $(id).addEventListener("keydown", (event) => {
    if (event.key === "Enter") $(button).click();
  });
}
form.addEventListener("submit", (event) => event.preventDefault());

onChange(({ ok, result }, from) => {
  if (!ok || !result?.settings) return;
  if (from !== source) chosen = null;
  newest = { revision: result.revision, until_ms: Date.now() + STALE_MS };
  effect = effectIn(result.settings);
});
