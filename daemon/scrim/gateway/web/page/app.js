// The page of scrim: asks for the state once a second, and shows it.

import { events, read } from "./api.js";
import { showEffect } from "./background.js";
import { change, isChanging, onChange } from "./change.js";
import { $, inWords, put } from "./dom.js";
import { showSettings, showWaiting } from "./form.js";
import { loadGallery } from "./library.js";
import { lock, onLogin, unlock } from "./login.js";
import { play } from "./picture.js";
import { forget, showHappenings, showNothing, showState, showStatus } from "./status.js";

const POLL_MS = 1000;
const HIDDEN_POLL_MS = 5000;

let instance = null; // of the gateway: another one has another past
let last = 0; // the number of the last thing that is known to have happened
let revision = null;
let isLocked = false;

async function poll() {
  const at = `/api/status?after=${last}`;
  const answer = (await read(at)) ?? (isLocked ? null : await read(at)); // once is no sign of anything
  if (isLocked) return;
  const status = answer?.status ?? null;
  const found = answer?.gateway.started_ns ?? null;
  if (found !== instance) {
    play(false);
    instance = found;
    if (found) return begin(answer);
  }
  showState(answer);
  play(Boolean(status) && !document.hidden);
  if (answer) {
    last = Math.max(last, ...[...answer.events, ...answer.samples].map((each) => each.number));
    showHappenings(answer);
  }
  $("controls").disabled = $("camera").disabled = !status;
  if (!status) return showNothing();
  showStatus(status);
  showEffect(status.effect, status.revision);
  showWaiting(status.restart_needed ?? []);
  if (status.revision !== revision && !isChanging()) {
    revision = status.revision;
    takeSettings((await read("/api/settings"))?.result);
  }
}

// Another gateway, or the first one: all of its past, and its pictures.
async function begin(answer) {
  unlock(answer.gateway.asks_for_password);
  last = 0;
  revision = null;
  forget();
  await loadGallery();
  await poll();
}

// ---- the camera's switch --------------------------------------------------------------------------------------

function takeSettings(found) {
  if (!found?.settings) return;
  sayCamera(found.settings.camera.is_enabled);
  showSettings(found.settings);
}

const sayCamera = (isOn) => $("camera").setAttribute("aria-checked", isOn);

$("camera").addEventListener("click", async () => {
  const isOn = $("camera").getAttribute("aria-checked") !== "true";
  sayCamera(isOn);
  const answer = await change({ camera: { is_enabled: isOn } }, "camera");
  if (!answer.ok) {
    sayCamera(!isOn);
    put("camera-note", answer.errors.map((error) => inWords(error)).join(" "));
  }
});

onChange(({ ok, result }) => {
  if (ok) takeSettings(result);
  return poll();
});

// ---- round and round ------------------------------------------------------------------------------------------

let round = 0;

async function loop(mine) {
  if (mine !== round || isLocked) return;
  await poll();
  if (mine === round && !isLocked) setTimeout(loop, document.hidden ? HIDDEN_POLL_MS : POLL_MS, mine);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) play(false);
  loop(++round);
});
events.addEventListener("locked", () => {
  isLocked = true;
  play(false);
  lock();
});
onLogin(() => {
  isLocked = false;
  instance = null;
  loop(++round);
});
loop(round);
