// What the page asks of scrim. Every answer has "ok", and "errors" where it has not.

const ANSWER_MS = 4000;
const CHANGE_MS = 25000; // a picture may be slow to come
const UPLOAD_MS = 90000;

export const events = new EventTarget(); // "locked": the password is asked for

async function answered(path, options, timeout_ms) {
  try {
    const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(timeout_ms), ...options });
    if (response.status === 401 && path !== "/api/login") events.dispatchEvent(new Event("locked"));
    const text = await response.text();
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    return { status: response.status, body: isJson ? JSON.parse(text) : { ok: false, errors: [{ message: text }] } };
  } catch {
    return { status: 0, body: { ok: false, errors: [{ message: "scrim does not answer; nothing was changed" }] } };
  }
}

export async function read(path) {
  const { status, body } = await answered(path, {}, ANSWER_MS);
  return status === 200 ? body : null;
}

const post = async (path, type, data, timeout_ms) =>
  (await answered(path, { method: "POST", headers: { "Content-Type": type, "X-Scrim": "1" }, body: data }, timeout_ms)).body;

export const send = (path, document = {}) => post(path, "application/json", JSON.stringify(document), CHANGE_MS);

export const upload = (file, name) => post(`/api/backgrounds?name=${encodeURIComponent(name)}`, file.type, file, UPLOAD_MS);
