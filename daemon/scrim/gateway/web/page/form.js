// All settings, as a form that is made from their JSON schema.

import { change, changed } from "./change.js";
import { read, send } from "./api.js";
import { $, asked, clearErrors, element, inWords, put, showError } from "./dom.js";

const UNITS = { s: "seconds", ms: "milliseconds", px: "pixels" };
const GENERAL = "general";

let schema = null;
let settings = null;
let fields = new Map(); // dotted key to {input, kind}

// ---- words ----------------------------------------------------------------------------------------------------

function label(key) {
  const words = key.replace(/^is_/, "").split("_");
  const unit = words.length > 1 ? UNITS[words.at(-1)] : undefined;
  if (unit) words.pop();
  const text = words.join(" ").replace(/\burl\b/, "URL").replace(/\bcpu\b/, "CPU");
  return text[0].toUpperCase() + text.slice(1) + (unit ? `, ${unit}` : "");
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

function shown(value) {
  if (value === null || value === "") return "empty";
  if (value === true || value === false) return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length ? value.map(shown).join(", ") : "none";
  return String(value);
}

// ---- the form -------------------------------------------------------------------------------------------------

// The settings of each section, those without one first: [section, key, leaf].
function* leaves() {
  const sections = Object.entries(schema.properties);
  for (const [key, leaf] of sections) if (!leaf.properties) yield [GENERAL, key, leaf];
  for (const [section, { properties }] of sections) for (const [key, leaf] of Object.entries(properties ?? {})) yield [section, key, leaf];
}

const dotted = (section, key) => (section === GENERAL ? key : `${section}.${key}`);
const patchOf = (section, key, value) => (section === GENERAL ? { [key]: value } : { [section]: { [key]: value } });
const valueOf = (section, key) => (section === GENERAL ? settings[key] : settings[section]?.[key]);

// What kind of field a setting wants, told from its schema.
function kindOf(leaf) {
  const branches = leaf.anyOf ?? [leaf];
  const types = branches.map((branch) => branch.type);
  const isOptional = types.includes("null");
  if (leaf.type === "boolean") return { type: "boolean" };
  if (leaf.enum) return { type: "choice", of: leaf.enum };
  if (types.includes("number") && types.includes("string")) return { type: "mixed", of: branches.flatMap((branch) => branch.enum ?? []) };
  if (types.includes("number") || types.includes("integer")) return { type: "number", leaf, isOptional };
  return { type: "text", isOptional };
}

function fieldFor(id, kind) {
  switch (kind.type) {
    case "boolean":
      return element("input", { id, type: "checkbox", role: "switch" });
    case "choice":
      return element("select", { id }, ...kind.of.map((value) => element("option", { value: String(value) }, String(value))));
    case "number":
      return element("input", { id, type: "number", min: kind.leaf.minimum ?? "", max: kind.leaf.maximum ?? "", step: "any", inputMode: "decimal" });
    default:
      return element("input", { id, type: "text", autocomplete: "off", spellcheck: false });
  }
}

function valueIn(input, kind) {
  if (kind.type === "boolean") return input.checked;
  const text = input.value.trim();
  if (text === "") return null;
  if (kind.type === "choice") return kind.of.find((value) => String(value) === text);
  if (kind.type === "number" || (kind.type === "mixed" && !Number.isNaN(Number(text)))) return Number(text);
  return text;
}

function showIn(input, kind, value) {
  if (kind.type === "boolean") input.checked = value;
  else input.value = value ?? "";
}

function row(section, key, leaf) {
  const name = dotted(section, key);
  const id = `setting-${name.replaceAll(".", "-")}`;
  const kind = kindOf(leaf);
  const input = fieldFor(id, kind);
  input.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
  input.addEventListener("input", () => (input.dataset.edited = "yes"));
  input.addEventListener("change", () => apply(name, patchOf(section, key, valueIn(input, kind))));
  fields.set(name, { input, kind, section, key });
  const node = element("div", { class: `setting ${kind.type}` }, element("label", { htmlFor: id }, label(key)), input);
  if (kind.of && kind.type === "mixed") {
    const list = element("datalist", { id: `${id}-list` }, ...kind.of.map((value) => element("option", { value })));
    input.setAttribute("list", list.id);
    node.append(list);
  }
  const isPlain = kind.type === "boolean" || kind.type === "choice";
  const restart = leaf.needsRestart ? " In effect after a restart." : "";
  const hint = sentence(leaf.description) + (isPlain ? "" : ` Allowed: ${leaf.allowed}.`) + restart;
  node.append(element("p", { class: "hint", id: `${id}-hint` }, hint), element("p", { class: "error", id: `${id}-error`, hidden: true }));
  return node;
}

function build() {
  fields = new Map();
  const groups = new Map();
  const facts = new Map();
  for (const [section, key, leaf] of leaves()) {
    if (!leaf.isLive) {
      if (!facts.has(section)) facts.set(section, element("dl"));
      facts.get(section).append(element("dt", { title: sentence(leaf.description) }, key), element("dd", { "data-key": dotted(section, key) }, "–"));
      continue;
    }
    if (!groups.has(section)) {
      const title = section === GENERAL ? "Time and reports" : label(section);
      const group = element("fieldset", { class: "group" }, element("legend", {}, title));
      const about = schema.properties[section]?.description;
      if (about) group.append(element("p", { class: "hint" }, about));
      groups.set(section, group);
    }
    groups.get(section).append(row(section, key, leaf));
  }
  const general = groups.get(GENERAL);
  groups.delete(GENERAL);
  $("settings-form").replaceChildren(...groups.values(), ...(general ? [general] : []));
  const inFile = [...facts].map(([section, list]) => element("section", {}, element("h4", {}, section), list));
  $("file-settings").replaceChildren(...inFile);
}

function fill() {
  for (const { input, kind, section, key } of fields.values()) {
    if (input.dataset.edited || (document.activeElement === input && kind.type !== "boolean")) continue;
    showIn(input, kind, valueOf(section, key));
  }
  for (const node of $("file-settings").querySelectorAll("dd")) {
    const [section, key] = node.dataset.key.includes(".") ? node.dataset.key.split(".") : [GENERAL, node.dataset.key];
    node.textContent = shown(valueOf(section, key));
  }
}

// ---- changes --------------------------------------------------------------------------------------------------

async function apply(name, patch) {
  put("settings-saved", "Applying…");
  const answer = await change(patch, "settings");
  const { input, kind, section, key } = fields.get(name);
  clearError(input);
  if (answer.ok) {
    delete input.dataset.edited;
    showIn(input, kind, valueOf(section, key)); // also where the cursor still stands in it
  } else {
    showErrors(answer.errors, name);
  }
  put("settings-saved", answer.ok ? "Applied." : "");
  fill();
}

function clearError(input) {
  const node = $(`${input.id}-error`);
  node.hidden = true;
  node.textContent = "";
  input.removeAttribute("aria-invalid");
}

function showErrors(errors, name) {
  for (const error of errors) {
    const keys = error.key?.split(" and ") ?? [];
    const place = keys.includes(name) ? name : keys.find((key) => fields.has(key));
    showError($(`${fields.get(place ?? name).input.id}-error`), inWords(error, keys[0] !== (place ?? name)));
  }
}

export function showSettings(found) {
  settings = found;
  if (schema) fill();
}

// What was changed and waits for a restart: said at each field, and beside the button that does it.
export function showWaiting(keys) {
  for (const [name, { input }] of fields) input.closest(".setting").classList.toggle("waiting", keys.includes(name));
  put("waiting", keys.length ? `${keys.join(", ")}: in effect after a restart.` : "");
  $("restart").classList.toggle("primary", keys.length > 0);
}

$("settings").addEventListener("toggle", async () => {
  if (schema || !$("settings").open) return;
  schema = await read("/api/schema");
  if (!schema) return;
  build();
  if (settings) fill();
});
$("settings-form").addEventListener("submit", (event) => event.preventDefault());

$("reset").addEventListener("click", async () => {
  if (!(await asked("Forget everything that was changed here, and go back to the settings file?", "Go back"))) return;
  const answer = await changed(() => send("/api/reset"), "settings");
  clearErrors($("settings-form"));
  for (const { input } of fields.values()) delete input.dataset.edited;
  fill();
  put("settings-saved", answer.ok ? "The settings are as the file has them." : answer.errors.map((error) => inWords(error, true)).join(" "));
});
$("restart").addEventListener("click", async () => {
  if (!(await asked("Restart scrim? Others see the placeholder for a few seconds.", "Restart"))) return;
  const answer = await send("/api/restart");
  put("settings-saved", answer.ok ? "scrim is starting again." : answer.errors.map((error) => inWords(error, true)).join(" "));
});
