// Trying on a crop: one part of the picture through every model that is here, one after the other,
// with its time, and what the whole picture would take.

import { cancel, follow, send, UNFINISHED } from "./api.js";
import { cut, detailed } from "./looking.js";
import * as models from "./models.js";
import { seconds, t } from "./words.js";

const by = (id) => document.getElementById(id);
const dialog = by("trial"), map = by("map-picture"), frame = by("frame");
const MAP_PX = 480;
const QUICK_S = 2; // a first run as quick as that has mostly loaded its model: time a second one
const STEP = 8;

let picture = null, bitmap = null, options = {}, wholePixels = 0, take = () => {};
let at = { x: 0, y: 0 }, side = 128, round = 0, running = null, urls = [];

const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));

export function open(given) {
  ({ picture, bitmap, options, wholePixels, take } = given);
  const zoom = Math.min(MAP_PX / bitmap.width, MAP_PX / bitmap.height, 4);
  map.width = Math.max(1, Math.round(bitmap.width * zoom));
  map.height = Math.max(1, Math.round(bitmap.height * zoom));
  const pen = map.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, map.width, map.height);
  const part = (length) => Math.min(1, side / length);
  const centre = detailed(bitmap, part(bitmap.width), part(bitmap.height));
  at = { x: centre.x * bitmap.width - side / 2, y: centre.y * bitmap.height - side / 2 };
  place();
  by("tiles").replaceChildren();
  by("trial-say").textContent = "";
  dialog.showModal();
  by("trial-go").focus();
}

const box = () => {
  const width = Math.min(side, bitmap.width), height = Math.min(side, bitmap.height);
  return { x: Math.round(at.x), y: Math.round(at.y), width, height };
};

function place() {
  const { width, height } = box();
  at.x = clamp(at.x, 0, bitmap.width - width);
  at.y = clamp(at.y, 0, bitmap.height - height);
  Object.assign(frame.style, {
    left: `${100 * at.x / bitmap.width}%`, top: `${100 * at.y / bitmap.height}%`,
    width: `${100 * width / bitmap.width}%`, height: `${100 * height / bitmap.height}%`,
  });
  by("frame-size-value").textContent = `${side} px`;
}

function moveTo(event) {
  const seen = map.getBoundingClientRect();
  const { width, height } = box();
  at.x = (event.clientX - seen.left) / seen.width * bitmap.width - width / 2;
  at.y = (event.clientY - seen.top) / seen.height * bitmap.height - height / 2;
  place();
}

by("map").addEventListener("pointerdown", (event) => {
  event.preventDefault();
  by("map").setPointerCapture(event.pointerId);
  frame.focus();
  moveTo(event);
});
by("map").addEventListener("pointermove", (event) => {
  if (by("map").hasPointerCapture(event.pointerId)) moveTo(event);
});
frame.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!move) return;
  event.preventDefault();
  at.x += move[0] * STEP;
  at.y += move[1] * STEP;
  place();
});
by("frame-size").addEventListener("input", () => {
  const middle = { x: at.x + side / 2, y: at.y + side / 2 };
  side = Number(by("frame-size").value);
  at = { x: middle.x - side / 2, y: middle.y - side / 2 };
  place();
});

function tile(model) {
  const item = document.createElement("li");
  const shown = document.createElement("div"), name = document.createElement("h3");
  const time = document.createElement("p"), button = document.createElement("button");
  shown.className = "shown";
  name.textContent = models.title(model);
  time.textContent = t("waiting");
  Object.assign(button, { type: "button", textContent: t("try_take"), disabled: true });
  button.setAttribute("aria-label", t("try_take_model", { model: model.name }));
  button.addEventListener("click", () => {
    dialog.close();
    take(model.name);
  });
  item.append(shown, name, time, button);
  item.dataset.model = model.name;
  return { item, shown, time, button };
}

// Runs a part through a model; returns {url, seconds, pixels}.
async function once(part, model, mine) {
  const blob = await cut(bitmap, part);
  const asked = { ...options, model, format: "png" };
  if (!models.named(model)?.clean) delete asked.clean;
  if (!asked.scale) { // a size in pixels is meant for the whole picture
    for (const name of ["width", "height", "long_side"]) delete asked[name];
    asked.scale = String(clamp(Math.sqrt(wholePixels / (bitmap.width * bitmap.height)), 1, 16));
  }
  const stop = new AbortController();
  const job = await send(blob, {
    options: asked, name: `${picture.name.replace(/\.[^.]*$/, "")}-part.png`, progress: () => {},
    idempotencyKey: Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join("-"), signal: stop.signal,
  });
  running = job;
  const ended = UNFINISHED.has(job.state)
    ? await new Promise((resolve) => follow(job.id, (now) => (!now || !UNFINISHED.has(now.state)) && resolve(now)))
    : job;
  running = null;
  if (mine !== round) return null;
  if (ended?.state !== "done") throw new Error(ended?.error?.detail || t("failed"));
  const took = ended.started ? (new Date(ended.finished) - new Date(ended.started)) / 1000 : null;
  return { job: ended, took, pixels: ended.result.width * ended.result.height };
}

// The same part moved by a pixel: another picture, so that no kept result answers.
function beside(part) {
  const room = part.x + part.width < bitmap.width ? 1 : part.x > 0 ? -1 : 0;
  return room ? { ...part, x: part.x + room } : null;
}

async function tried(model, made, part, mine) {
  made.time.textContent = t("try_running");
  made.item.dataset.state = "running";
  let found = await once(part, model.name, mine);
  if (!found) return;
  const shown = new Image();
  Object.assign(shown, { alt: t("try_alt", { model: model.name }), src: found.job.links.result });
  made.shown.replaceChildren(shown);
  const next = beside(part);
  if (next && (found.took === null || found.took < QUICK_S)) {
    const second = await once(next, model.name, mine);
    if (!second) return;
    if (second.took !== null && (found.took === null || second.took < found.took)) found = second;
  }
  if (found.took) models.heard(model.name, found.pixels / found.took);
  const whole = models.estimate(model.name, wholePixels);
  made.time.textContent = [
    found.took ? t("try_took", { time: seconds(found.took) }) : t("cached"),
    whole ? t("try_whole", { time: seconds(whole) }) : "",
  ].filter(Boolean).join(" · ");
  made.button.disabled = false;
  made.item.dataset.state = "done";
}

async function go() {
  const mine = (round += 1);
  const part = box();
  const chosen = models.usable();
  const made = chosen.map(tile);
  by("tiles").replaceChildren(...made.map((one) => one.item));
  const go_ = by("trial-go");
  go_.disabled = true;
  try {
    await models.load();
    for (const [place_, model] of chosen.entries()) {
      by("trial-say").textContent = t("try_at", { model: models.title(model), n: place_ + 1, all: chosen.length });
      try {
        await tried(model, made[place_], part, mine);
      } catch (problem) {
        if (mine !== round) return;
        made[place_].time.textContent = problem.message || problem.detail;
        made[place_].item.dataset.state = "failed";
      }
      if (mine !== round) return;
    }
    by("trial-say").textContent = t("try_done");
    await models.load();
  } finally {
    if (mine === round) go_.disabled = false;
  }
}

by("trial-go").addEventListener("click", go);
by("trial-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  round += 1;
  by("trial-go").disabled = false;
  if (running) cancel(running.id).catch(() => {}); // what nobody looks at need not be done
  running = null;
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
