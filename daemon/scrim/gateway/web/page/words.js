// What scrim says of itself, in words for people.

export const REASONS = {
  starting: "Camera is starting",
  camera_lost: "Camera is not available",
  no_safe_picture: "Picture is protected",
  effect_off: "No effect is on",
  stopping: "Camera is off",
  nobody: "Nobody is here",
  privacy: "Camera is off",
  idle: "Nobody watches",
  safe_mode: "Camera is recovering",
};
const EFFECTS = { blur: "Background blurred", image: "Background replaced", color: "Background replaced" };
const CLOSERS = { settings: "here", button: "by the button", "usb host": "by the computer at the cable", "safe mode": "for a while, after crashes" };
const LEVELS = { time: "for want of time", temperature: "because it is hot", "under-voltage": "because the power supply is weak" };

export const SINKS = { feed: "This page" };
export const STAGES = { capture: "Capture", segment: "Person", matte: "Edge", composite: "Compose" };
export const CAMERA = { live: "On", starting: "Starting", lost: "Not available", off: "Off", idle: "Closed, nobody watches" };

// Tone, words for the state, and what stands where the picture would be.
export function stateOf(answer) {
  if (!answer) return ["bad", "Page is disconnected", "scrim does not answer", "This page comes back by itself."];
  const status = answer.status;
  if (!status) return ["bad", "scrim is not running", "No picture", "scrim's core is not running. This page comes back by itself."];
  const reason = REASONS[status.placeholder_reason] ?? status.placeholder_reason ?? "";
  if (status.state === "starting") return ["wait", "Starting"];
  if (status.placeholder_reason === "privacy") return ["wait", "Camera is off"];
  if (status.state === "placeholder") return ["warn", `Placeholder${reason ? ": " + reason.toLowerCase() : ""}`];
  if (status.effect.effect in EFFECTS && status.state === "running") return ["good", EFFECTS[status.effect.effect]];
  if (reason) return ["wait", "Off: a placeholder is shown"];
  return ["bad", "Plain picture: the room is visible"];
}

export function closedBy(parties) {
  const others = parties.filter((party) => party !== "settings");
  return others.length ? `Switched off ${others.map((party) => CLOSERS[party] ?? `by ${party}`).join(" and ")}` : "";
}

export function qualityOf({ level, reason }) {
  return level ? `Reduced (${level}) ${LEVELS[reason] ?? ""}`.trim() : "Full";
}

// Tone and words of an event; null for what nobody needs to read.
export function eventInWords(event) {
  const why = event.reason ? `: ${String(event.reason).replaceAll("_", " ")}` : "";
  switch (event.event) {
    case "core_here":
      return ["good", "scrim is running"];
    case "core_gone":
      return ["bad", "scrim is not running"];
    case "camera_lost":
      return ["bad", `Camera lost${why}`];
    case "camera_back":
      return ["good", "Camera is back"];
    case "delegate_lost":
      return ["warn", `Accelerator lost${why}`];
    case "delegate_back":
      return ["good", "Accelerator is back"];
    case "placeholder_shown":
      return ["warn", `Placeholder shown: ${(REASONS[event.reason] ?? String(event.reason ?? "")).toLowerCase()}`];
    case "placeholder_gone":
      return ["good", "Picture is back"];
    case "memory_high":
      return ["bad", "scrim took too much memory and is started again"];
    case "level_changed":
      return event.level ? ["warn", `Quality reduced ${LEVELS[event.reason] ?? ""}`] : ["good", "Quality is full again"];
    case "background_filter_started":
      return ["good", "Background is filtered"];
    case "background_filter_config_selected":
      return ["plain", "Settings changed"];
    case "background_filter_failed":
      return ["bad", `A frame could not be filtered${why}`];
    case "filter_frame_duration_high":
      return ["warn", "Filtering a frame takes long"];
    case "filter_cpu_utilization_high":
      return ["warn", "Filtering takes much of the processor"];
    default:
      return ["plain", event.event.replaceAll("_", " ")];
  }
}
