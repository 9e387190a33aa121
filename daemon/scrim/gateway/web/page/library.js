// The library: pictures to choose from, and the ways by which new ones come.

import { read, send, upload } from "./api.js";
import { $, asked, element, icon, put } from "./dom.js";

const KINDS = ["image/jpeg", "image/png", "image/webp"];
const MOST_BYTES = 8 * 1024 * 1024;

let pictures = [];
let shown = null; // what the gallery was drawn for
let selected = null;
let hooks = null;

export function startGallery(found) {
  hooks = found;
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    if (file) addFile(file);
    $("file").value = "";
  });
  $("image-add").addEventListener("click", () => addUrl($("image").value.trim()));
  watchDrops();
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (file && !$("controls").disabled) addFile(file);
  });
}

export async function loadGallery() {
  const found = await read("/api/backgrounds");
  if (!found) return;
  pictures = found.backgrounds;
  shown = null;
  showGallery(selected);
}

export function showGallery(url) {
  selected = url;
  const wanted = JSON.stringify([url, pictures.map((picture) => picture.id)]);
  const picture = pictures.find((each) => each.url === url);
  const thumb = picture?.thumb;
  $("card-image").hidden = !thumb;
  if (thumb && !$("card-image").src.endsWith(thumb)) $("card-image").src = thumb;
  $("card-hills").style.display = thumb ? "none" : "";
  if (wanted === shown) return;
  shown = wanted;
  const focused = document.activeElement?.closest("#gallery [data-id]")?.dataset.id;
  const tiles = pictures.map(tile);
  if (url && !picture) tiles.push(foreign(url));
  $("gallery").replaceChildren(addTile(), ...tiles);
  if (focused) $("gallery").querySelector(`[data-id="${focused}"]`)?.focus();
}

// ---- tiles ----------------------------------------------------------------------------------------------------

function addTile() {
  const button = element("button", { type: "button", class: "tile add", "data-id": "add" }, icon("add"), "Add picture");
  button.addEventListener("click", () => $("file").click());
  return element("li", {}, button);
}

function tile(picture) {
  const image = picture.thumb ? element("img", { src: picture.thumb, alt: "", loading: "lazy", width: 320, height: 180 }) : icon("file");
  const button = element("button", { type: "button", class: "tile", "data-id": picture.id, "aria-pressed": String(picture.url === selected) });
  button.append(image, element("span", { class: "title" }, picture.title));
  button.addEventListener("click", () => hooks.choose(picture.url));
  const item = element("li", {}, button);
  if (!picture.is_shipped) item.append(removal(picture));
  return item;
}

// A picture that is in effect and not in the library: from the web, or from a folder that is not listed.
function foreign(url) {
  const name = url.startsWith("data:") ? "A picture" : decodeURIComponent(url.replace(/^[a-z]+:\/*/, "").split(/[?#]/)[0].split("/").filter(Boolean).at(-1) ?? url);
  const button = element("button", { type: "button", class: "tile foreign", "data-id": "foreign", "aria-pressed": "true", title: url.slice(0, 200) });
  button.append(icon("web"), element("span", { class: "title" }, name));
  button.addEventListener("click", () => hooks.choose(url));
  return element("li", {}, button);
}

function removal(picture) {
  const button = element("button", { type: "button", class: "remove", "data-id": `remove-${picture.id}`, "aria-label": `Remove ${picture.title}`, title: "Remove" }, icon("remove"));
  button.addEventListener("click", async () => {
    if (!(await asked(`Remove “${picture.title}” from the library?`, "Remove"))) return;
    const answer = await send("/api/backgrounds/remove", { id: picture.id });
    if (!answer.ok) return hooks.refused(answer.errors);
    await loadGallery();
    hooks.working(`${picture.title} was removed.`);
    $("gallery").querySelector("[data-id=add]")?.focus();
  });
  return button;
}

// ---- new pictures ---------------------------------------------------------------------------------------------

async function addFile(file) {
  hooks.open();
  const name = file.name || "Picture";
  if (!KINDS.includes(file.type)) return hooks.refused([{ message: `${name} is not a picture that can be used. Allowed: JPEG, PNG or WebP` }]);
  if (file.size > MOST_BYTES) return hooks.refused([{ message: `${name} is larger than 8 MiB. Allowed: up to 8 MiB` }]);
  await taken(() => upload(file, name), name);
}

async function addUrl(url) {
  if (!url) return hooks.refused([{ message: "Type the address of a picture first" }]);
  hooks.open();
  // What lies on this computer only scrim's core can read.
  if (/^(?:file|library):/i.test(url)) return (await hooks.choose(url)) && ($("image").value = "");
  if (await taken(() => send("/api/backgrounds", { url }), "the picture")) $("image").value = "";
}

async function taken(bring, name) {
  hooks.working(`Adding ${name}…`);
  const answer = await bring();
  if (!answer.ok) {
    hooks.refused(answer.errors);
    return false;
  }
  await loadGallery();
  return hooks.choose(answer.background.url);
}

// ---- dropping -------------------------------------------------------------------------------------------------

function watchDrops() {
  let depth = 0;
  const isPicture = ({ dataTransfer }) => dataTransfer && [...dataTransfer.types].some((type) => type === "Files" || type === "text/uri-list");
  const over = (isOver) => ($("drop").hidden = !isOver || $("controls").disabled);
  addEventListener("dragenter", (event) => {
    if (!isPicture(event)) return;
    depth += 1;
    over(true);
  });
  addEventListener("dragleave", (event) => {
    if (!isPicture(event)) return;
    depth = Math.max(0, depth - 1);
    over(depth > 0);
  });
  addEventListener("dragover", (event) => {
    if (isPicture(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!isPicture(event)) return;
    event.preventDefault();
    depth = 0;
    over(false);
    if ($("controls").disabled) return;
    const [file] = event.dataTransfer.files;
    const url = event.dataTransfer.getData("text/uri-list").split("\n").find((line) => line && !line.startsWith("#"));
    if (file) addFile(file);
    else if (url) addUrl(url.trim());
  });
  put("image-error", "");
}
