// The live picture: plays while scrim is there and somebody looks.

import { $, put } from "./dom.js";

const picture = $("picture");
const live = { wanted: false, stream: 0 };

export function play(wanted) {
  if (wanted === live.wanted) return;
  live.wanted = wanted;
  picture.hidden = true;
  if (wanted) {
    picture.src = `/preview.mjpg?n=${++live.stream}`;
    waitForPicture(live.stream);
  } else {
    picture.removeAttribute("src");
  }
  showBlank(true);
}

export function sayInstead(title, text) {
  put("blank-title", title);
  put("blank-text", text);
}

function showBlank(isBlank) {
  $("blank").hidden = !isBlank;
  $("tools").hidden = isBlank;
}

function waitForPicture(stream) {
  if (!live.wanted || stream !== live.stream) return;
  if (picture.naturalWidth) {
    picture.hidden = false;
    showBlank(false);
    $("screen").style.aspectRatio = `${picture.naturalWidth} / ${picture.naturalHeight}`;
  } else {
    setTimeout(waitForPicture, 50, stream);
  }
}

picture.addEventListener("error", () => {
  if (live.wanted) play(false); // the next look at the state starts it again
});

// ---- how it is shown here, and nowhere else -------------------------------------------------------------------

function mirror(isMirrored) {
  picture.classList.toggle("mirrored", isMirrored);
  $("mirror").setAttribute("aria-pressed", isMirrored);
}

function remembered() {
  try {
    return localStorage.getItem("mirror") === "yes";
  } catch {
    return false; // the browser keeps nothing for this page
  }
}

mirror(remembered());
$("mirror").addEventListener("click", () => {
  const isMirrored = $("mirror").getAttribute("aria-pressed") !== "true";
  mirror(isMirrored);
  try {
    localStorage.setItem("mirror", isMirrored ? "yes" : "no");
  } catch {
    return; // it is mirrored until the page is closed
  }
});

$("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : $("screen").requestFullscreen()));
