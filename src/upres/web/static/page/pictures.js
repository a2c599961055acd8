// The pictures on the table and their runs: what waits, is sent, enlarged, done; kept over a reload.
//
// A picture is {id, name, file, width, height, thumbnail, runs, chosen}; a run is one job or what will
// be one: {id, options, state, sent, job, problem, again}. States: waiting, sending, held (the server
// asked to come later), then the job's own, and lost for a job that the server has forgotten.

import { API, ask, cancel, follow, picture as fetchPicture, send, UNFINISHED } from "./api.js";
import { limits, megapixels, t } from "./words.js";
import { isClip, look } from "./looking.js";

const KEPT = "upres.pictures";
const KEPT_PICTURES = 60;
const SENDING = 2;
const TRIES = 20;
const OPEN = new Set(["waiting", "sending", "held", "looking", ...UNFINISHED]);

export const table = new EventTarget();
export const pictures = [];
export let chosen = null;
let sending = 0;

// Of 128 bits; `randomUUID` is missing on pages that came without TLS.
function freshId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const changed = (picture, run = null) => {
  keep();
  table.dispatchEvent(new CustomEvent("changed", { detail: { picture, run } }));
};

export const isOpen = (run) => OPEN.has(run.state);
export const runOf = (picture) => picture?.runs.find((run) => run.id === picture.chosen) || picture?.runs.at(-1);
export const doneRuns = (picture) => picture.runs.filter((run) => run.state === "done");

export function choose(picture, run = null) {
  chosen = picture;
  if (run) picture.chosen = run.id;
  table.dispatchEvent(new CustomEvent("chosen", { detail: { picture, run: runOf(picture) } }));
}

export async function add(file, options) {
  const picture = {
    id: freshId(), name: file.name || "picture", file, type: file.type,
    width: 0, height: 0, thumbnail: "", runs: [], chosen: "",
  };
  pictures.push(picture);
  const first = begin(picture, options, { start: false });
  if (!chosen || !isOpen(runOf(chosen))) choose(picture);
  const seen = await look(file);
  Object.assign(picture, seen, { seen: true });
  const refused = refusal(picture, file);
  if (refused) fail(picture, first, { code: "too-large-here", detail: refused });
  changed(picture, first);
  if (picture === chosen) choose(picture);
  work();
  return picture;
}

// What the server would refuse anyway is told before it is sent.
function refusal(picture, file) {
  if (file.size > limits.upload_bytes) {
    return t("too_many_bytes", { n: Math.ceil(file.size / 1e6), limit: Math.floor(limits.upload_bytes / 1e6) });
  }
  const pixels = picture.width * picture.height;
  if (pixels > limits.input_pixels) {
    return t("too_many_pixels", { n: megapixels(pixels), limit: megapixels(limits.input_pixels) });
  }
  return "";
}

export function begin(picture, asked, { start = true } = {}) {
  // a clip becomes an MP4, whatever pictures become
  const { format, ...rest } = asked;
  const options = isClip(picture) || !format ? rest : asked;
  const run = {
    id: freshId(), options, state: "waiting", sent: 0, job: null, problem: null, again: 0,
    tries: 0,
  };
  picture.runs.push(run);
  picture.chosen = run.id;
  run.ready = start;
  if (start) {
    changed(picture, run);
    if (picture === chosen) choose(picture, run);
    work();
  }
  return run;
}

export async function blobOf(picture) {
  if (picture.file) return picture.file;
  const run = picture.runs.find((one) => one.job);
  if (!run) throw new Error("there is no picture");
  picture.fetching ||= fetchPicture(`${API}/jobs/${run.job.id}/source`);
  try {
    picture.file = await picture.fetching;
  } finally {
    picture.fetching = null;
  }
  return picture.file;
}

function fail(picture, run, problem) {
  run.state = "failed";
  // what is no answer of the server, such as a file that cannot be read any more, has only a message
  run.problem = { code: String(problem.code ?? "unknown"), detail: problem.detail ?? problem.message };
}

// Sends what waits, a few at a time, in order.
function work() {
  for (const picture of pictures) {
    for (const run of picture.runs) {
      if (sending >= SENDING) return;
      const ready = run.ready || picture.seen;
      const due = run.state === "waiting" || (run.state === "held" && run.again <= Date.now());
      if (due && ready) deliver(picture, run);
    }
  }
}

async function deliver(picture, run) {
  sending += 1;
  run.state = "sending";
  run.sent = 0;
  run.tries += 1;
  run.stop = new AbortController();
  changed(picture, run);
  try {
    const job = await send(await blobOf(picture), {
      options: run.options, name: picture.name, idempotencyKey: run.id, signal: run.stop.signal,
      progress: (part) => {
        run.sent = part;
        changed(picture, run);
      },
    });
    hear(picture, run, job);
    if (UNFINISHED.has(job.state)) watch(picture, run);
  } catch (problem) {
    refused(picture, run, problem);
  } finally {
    sending -= 1;
    changed(picture, run);
    work();
  }
}

function refused(picture, run, problem) {
  if (problem.code === "stopped") run.state = "cancelled";
  else if (problem.retryAfter && run.tries < TRIES) {
    run.state = "held";
    run.problem = { code: problem.code, detail: problem.detail };
    run.again = Date.now() + problem.retryAfter * 1000;
    setTimeout(work, problem.retryAfter * 1000 + 50);
  } else fail(picture, run, problem);
}

function hear(picture, run, job) {
  if (!job) {
    run.state = "lost";
    return;
  }
  run.job = job;
  run.state = job.state;
  run.problem = job.error;
}

function watch(picture, run) {
  run.unfollow = follow(run.job.id, (job) => {
    hear(picture, run, job);
    changed(picture, run);
  });
}

export async function stop(picture, run) {
  if (run.state === "waiting" || run.state === "held") run.state = "cancelled";
  else if (run.state === "sending") run.stop.abort();
  else if (run.job) {
    try {
      hear(picture, run, await cancel(run.job.id));
    } catch (problem) {
      if (problem.status === 404) run.state = "lost";
    }
  }
  changed(picture, run);
}

// The same again, as a new request where the old one has an end.
export function retry(picture, run) {
  Object.assign(run, {
    id: freshId(), state: "waiting", sent: 0, job: null, problem: null, tries: 0, ready: true,
  });
  picture.chosen = run.id;
  changed(picture, run);
  if (picture === chosen) choose(picture, run);
  work();
}

export function remove(picture) {
  const place = pictures.indexOf(picture);
  if (place < 0) return;
  for (const run of picture.runs) {
    run.unfollow?.();
    if (isOpen(run)) stop(picture, run);
  }
  pictures.splice(place, 1);
  if (picture === chosen) {
    chosen = null;
    const next = pictures[place] || pictures[place - 1];
    if (next) choose(next);
    else table.dispatchEvent(new CustomEvent("chosen", { detail: { picture: null, run: null } }));
  }
  changed(picture);
}

export function clear() {
  for (const picture of [...pictures]) remove(picture);
}

let keeping = 0, recalled = false;
function keep() {
  clearTimeout(keeping);
  keeping = setTimeout(keepNow, 150);
}

function keepNow() {
  if (!recalled) return; // what was kept before is not known yet, and must not be lost
  const kept = pictures.slice(-KEPT_PICTURES).map(({ id, name, type, width, height, thumbnail, runs, chosen: run }) => ({
    id, name, type, width, height, thumbnail, chosen: run,
    runs: runs.filter((one) => one.job).map((one) => ({
      id: one.id, options: one.options, job: { id: one.job.id }, state: one.state, problem: one.problem,
    })),
  })).filter((picture) => picture.runs.length);
  try {
    localStorage.setItem(KEPT, JSON.stringify({ pictures: kept, chosen: chosen?.id }));
  } catch {
    // the browser keeps nothing: the page works all the same, until it is closed
  }
}
addEventListener("pagehide", keepNow);

// Brings back the list of the last visit, at once; `restore` then asks what became of it.
export function recall() {
  let kept;
  try {
    kept = JSON.parse(localStorage.getItem(KEPT)) || { pictures: [] };
  } catch {
    kept = { pictures: [] };
  }
  for (const picture of kept.pictures) {
    for (const run of picture.runs) Object.assign(run, { state: "looking", sent: 1, tries: 0, again: 0, ready: true });
    pictures.push({ ...picture, file: null, seen: true });
  }
  recalled = true;
  chosen = pictures.find((picture) => picture.id === kept.chosen) || pictures[0] || null;
}

export async function restore() {
  if (!pictures.length) return;
  const found = [...pictures].sort((a, b) => (b === chosen) - (a === chosen));
  choose(chosen);
  for (const picture of found) {
    await Promise.all(picture.runs.map((run) => again(picture, run)));
    changed(picture, runOf(picture));
    if (picture === chosen) choose(picture);
  }
}

async function again(picture, run) {
  try {
    hear(picture, run, await ask(`${API}/jobs/${run.job.id}`));
    if (isOpen(run)) watch(picture, run);
  } catch (problem) {
    if (problem.status === 404) run.state = "lost";
    else fail(picture, run, problem);
  }
}
