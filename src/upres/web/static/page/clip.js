// A clip on the table: before and after as two players under the slider, kept at the same moment.
// Fetched only when there is a clip.

import { t } from "./words.js";

const by = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const PLAY = "M8 5v14l11-7z", PAUSE = "M7 5h4v14H7zM13 5h4v14h-4z";
const APART_S = 0.03; // further apart than this the two are brought together: less than a frame
const STEP_S = 1 / 25;
const THUMB = 96;
const PATIENCE_MS = 10_000;

let pair = null; // {lead, follow}: the follower is the clip before, silent

function video(url, name) {
  const made = document.createElement("video");
  Object.assign(made, { src: url, preload: "auto", playsInline: true, loop: false });
  made.setAttribute("aria-label", name);
  return made;
}

function ready(player, event) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("this clip cannot be shown here")), PATIENCE_MS);
    player.addEventListener(event, () => {
      clearTimeout(late);
      resolve();
    }, { once: true });
    player.addEventListener("error", () => {
      clearTimeout(late);
      reject(new Error("this clip cannot be shown here"));
    }, { once: true });
  });
}

// Returns {width, height, thumbnail}, or null for a clip that this browser cannot show.
export async function look(blob) {
  const url = URL.createObjectURL(blob);
  const player = video(url, "");
  player.muted = true;
  try {
    await ready(player, "loadeddata");
    const { videoWidth: width, videoHeight: height } = player;
    const side = Math.min(width, height);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = THUMB;
    canvas.getContext("2d").drawImage(player, (width - side) / 2, (height - side) / 2, side, side, 0, 0, THUMB, THUMB);
    return { width, height, thumbnail: canvas.toDataURL("image/jpeg", 0.7) };
  } catch {
    return null;
  } finally {
    player.removeAttribute("src");
    player.load();
    URL.revokeObjectURL(url);
  }
}

// The bar under the stage: play, moment, time.

let bar = null;

function made() {
  if (bar) return bar;
  const root = document.createElement("div");
  root.className = "tools player";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", t("player"));
  const play = document.createElement("button");
  Object.assign(play, { type: "button", id: "play" });
  const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
  svg.setAttribute("class", "icon filled");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  play.append(svg);
  play.addEventListener("click", toggle);
  const moment = document.createElement("input");
  Object.assign(moment, { type: "range", id: "moment", min: "0", max: "1000", value: "0", step: "1" });
  moment.setAttribute("aria-label", t("moment"));
  moment.addEventListener("input", () => at((moment.value / 1000) * (pair?.lead.duration || 0)));
  const time = document.createElement("output");
  time.id = "time";
  root.append(play, moment, time);
  by("tools").before(root);
  by("stage").addEventListener("keydown", keys);
  bar = { root, play, path, moment, time };
  return bar;
}

const clock = (seconds) => {
  const whole = Math.floor(seconds || 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

function draw() {
  if (!pair) return;
  const { play, path, moment, time } = made();
  const { paused, currentTime, duration } = pair.lead;
  const word = t(paused ? "play" : "pause");
  play.setAttribute("aria-label", word);
  play.title = `${word} (K)`;
  path.setAttribute("d", paused ? PLAY : PAUSE);
  moment.value = duration ? Math.round((currentTime / duration) * 1000) : 0;
  time.textContent = `${clock(currentTime)} / ${clock(duration)}`;
  moment.setAttribute("aria-valuetext", time.textContent);
}

function together() {
  const { lead, follow } = pair || {};
  if (follow && Math.abs(follow.currentTime - lead.currentTime) > APART_S && !follow.seeking) {
    follow.currentTime = lead.currentTime;
  }
}

function tick() {
  if (!pair || pair.lead.paused) return;
  together();
  draw();
  requestAnimationFrame(tick);
}

function at(seconds) {
  if (!pair) return;
  pair.lead.currentTime = Math.min(Math.max(0, seconds), pair.lead.duration || 0);
  together();
  draw();
}

async function toggle() {
  if (!pair) return;
  const { lead, follow } = pair;
  if (!lead.paused) {
    lead.pause();
    return;
  }
  if (lead.ended) at(0);
  await Promise.all([lead.play(), follow?.play()]).catch(() => {});
  tick();
}

function keys(event) {
  if (!pair || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "k" || event.key === "K") toggle();
  else if (event.key === ",") at(pair.lead.currentTime - STEP_S);
  else if (event.key === ".") at(pair.lead.currentTime + STEP_S);
  else return;
  event.preventDefault();
}

// Returns the players {before, after} for what there is, each null without an address.
export async function show(before, after) {
  leave();
  const old = before ? video(before, t("before")) : null;
  const large = after ? video(after, t("after")) : null;
  await Promise.all([old, large].filter(Boolean).map((one) => ready(one, "loadeddata")));
  const lead = large || old;
  const follow = large && old;
  if (follow) follow.muted = true;
  pair = { lead, follow };
  for (const event of ["play", "pause", "seeked", "ended", "loadedmetadata"]) lead.addEventListener(event, draw);
  lead.addEventListener("pause", () => {
    follow?.pause();
    together();
  });
  lead.addEventListener("seeked", together);
  made().root.hidden = false;
  draw();
  return { before: old, after: large };
}

// Another picture is on the table.
export function leave() {
  if (!pair) return;
  for (const one of [pair.lead, pair.follow]) {
    one?.pause();
    one?.removeAttribute("src");
    one?.load();
  }
  pair = null;
  made().root.hidden = true;
}
