// The stage: two layers of one size under a slider, zoomed and moved together.
//
// Nothing here knows what the layers show.

import { Viewport } from "./viewport.js";
import { t } from "./words.js";

const by = (id) => document.getElementById(id);
const stage = by("stage"), split = by("split");
const STEP_PX = 48;
const GRID_FROM = 6;

export const moved = new EventTarget();
const margin = () => (stage.clientWidth < 600 ? 8 : 24);
const view = new Viewport(stage, { most: 32, mostFit: 4, margin, draw });
let alone = true;

const divided = () => !alone && !stage.classList.contains("difference");

function draw() {
  if (!view.width) return;
  view.place(by("sheet"), by("handle"));
  stage.classList.toggle("large", view.zoom > 1);
  stage.classList.toggle("roomy", view.roomy);
  stage.classList.toggle("single", alone);
  stage.classList.toggle("with-grid", view.zoom >= GRID_FROM);
  if (view.zoom >= GRID_FROM) {
    by("pixels").style.backgroundSize = `${view.scale}px ${view.scale}px`;
  }
  drawSplit();
  by("zoom").textContent = view.percent;
  by("zoom-out").disabled = view.zoom <= view.least;
  by("zoom-in").disabled = view.zoom >= view.most;
  by("fit").setAttribute("aria-pressed", view.fits);
  by("actual").setAttribute("aria-pressed", view.zoom === 1);
  moved.dispatchEvent(new Event("moved"));
}

function drawSplit() {
  const right = view.across - view.inside;
  by("before").style.clipPath = alone ? "" : `inset(0 ${right}px 0 0)`;
  by("after").style.clipPath = alone ? "" : `inset(0 0 0 ${view.inside}px)`;
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
  alone = yes;
  for (const part of [split, by("flip"), by("difference"), by("before-kind")]) part.disabled = yes;
  draw();
}

function fit() {
  if (view.width) view.fit();
}

// Shows a point of the picture, given as parts of its sides, in the middle, pixel for pixel.
export function showAt({ x, y }) {
  Object.assign(view, { zoom: 1, fits: false, split: 0.5 });
  view.x = stage.clientWidth / 2 - x * view.across;
  view.y = stage.clientHeight / 2 - y * view.down;
  draw();
}

export const shown = () => ({
  zoom: view.zoom, fits: view.fits,
  across: Math.min(1, stage.clientWidth / (view.width / (window.devicePixelRatio || 1))),
  down: Math.min(1, stage.clientHeight / (view.height / (window.devicePixelRatio || 1))),
});

view.follow({ divided, ignored: (place) => place.closest(".message") !== null });

stage.addEventListener("dblclick", (event) => {
  const { x, y } = view.point(event);
  if (!alone && view.onHandle(x)) view.splitTo(0.5);
  else if (view.zoom === 1) fit();
  else view.zoomTo(1, x, y);
});

split.addEventListener("input", () => view.splitTo(split.value / 1000));

function flip(yes) {
  stage.classList.toggle("flipped", yes && !alone);
}

export function difference(yes) {
  stage.classList.toggle("difference", yes);
  by("difference").setAttribute("aria-pressed", yes);
}
const toggleDifference = () => difference(!stage.classList.contains("difference"));

const MOVES = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const KEYS = {
  "+": () => view.step(1), "=": () => view.step(1), "-": () => view.step(-1),
  0: fit, 1: () => view.zoomTo(1), d: toggleDifference, Home: () => view.splitTo(0.5),
};
function moveBy([x, y]) {
  if (view.roomy || alone) view.pan(x * STEP_PX, y * STEP_PX);
  else view.splitTo(view.split - x / 50);
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

by("zoom-in").addEventListener("click", () => view.step(1));
by("zoom-out").addEventListener("click", () => view.step(-1));
by("fit").addEventListener("click", fit);
by("actual").addEventListener("click", () => view.zoomTo(1));
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
