// What the two layers show: the picture before (pixels, bicubic, its own size, another result) and after.

import { API, key, picture as fetchPicture } from "./api.js";
import * as growing from "./growing.js";
import { detailed, isClip } from "./looking.js";
import { blobOf, doneRuns, isOpen } from "./pictures.js";
import * as stage from "./stage.js";
import { factor, t } from "./words.js";

const by = (id) => document.getElementById(id);
const BICUBIC_PIXELS = 24e6; // more would take a browser's memory
const WHOLE_PIXELS = 40e6; // a result is decoded whole up to here, beyond when it is asked for
const PIXEL_FOR_PIXEL = 1;
const kind = by("before-kind");

let turn = 0;
let open = null; // of the chosen picture: {picture, decoding}
let asked = "bicubic";
let clip = null; // the module of players, once there was a clip
let reduced = null; // the run whose result is shown smaller than it is
const whole = new Set(); // runs whose large results were asked for

const worker = new Worker(new URL("bicubic.js", import.meta.url));
const answers = new Map();
let numbers = 0;
worker.onmessage = ({ data: { result, number } }) => {
  answers.get(number)(result);
  answers.delete(number);
};

async function decoded(picture) {
  const blob = await blobOf(picture);
  // a kind that browsers do not show, such as TIFF, has no bitmap: the server takes it all the same
  const bitmap = await createImageBitmap(blob).catch(() => null);
  return { picture, blob, bitmap, url: URL.createObjectURL(blob), bicubic: null };
}

// The picture on the table, decoded once; the one before it is let go.
function source(picture) {
  if (open?.picture === picture) return open.decoding;
  open?.decoding.then(({ url, bitmap }) => {
    URL.revokeObjectURL(url);
    bitmap?.close();
  }, () => {});
  const decoding = decoded(picture);
  open = { picture, decoding };
  decoding.catch(() => {
    if (open?.decoding === decoding) open = null;
  });
  return decoding;
}

export const bitmapOf = async (picture) => (await source(picture)).bitmap;

async function bicubic(from, width, height) {
  if (from.bicubic?.width === width && from.bicubic?.height === height) return from.bicubic;
  const number = (numbers += 1);
  const copy = await createImageBitmap(from.bitmap);
  const result = await new Promise((resolve) => {
    answers.set(number, resolve);
    worker.postMessage({ bitmap: copy, width, height, number }, [copy]);
  });
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("bitmaprenderer").transferFromImageBitmap(result);
  from.bicubic = canvas;
  return canvas;
}

async function image(url, alt) {
  const shown = new Image();
  shown.alt = alt;
  shown.draggable = false;
  shown.src = url;
  await shown.decode();
  return shown;
}

async function resultOf(run, what = "result") {
  const path = `${API}/jobs/${run.job.id}/${what}`;
  const url = key.get() ? URL.createObjectURL(await fetchPicture(path)) : path;
  return image(url, t("after"));
}

// The size that a run's result has or will have.
export function target(picture, run) {
  if (run.job?.result) return run.job.result;
  const { width, height } = picture;
  const { scale, width: wide, height: high, long_side: long } = run.options;
  const by_ = scale ? Number(scale) : wide ? wide / width : high ? high / height : long / Math.max(width, height);
  return { width: Math.round(width * by_), height: Math.round(height * by_) };
}

function put(layer, element) {
  by(layer).replaceChildren(...(element ? [element] : []));
}

// The ways to see the picture before, those that this picture has.
function offer(picture, run, size) {
  const small = size.width * size.height <= BICUBIC_PIXELS;
  const others = doneRuns(picture).filter((other) => other !== run);
  const options = [
    ...(small ? [["bicubic", t("before_bicubic")]] : []),
    ["nearest", t("before_nearest")],
    ["original", t("before_original")],
    ...others.map((other) => [other.id, runName(other)]),
  ];
  if (!options.some(([value]) => value === asked)) asked = options[0][0];
  kind.replaceChildren(...options.map(([value, name]) => new Option(name, value, false, value === asked)));
}

export function runName(run) {
  const { scale, width, height, long_side: long, model, clean } = run.options;
  const amount = scale ? factor(Number(scale)) : `${width || height || long} px`;
  const strength = clean === undefined ? "" : ` ${t("percent", { n: Math.round(100 * clean) })}`;
  return `${amount} ${model || "auto"}${strength}${run.options.tta ? " TTA" : ""}`;
}

async function beforeLayer(from, picture, size) {
  stage.difference(false);
  by("before").className = `layer before ${asked}`;
  if (asked === "bicubic") return bicubic(from, size.width, size.height);
  const other = picture.runs.find((run) => run.id === asked);
  if (other) return resultOf(other, isReduced(other) ? "reduced" : "result");
  const shown = await image(from.url, t("before"));
  shown.style.width = asked === "original" ? `${100 * picture.width / size.width}%` : "100%";
  return shown;
}

const isReduced = (run) => Boolean(run.job?.result?.reduced) && !whole.has(run.id);

// Shows a picture with a run's result, or with a preview while there is none.
export async function show(picture, run, { fresh = false } = {}) {
  const mine = (turn += 1);
  reduced = null;
  clip?.leave();
  const current = () => mine === turn;
  let from = null;
  try {
    from = await source(picture);
  } catch {
    from = null; // the server keeps it no longer
  }
  if (!current()) return "";
  if (!picture.width && from?.bitmap) Object.assign(picture, { width: from.bitmap.width, height: from.bitmap.height });
  const done = run?.state === "done";
  const size = done || picture.width ? target(picture, run) : null;
  if (!size) {
    empty();
    return from && !from.bitmap ? "unseen" : "";
  }
  const laid = stage.lay(size.width, size.height);
  if (isClip(picture)) return played(run, from, { done, current });
  offer(picture, run, size);
  if (!from?.bitmap) return alone(run, { done, current });
  try {
    return await compared(picture, run, from, size, { done, fresh: fresh || laid, current });
  } catch (error) {
    if (current()) throw error;
    return ""; // another picture was chosen meanwhile, and this one's is gone
  }
}

async function played(run, from, { done, current }) {
  clip = await import("./clip.js");
  const path = `${API}/jobs/${run.job?.id}/result`;
  let after = null;
  if (done) after = key.get() ? URL.createObjectURL(await fetchPicture(path)) : path;
  let players;
  try {
    players = await clip.show(from?.url, after);
  } catch {
    if (current()) empty();
    return "unseen";
  }
  if (!current()) return "";
  kind.replaceChildren(new Option(t("before"), "original"));
  put("before", players.before);
  put("after", players.after);
  begun(false);
  by("before").className = "layer before";
  by("after").className = "layer after";
  stage.single(!(players.before && players.after));
  by("tag-before").textContent = done && players.before ? t("before") : "";
  by("tag-after").textContent = done ? runName(run) : t("preview");
  return done && !players.before ? "no_source" : "";
}

async function compared(picture, run, from, size, { done, fresh, current }) {
  const smaller = done && isReduced(run);
  const large = size.width * size.height > WHOLE_PIXELS && !whole.has(run.id);
  let after = null, word = "";
  if (smaller || (done && !large)) {
    try {
      after = await resultOf(run, smaller ? "reduced" : "result");
      if (smaller) word = "reduced";
    } catch {
      word = smaller ? "large" : "unseen";
    }
  } else if (done) word = "large";
  if (!current()) return "";
  if (!after) return waiting(run, from, size, { word, current });
  const before = await beforeLayer(from, picture, size);
  if (!current()) return "";
  put("before", before);
  put("after", after);
  begun(false);
  by("after").className = `layer after ${word}`;
  by("tag-before").textContent = kind.selectedOptions[0].textContent;
  by("tag-after").textContent = smaller ? t("tag_reduced", { name: runName(run) }) : runName(run);
  stage.single(false);
  if (smaller) reduced = run;
  else if (fresh) {
    const { fits, across, down } = stage.shown();
    if (fits && (across < 1 || down < 1)) stage.showAt(detailed(from.bitmap, across, down));
  }
  return word;
}

// There is no result yet, or none that can be shown: the picture itself, and what is finished of it.
async function waiting(run, from, size, { word, current }) {
  put("before", await image(from.url, t("before")));
  by("before").className = "layer before";
  put("after", isOpen(run) ? growing.canvasFor(run, size) : null);
  by("after").className = "layer after growing";
  stage.single(true);
  by("tag-before").textContent = "";
  begun(isOpen(run) && growing.parts(run) > 0);
  by("tag-after").textContent = word ? t("before") : t(growing.parts(run) ? "growing" : "preview");
  if (!word) await coarse(from, size, current);
  return word;
}

// More of the run on the table is finished, or may be.
export function grow(run) {
  growing.hear(run, () => {
    if (!by("after").classList.contains("growing")) return;
    by("tag-after").textContent = t("growing");
    begun(true);
  });
}

// What is not finished steps back as soon as something is.
const begun = (yes) => by("sheet").classList.toggle("begun", yes);

// What is shown until the result is there: bicubic, and said to be so.
async function coarse(from, size, current) {
  if (size.width * size.height > BICUBIC_PIXELS) return;
  const canvas = await bicubic(from, size.width, size.height);
  if (!current()) return;
  put("before", canvas);
  by("before").className = "layer before bicubic";
}

async function alone(run, { done, current }) {
  if (!done) {
    empty();
    return "unseen";
  }
  try {
    const after = await resultOf(run, isReduced(run) ? "reduced" : "result");
    if (!current()) return "";
    put("before", null);
    put("after", after);
    begun(false);
    by("after").className = "layer after";
    stage.single(true);
    by("tag-before").textContent = "";
    by("tag-after").textContent = runName(run);
    return "no_source";
  } catch {
    empty();
    return "unseen";
  }
}

export function empty() {
  turn += 1;
  clip?.leave();
  put("before", null);
  put("after", null);
  stage.single(true);
  by("tag-before").textContent = "";
  by("tag-after").textContent = "";
}

export const showWhole = (run) => whole.add(run.id);

// Pixel for pixel is no smaller version's: the whole result is fetched, and `redraw` called for it.
export function onPixelForPixel(redraw) {
  stage.moved.addEventListener("moved", () => {
    if (!reduced || stage.shown().zoom < PIXEL_FOR_PIXEL) return;
    showWhole(reduced);
    reduced = null;
    redraw();
  });
}

export function onBefore(redraw) {
  kind.addEventListener("change", () => {
    asked = kind.value;
    redraw();
  });
}

