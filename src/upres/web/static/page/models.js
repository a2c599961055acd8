// The models: which there are here, how fast they are by this server's own jobs, fetching one.

import { API, ask } from "./api.js";
import { bytes, modelName, percent, seconds, t } from "./words.js";

const by = (id) => document.getElementById(id);
const LOOK_MS = 1000;
const FIRST = ["auto", "fast", "lite", "photo", "edsr"];

export const models = new EventTarget();
export let list = [];
let mayPull = false;
const speeds = new Map(); // measured on this page, in output pixels a second

export const named = (name) => list.find((model) => model.name === name);
export const usable = () => list.filter((model) => model.installed);

export function title(model) {
  const known = modelName(model.name);
  const largest = Math.max(0, ...model.networks.map((network) => network.bytes));
  return largest >= 1e6 ? `${known} ${bytes(largest)}` : known;
}

export function heard(name, pixelsPerSecond) {
  speeds.set(name, Math.max(pixelsPerSecond, speeds.get(name) || 0));
}

// Seconds for so many pixels of result, or null where nothing was ever measured. Short jobs make a
// model seem slower than it is, so the better of two figures is the nearer one.
export function estimate(name, pixels) {
  const speed = Math.max(named(name)?.output_px_per_s || 0, speeds.get(name) || 0);
  return speed ? pixels / speed : null;
}

export const about = (name, pixels) => {
  const time = pixels ? estimate(name, pixels) : null;
  return time === null ? "" : t("about", { time: seconds(time) });
};

const place = (model) => {
  const at = FIRST.indexOf(model.name);
  return at < 0 ? FIRST.length : at;
};

export async function load() {
  const answer = await ask(`${API}/models`);
  list = answer.models.sort((a, b) => place(a) - place(b));
  mayPull = answer.may_pull;
  models.dispatchEvent(new Event("changed"));
  const running = list.find((model) => model.pull?.state === "running");
  if (running) follow(running.name);
}

let following = "";
async function follow(name) {
  if (following) return;
  following = name;
  while (named(name)?.pull?.state === "running") {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    try {
      list = (await ask(`${API}/models`)).models.sort((a, b) => place(a) - place(b));
    } catch {
      continue; // away for a moment; the download is not
    }
    models.dispatchEvent(new Event("changed"));
  }
  following = "";
}

async function pull(name) {
  try {
    await ask(`${API}/models/${encodeURIComponent(name)}/pull`, { method: "POST" });
    await load();
  } catch (problem) {
    by("pull").replaceChildren(line(t("pull_failed", { why: problem.detail })));
  }
}

function line(text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  return paragraph;
}

// Says what it takes to use a model that is not here yet.
export function offer(name) {
  const panel = by("pull"), model = named(name);
  panel.hidden = !model || model.installed;
  if (panel.hidden) return;
  const total = model.networks.filter((network) => !network.installed).reduce((sum, one) => sum + one.bytes, 0);
  const going = model.pull?.state === "running";
  if (going && panel.dataset.going === name) {
    panel.querySelector("progress").value = model.pull.done_bytes / model.pull.total_bytes;
    panel.querySelector("p").textContent = pulling(model);
    return;
  }
  panel.dataset.going = going ? name : "";
  if (going) {
    const bar = document.createElement("progress");
    bar.value = model.pull.done_bytes / model.pull.total_bytes;
    bar.setAttribute("aria-label", t("pull_progress", { name: title(model) }));
    panel.replaceChildren(line(pulling(model)), bar);
  } else if (mayPull) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: t("pull", { size: bytes(total) }) });
    button.addEventListener("click", () => pull(name));
    const failed = model.pull?.state === "failed" ? [line(t("pull_failed", { why: model.pull.error?.detail || "" }))] : [];
    panel.replaceChildren(line(t("pull_say", { name: title(model), size: bytes(total) })), ...failed, button);
  } else panel.replaceChildren(line(t("pull_not", { name: title(model), command: `upres models pull ${name}` })));
}

const pulling = (model) =>
  t("pulling", { name: title(model), part: percent(model.pull.done_bytes / model.pull.total_bytes) });
