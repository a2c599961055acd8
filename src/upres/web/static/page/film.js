// The film strip: a card for each picture, its state told by a ring, a mark and words.

import { isOpen, pictures, remove, runOf, choose } from "./pictures.js";
import * as all from "./pictures.js";
import { sentence } from "./status.js";
import { t } from "./words.js";

const by = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const MARKS = { done: "check", failed: "wrong", cancelled: "cross", expired: "gone", lost: "gone", held: "clock", queued: "clock", waiting: "clock" };
const cards = new Map();

function element(name, attributes = {}, ...children) {
  const made = name === "svg" || name === "circle" || name === "use"
    ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

function card(picture) {
  const ring = element("circle", { class: "part", cx: 16, cy: 16, r: 13, pathLength: 100, "stroke-dasharray": "0 100" });
  const use = element("use", {});
  const mark = element("svg", { class: "icon", "aria-hidden": "true", viewBox: "0 0 24 24" }, use);
  const circle = element("svg", { class: "ring", viewBox: "0 0 32 32", "aria-hidden": "true" },
    element("circle", { class: "whole", cx: 16, cy: 16, r: 13 }), ring);
  const said = element("span", { class: "hidden" });
  const thumbnail = element("span", { class: "thumb" });
  const open = element("button", { type: "button", class: "open" },
    thumbnail, element("span", { class: "badge" }, circle, mark), element("span", { class: "title" }), said);
  open.addEventListener("click", () => choose(picture));
  const away = element("button", { type: "button", class: "away" });
  away.append(element("svg", { class: "icon", "aria-hidden": "true" }, element("use", { href: "#icon-cross" })));
  away.addEventListener("click", () => {
    const next = made.item.nextElementSibling || made.item.previousElementSibling;
    remove(picture);
    (next?.querySelector(".open") || by("drop").querySelector("input")).focus();
  });
  const made = { item: element("li", { class: "card" }, open, away), open, away, thumbnail, ring, use, said };
  return made;
}

export function draw(picture) {
  if (!pictures.includes(picture)) {
    cards.get(picture.id)?.item.remove();
    cards.delete(picture.id);
    return;
  }
  if (!cards.has(picture.id)) {
    cards.set(picture.id, card(picture));
    // in the order in which pictures came, whichever is looked at first
    const next = pictures.slice(pictures.indexOf(picture) + 1).find((one) => cards.has(one.id));
    by("cards").insertBefore(cards.get(picture.id).item, next ? cards.get(next.id).item : null);
  }
  const run = runOf(picture), made = cards.get(picture.id);
  made.open.querySelector(".title").textContent = picture.name;
  made.said.textContent = `${t("comma")}${sentence(run)}`;
  made.open.setAttribute("aria-current", String(picture === all.chosen));
  made.away.setAttribute("aria-label", t("remove", { name: picture.name }));
  made.item.dataset.state = run.state;
  const part = run.state === "running" ? 0.15 + 0.85 * run.job.progress : run.state === "sending" ? 0.15 * run.sent : 0;
  made.ring.setAttribute("stroke-dasharray", `${Math.round(100 * part)} 100`);
  made.use.setAttribute("href", MARKS[run.state] ? `#icon-${MARKS[run.state]}` : "");
  made.item.classList.toggle("open-run", isOpen(run));
  if (picture.thumbnail && !made.thumbnail.firstElementChild) {
    const shown = new Image();
    Object.assign(shown, { alt: "", src: picture.thumbnail, draggable: false });
    made.thumbnail.append(shown);
  } else if (!picture.thumbnail && !made.thumbnail.textContent) {
    made.thumbnail.dataset.kind = (picture.name.split(".").at(-1) || "").slice(0, 4).toUpperCase();
  }
}

export function drawAll() {
  for (const picture of pictures) draw(picture);
}

// Brings a card into the strip, without moving the page.
export function reveal(picture) {
  const strip = by("cards"), item = cards.get(picture.id)?.item;
  if (!item) return;
  const left = item.offsetLeft - strip.offsetLeft, right = left + item.offsetWidth;
  if (left < strip.scrollLeft) strip.scrollLeft = left - 8;
  else if (right > strip.scrollLeft + strip.clientWidth) strip.scrollLeft = right - strip.clientWidth + 8;
}
