// The server, as the page knows it: asking, sending a picture, following its job.

import { t } from "./words.js";

export const API = "/api/v1";
const KEY = "upres.key";
const STREAMS = 2; // of this page; a server has few, and browsers open six connections
const LOOK_MS = 1000;
const AWAY_MS = 4000;
export const UNFINISHED = new Set(["queued", "running"]);

let streams = 0;

export class Problem extends Error {
  constructor({ status = 0, code = "away", detail = "", retryAfter = null }) {
    super(detail);
    Object.assign(this, { status, code, detail, retryAfter });
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) || "",
  set: (value) => sessionStorage.setItem(KEY, value),
  headers: () => (key.get() ? { "X-API-Key": key.get() } : {}),
};

function problem(status, text, retryAfter) {
  const after = retryAfter ? Number(retryAfter) : null;
  try {
    const { code, detail } = JSON.parse(text);
    return new Problem({ status, code, detail, retryAfter: after });
  } catch {
    return new Problem({ status, code: "unknown", detail: `HTTP ${status}`, retryAfter: after });
  }
}

async function fetched(path, options = {}) {
  const headers = { Accept: "application/json", ...key.headers(), ...options.headers };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: t("away") });
  }
  if (answer.ok) return answer;
  throw problem(answer.status, await answer.text(), answer.headers.get("Retry-After"));
}

export const ask = async (path, options) => (await fetched(path, options)).json();

export async function picture(path, options = {}) {
  return (await fetched(path, { ...options, headers: { Accept: "image/*,*/*" } })).blob();
}

// Sends a picture; `progress` hears 0..1. Rejects with a Problem, or "stopped" once `signal` says so.
export function send(blob, { options, name, idempotencyKey, progress, signal }) {
  const query = new URLSearchParams({ ...options, name });
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    request.open("POST", `${API}/jobs?${query}`);
    const headers = { ...key.headers(), "Idempotency-Key": idempotencyKey, Accept: "application/json" };
    for (const [header, value] of Object.entries(headers)) request.setRequestHeader(header, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.total && progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 202) resolve(JSON.parse(request.responseText));
      else reject(problem(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(new Problem({ detail: t("away") }));
    request.onabort = () => reject(new Problem({ code: "stopped" }));
    signal.addEventListener("abort", () => request.abort());
    request.send(blob);
  });
}

// Tells every state of a job until its end, by events where there is room, else by looking.
// Returns a function that stops it; a job that is gone is told as null.
export function follow(id, told) {
  const path = `${API}/jobs/${id}`;
  let over = false, source = null, timer = 0;

  function hear(job) {
    if (over) return;
    if (!job || !UNFINISHED.has(job.state)) stop();
    told(job);
  }

  async function look() {
    let pause = LOOK_MS;
    try {
      const job = await ask(path);
      hear(job);
      if (job.state === "queued" && job.position > 3) pause *= 3;
    } catch (error) {
      if (error.status === 404) hear(null);
      pause = AWAY_MS;
    }
    if (!over) timer = setTimeout(look, pause);
  }

  function listen() {
    streams += 1;
    source = new EventSource(`${path}/events`);
    source.addEventListener("state", (event) => hear(JSON.parse(event.data)));
    source.onerror = () => {
      if (over || source.readyState !== EventSource.CLOSED) return; // it comes back by itself
      close();
      timer = setTimeout(look, LOOK_MS);
    };
  }

  function close() {
    if (!source) return;
    source.close();
    source = null;
    streams -= 1;
  }

  function stop() {
    over = true;
    clearTimeout(timer);
    close();
  }

  if (streams < STREAMS && !key.get()) listen();
  else look();
  return stop;
}

export function cancel(id) {
  return ask(`${API}/jobs/${id}`, { method: "DELETE" });
}
