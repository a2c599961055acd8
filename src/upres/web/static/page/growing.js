// What is finished of a picture while the server works on it: the result's own parts, painted as they
// come, each fading in where it belongs.

import { API, ask } from "./api.js";

const PIXELS = 1e6; // as many as the server sends
const FADE_MS = 240;
const still = matchMedia("(prefers-reduced-motion: reduce)");

let now = null; // of the run on the table: {id, canvas, next, heard, asking, parts}

// The canvas of a run, the same one as long as no other run is asked for.
export function canvasFor(run, { width, height }) {
  if (now?.id === run.id) return now.canvas;
  const shrink = Math.min(1, Math.sqrt(PIXELS / (width * height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * shrink));
  canvas.height = Math.max(1, Math.round(height * shrink));
  now = { id: run.id, canvas, next: 0, heard: 0, asking: false, parts: 0 };
  return canvas;
}

export const parts = (run) => (now?.id === run.id ? now.parts : 0);

// Fetches what is new of the run on the table; `painted` hears of it.
export async function hear(run, painted) {
  const mine = now;
  if (!mine || mine.id !== run.id || mine.asking) return;
  mine.asking = true;
  try {
    while (mine === now && run.state === "running" && run.job.preview !== mine.heard) {
      mine.heard = run.job.preview;
      const { tiles, next } = await ask(`${API}/jobs/${run.job.id}/preview?after=${mine.next}`);
      mine.next = next;
      for (const tile of tiles) await paint(mine, tile);
      if (tiles.length && mine === now) painted();
    }
  } catch {
    // a preview is no more than that: the next word of the job asks again
  } finally {
    mine.asking = false;
  }
}

async function paint(mine, tile) {
  const bytes = Uint8Array.from(atob(tile.data), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: tile.media_type }));
  const { canvas } = mine;
  const across = canvas.width / tile.of_width, down = canvas.height / tile.of_height;
  const left = Math.round(tile.left * across), top = Math.round(tile.top * down);
  const right = Math.round((tile.left + tile.width) * across);
  const bottom = Math.round((tile.top + tile.height) * down);
  mine.parts += 1;
  fade(canvas.getContext("2d"), bitmap, [left, top, right - left, bottom - top]);
}

function fade(pen, bitmap, box) {
  const began = performance.now();
  let shown = 0;
  function step(time) {
    const part = still.matches ? 1 : Math.min(1, Math.max(0, time - began) / FADE_MS);
    pen.globalAlpha = shown < 1 ? (part - shown) / (1 - shown) : 1; // over what is there already
    pen.drawImage(bitmap, ...box);
    shown = part;
    if (part < 1) requestAnimationFrame(step);
    else bitmap.close();
  }
  requestAnimationFrame(step);
}
