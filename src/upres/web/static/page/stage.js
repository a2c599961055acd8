// The stage: two layers of one size under a slider, zoomed and moved together.
//
// zoom is in pixels of the screen for one of the result; x, y is where the sheet's left upper corner
// lies on the stage. Nothing here knows what the layers show.

import { t } from "./words.js";

const by = (id) => document.getElementById(id);
const stage = by("stage"), sheet = by("sheet"), split = by("split"), handle = by("handle");
const STEPS = [1/32, 1/16, 1/8, 1/6, 1/4, 1/3, 1/2, 2/3, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
const GRIP = 24;
const STEP_PX = 48;
const GRID_FROM = 6;

export const moved = new EventTarget();
const view = { width: 0, height: 0, zoom: 1, x: 0, y: 0, fits: true, split: 0.5, single: true };

const scale = () => view.zoom / (window.devicePixelRatio || 1);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const margin = () => (stage.clientWidth < 600 ? 8 : 24);

export function fitZoom() {
  const room = (side) => Math.max(1, side - 2 * margin());
  const zoom = (window.devicePixelRatio || 1) *
    Math.min(room(stage.clientWidth) / view.width, room(stage.clientHeight) / view.height);
  return zoom >= 1 ? Math.min(Math.floor(zoom), 4) : Math.max(zoom, 1 / 1000);
}

const across = () => view.width * scale();
const down = () => view.height * scale();
const roomy = () => across() > stage.clientWidth + 1 || down() > stage.clientHeight + 1;

function settle() {
  const place = (at, size, room) =>
    size <= room ? Math.round((room - size) / 2) : clamp(at, room - size, 0);
  view.x = place(view.x, across(), stage.clientWidth);
  view.y = place(view.y, down(), stage.clientHeight);
}

// The part of the stage, left to right, where there is picture.
function reach() {
  const left = clamp(view.x, 0, stage.clientWidth);
  return { left, right: clamp(view.x + across(), left, stage.clientWidth) };
}

export function draw() {
  if (!view.width) return;
  settle();
  Object.assign(sheet.style, {
    width: `${across()}px`, height: `${down()}px`, transform: `translate(${view.x}px, ${view.y}px)`,
  });
  stage.classList.toggle("large", view.zoom > 1);
  stage.classList.toggle("roomy", roomy());
  stage.classList.toggle("single", view.single);
  stage.classList.toggle("with-grid", view.zoom >= GRID_FROM);
  if (view.zoom >= GRID_FROM) by("pixels").style.backgroundSize = `${scale()}px ${scale()}px`;
  drawSplit();
  const percent = view.zoom * 100;
  by("zoom").textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
  by("zoom-out").disabled = view.zoom <= Math.min(STEPS[0], fitZoom());
  by("zoom-in").disabled = view.zoom >= STEPS.at(-1);
  by("fit").setAttribute("aria-pressed", view.fits);
  by("actual").setAttribute("aria-pressed", view.zoom === 1);
  moved.dispatchEvent(new Event("moved"));
}

function drawSplit() {
  const { left, right } = reach();
  const line = left + (right - left) * view.split;
  const top = clamp(view.y, 0, stage.clientHeight);
  const bottom = clamp(view.y + down(), top, stage.clientHeight);
  handle.style.transform = `translate(${line}px, ${top}px)`;
  handle.style.height = `${bottom - top}px`;
  const inside = clamp(line - view.x, 0, across());
  by("before").style.clipPath = view.single ? "" : `inset(0 ${across() - inside}px 0 0)`;
  by("after").style.clipPath = view.single ? "" : `inset(0 0 0 ${inside}px)`;
  split.value = Math.round(view.split * 1000);
  const shown = Math.round(view.split * 100);
  split.setAttribute("aria-valuetext", t("split_value", { before: shown, after: 100 - shown }));
}

// Lays a sheet of a size, and tells whether it is a new one; the same size keeps zoom and place.
export function lay(width, height) {
  if (width === view.width && height === view.height) return false;
  Object.assign(view, { width, height, split: 0.5 });
  fit();
  return true;
}

export function single(yes) {
  view.single = yes;
  for (const part of [split, by("flip"), by("difference"), by("before-kind")]) part.disabled = yes;
  draw();
}

export function fit() {
  if (!view.width) return;
  view.zoom = fitZoom();
  view.fits = true;
  draw();
}

export function zoomTo(zoom, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const before = scale();
  view.zoom = clamp(zoom, Math.min(STEPS[0], fitZoom()), STEPS.at(-1));
  view.x = x - (x - view.x) * scale() / before;
  view.y = y - (y - view.y) * scale() / before;
  view.fits = false;
  draw();
}

// Shows a point of the picture, given as parts of its sides, in the middle, pixel for pixel.
export function showAt({ x, y }) {
  view.zoom = 1;
  view.fits = false;
  view.x = stage.clientWidth / 2 - x * across();
  view.y = stage.clientHeight / 2 - y * down();
  view.split = 0.5;
  draw();
}

export const shown = () => ({
  zoom: view.zoom, fits: view.fits,
  across: Math.min(1, stage.clientWidth / (view.width / (window.devicePixelRatio || 1))),
  down: Math.min(1, stage.clientHeight / (view.height / (window.devicePixelRatio || 1))),
});

function step(direction) {
  const next = direction > 0
    ? STEPS.find((zoom) => zoom > view.zoom * 1.001)
    : STEPS.findLast((zoom) => zoom < view.zoom * 0.999);
  zoomTo(next || view.zoom);
}

function pan(x, y) {
  view.x += x;
  view.y += y;
  view.fits = view.fits && !roomy();
  draw();
}

function splitAt(x) {
  const { left, right } = reach();
  view.split = right > left ? clamp((x - left) / (right - left), 0, 1) : 0.5;
  draw();
}

function resetSplit() {
  view.split = 0.5;
  draw();
}

// One pointer slides or moves, two pinch.
const pointers = new Map();
let doing = "";

function point(event) {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function spread() {
  const [a, b] = [...pointers.values()];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
}

function onHandle(x) {
  const { left, right } = reach();
  return !view.single && Math.abs(x - left - (right - left) * view.split) <= GRIP;
}

stage.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || pointers.size === 2 || event.target.closest(".message")) return;
  const at = point(event);
  stage.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, at);
  if (pointers.size === 2) doing = "pinch";
  else if (view.single || stage.classList.contains("difference")) doing = "pan";
  else doing = onHandle(at.x) || !roomy() ? "slide" : "pan";
  if (doing === "slide") splitAt(at.x);
  stage.classList.toggle("moving", doing === "pan");
});

stage.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) {
    stage.classList.toggle("at-handle", onHandle(point(event).x));
    return;
  }
  const at = point(event);
  if (doing === "pinch") {
    const old = spread();
    pointers.set(event.pointerId, at);
    const now = spread();
    view.x += now.x - old.x;
    view.y += now.y - old.y;
    zoomTo(view.zoom * now.apart / Math.max(old.apart, 1), now.x, now.y);
    return;
  }
  pointers.set(event.pointerId, at);
  if (doing === "slide") splitAt(at.x);
  else pan(at.x - before.x, at.y - before.y);
});

function release(event) {
  pointers.delete(event.pointerId);
  doing = pointers.size ? "pan" : "";
  stage.classList.remove("moving");
}
stage.addEventListener("pointerup", release);
stage.addEventListener("pointercancel", release);

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { x, y } = point(event);
  const lines = event.deltaMode === 1 ? 16 : 1;
  const pace = event.ctrlKey ? 0.01 : 0.002;
  zoomTo(view.zoom * Math.exp(clamp(-event.deltaY * lines * pace, -1, 1)), x, y);
}, { passive: false });

stage.addEventListener("dblclick", (event) => {
  const { x, y } = point(event);
  if (onHandle(x)) resetSplit();
  else if (view.zoom === 1) fit();
  else zoomTo(1, x, y);
});

split.addEventListener("input", () => {
  view.split = split.value / 1000;
  draw();
});

export function flip(yes) {
  stage.classList.toggle("flipped", yes && !view.single);
}

export function difference(yes) {
  stage.classList.toggle("difference", yes);
  by("difference").setAttribute("aria-pressed", yes);
}
export const toggleDifference = () => difference(!stage.classList.contains("difference"));

const MOVES = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const KEYS = {
  "+": () => step(1), "=": () => step(1), "-": () => step(-1), 0: fit, 1: () => zoomTo(1),
  d: toggleDifference, Home: resetSplit,
};
function moveBy([x, y]) {
  if (roomy() || view.single) pan(x * STEP_PX, y * STEP_PX);
  else {
    view.split = clamp(view.split - x / 50, 0, 1);
    draw();
  }
}

// Keys count while the stage or its slider has the focus: nothing is pressed by accident elsewhere.
stage.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onStage = event.target === stage, onSplit = event.target === split;
  if (!onStage && !onSplit) return;
  const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (onStage && MOVES[event.key]) moveBy(MOVES[event.key]);
  else if (letter === " " || letter === "x") flip(true);
  else if (KEYS[letter] && !(onSplit && letter === "Home")) KEYS[letter]();
  else return;
  event.preventDefault();
});
stage.addEventListener("keyup", (event) => {
  if (event.key === " " || event.key.toLowerCase() === "x") flip(false);
});
stage.addEventListener("blur", () => flip(false), true);

by("zoom-in").addEventListener("click", () => step(1));
by("zoom-out").addEventListener("click", () => step(-1));
by("fit").addEventListener("click", fit);
by("actual").addEventListener("click", () => zoomTo(1));
by("difference").addEventListener("click", toggleDifference);

const button = by("flip");
button.addEventListener("pointerdown", () => {
  button.focus(); // now, for the stage lets go of a flip when it loses the focus
  flip(true);
});
for (const end of ["pointerup", "pointerleave", "pointercancel", "blur"]) button.addEventListener(end, () => flip(false));
button.addEventListener("keydown", (event) => {
  if (event.key === " " || event.key === "Enter") flip(true);
});
button.addEventListener("keyup", () => flip(false));

new ResizeObserver(() => (view.fits ? fit() : draw())).observe(stage);
