// Small things that every part of the page uses.

export const $ = (id) => document.getElementById(id);

export function put(id, text) {
  const node = $(id);
  if (node.textContent !== text) node.textContent = text;
}

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("class", "stroke");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

export const number = (value, digits = 0) =>
  Number.isFinite(value) ? value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) : "–";

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min` : `${Math.floor(seconds)} s`;
}

// Shows an error below its field, and tells it to whoever cannot see.
export function showError(node, text) {
  node.textContent = node.textContent ? `${node.textContent} ${text}` : text;
  node.hidden = false;
  for (const field of document.querySelectorAll(`[aria-describedby~="${node.id}"]`)) field.setAttribute("aria-invalid", "true");
}

export function clearErrors(form) {
  for (const node of form.querySelectorAll(".error")) {
    node.hidden = true;
    node.textContent = "";
  }
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

export function inWords({ key, value, message, allowed }, withKey) {
  const what = [withKey ? key : "", value].filter(Boolean).join(" = ");
  return `${what ? `${what}: ` : ""}${message}${allowed ? `. Allowed: ${allowed}` : ""}`;
}

let answer = null; // takes the answer to the question that is open

// Asks before something that cannot be undone; true when the answer is yes.
export function asked(question, yes) {
  const dialog = $("question");
  // Browsers tell of a close with the next frame they paint; by then another question may be open.
  answer?.(dialog.returnValue === "yes");
  put("question-text", question);
  put("question-yes", yes);
  dialog.returnValue = "no";
  dialog.showModal();
  dialog.onclose = () => {
    if (dialog.open) return;
    answer?.(dialog.returnValue === "yes");
    answer = null;
  };
  return new Promise((resolve) => (answer = resolve));
}
