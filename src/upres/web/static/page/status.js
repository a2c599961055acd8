// What is said about the picture on the table: progress, what ran, what went wrong and what to do.

import { bytes, factor, has, modelName, number, percent, seconds, size, t } from "./words.js";
import { isOpen } from "./pictures.js";

const by = (id) => document.getElementById(id);

const ENGINES = { openvino: "OpenVINO", onnxruntime: "ONNX Runtime", opencv: "OpenCV" };

// A sentence about a run, for the caption, its card and the screen reader.
export function sentence(run) {
  const { job } = run;
  const left = job?.eta_s ? t("left", { time: seconds(job.eta_s) }) : "";
  const said = {
    looking: () => t("looking"),
    waiting: () => t("waiting"),
    sending: () => t("sending", { part: percent(run.sent) }),
    held: () => t("held", { time: seconds(Math.max(1, (run.again - Date.now()) / 1000)) }),
    queued: () => (job.position > 1 ? t("queued", { n: number(job.position - 1) }) : t("next")),
    running: () => (job.cancel_requested ? t("cancelling") : t("running", { part: percent(job.progress) })),
    cancelled: () => t("cancelled"),
    failed: () => t("failed"),
    expired: () => t("expired"),
    lost: () => t("expired"),
    done: () => t("done"),
  }[run.state]();
  if (!isOpen(run) || job?.cancel_requested) return said;
  const pace = job?.frames_per_s ? t("frames_a_second", { n: number(job.frames_per_s) }) : "";
  return [said, pace, left].filter(Boolean).join(t("comma"));
}

// What ran: "Lite, OpenVINO fp32, 0.8 s"; and only what the server told.
function whatRan({ ran, options, from_cache: cached }) {
  if (!ran) return [modelName(options.model), ...(cached ? [t("cached")] : [])];
  return [
    modelName(ran.model) + (options.tta ? " + TTA" : ""),
    ...(ran.clean === null ? [] : [t("strength_is", { n: number(100 * ran.clean) })]),
    ...(ran.engine ? [`${ENGINES[ran.engine] || ran.engine} ${ran.precision}`] : []),
    ...(ran.interpolated ? [t("flat_share", { n: number(Math.round(100 * ran.interpolated)) })] : []),
    cached ? t("cached") : seconds(ran.seconds),
  ];
}

function facts(picture, run) {
  const { result, options } = run.job;
  const before = picture.width ? `${size(picture.width, picture.height)} → ` : "";
  const times = options.scale ? ` (${factor(options.scale)})` : "";
  return [
    `${before}${size(result.width, result.height)}${times}`,
    `${result.format.toUpperCase()} ${bytes(result.bytes)}`,
    whatRan(run.job).join(t("comma")),
  ].join(" · ");
}

// Why `auto` chose its strength, in the server's words.
function reason({ choice }) {
  if (!choice) return [];
  const said = document.createElement("span");
  Object.assign(said, { lang: "en", textContent: ` · auto: ${choice.reason}` });
  return [said];
}

export function problemText({ code, detail }) {
  const known = `problem_${code.replaceAll("-", "_")}`;
  return has(known) ? { own: t(known), detail } : { own: "", detail };
}

function message(run) {
  const title = { failed: t("failed_title"), expired: t("expired_title"), lost: t("expired_title"), cancelled: t("cancelled_title") }[run.state];
  if (!title) return null;
  const box = document.createDocumentFragment();
  const head = document.createElement("h2");
  head.textContent = title;
  const text = document.createElement("p");
  if (run.state === "failed" && run.problem) {
    const { own, detail } = problemText(run.problem);
    text.textContent = own || (/[.\u3002]$/.test(detail) ? detail : `${detail}.`);
    box.append(head, text);
    if (own && detail) {
      const small = document.createElement("p");
      Object.assign(small, { className: "detail", lang: "en", textContent: detail });
      box.append(small);
    }
  } else {
    text.textContent = run.state === "cancelled" ? t("cancelled_say") : t("expired_say");
    box.append(head, text);
  }
  return box;
}

const WHOLE = { large: "large_show", reduced: "reduced_show" }; // what the viewer offers of large results
const SAID = new Set(["unseen", ...Object.keys(WHOLE)]); // in the viewer; the caption says the rest

// `word` is what the viewer has to say about what it can show.
export function show(picture, run, word = "") {
  by("name").textContent = picture.name;
  const done = run.state === "done";
  by("facts").replaceChildren(...(done ? [facts(picture, run), ...reason(run.job)] : [sentence(run)]));
  const open = isOpen(run);
  const bar = by("bar");
  bar.hidden = !open;
  const part = run.state === "running" ? run.job.progress : run.state === "sending" ? run.sent : null;
  if (part === null) bar.removeAttribute("value");
  else bar.value = part;
  by("cancel").hidden = !open || run.state === "looking";
  by("cancel").disabled = Boolean(run.job?.cancel_requested);
  by("retry").hidden = !["failed", "cancelled", "expired", "lost"].includes(run.state);
  const box = by("message"), said = message(run);
  if (said) box.replaceChildren(said);
  else if (SAID.has(word)) {
    const text = document.createElement("p");
    const pixels = run.job?.result ? run.job.result.width * run.job.result.height : 0;
    text.textContent = t(open && word === "unseen" ? "unseen_source" : word, { n: number(pixels / 1e6) });
    box.replaceChildren(text);
    if (WHOLE[word]) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", id: "whole", textContent: t(WHOLE[word]) });
      box.append(button);
    }
  }
  by("tools").hidden = Boolean(said);
  box.hidden = !said && !SAID.has(word);
  box.classList.toggle("corner", !said && word in WHOLE);
  if (word === "no_source" && done) by("facts").append(` · ${t("no_source")}`);
}

// One polite sentence at a time, only when something that matters has changed.
let last = "";
export function announce(picture, run) {
  const tenth = run.state === "running" ? Math.floor(run.job.progress * 4) : "";
  const now = `${picture.id} ${run.id} ${run.state} ${tenth}`;
  if (now === last || run.state === "looking") return;
  last = now;
  by("live").textContent = `${picture.name}: ${sentence(run)}`;
}
