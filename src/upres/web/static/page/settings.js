// The row of settings: what is asked for with the next picture, or with this one again.

import * as models from "./models.js";
import { limits, t } from "./words.js";

const by = (id) => document.getElementById(id);
const form = by("settings");
const KEPT = "upres.settings";
const RANGES = ["soften", "quality"];

export const settings = new EventTarget();
let pixels = 0; // of the result on the table, for estimates

const changed = () => {
  draw();
  keep();
  settings.dispatchEvent(new Event("changed"));
};

// The options of a request, without those that are as they are anyway.
export function options() {
  const size = form.elements.size.value;
  const asked = size === "custom" ? { [by("unit").value]: by("amount").value } : { scale: size };
  if (by("model").value !== "auto") asked.model = by("model").value;
  if (strength() !== null) asked.clean = String(strength());
  if (by("format").value) asked.format = by("format").value;
  if (averages()) asked.tta = "true";
  if (Number(by("soften").value)) asked.soften = by("soften").value;
  if (by("quality").value !== "95") asked.quality = by("quality").value;
  if (by("metadata").checked) asked.keep_metadata = "true";
  return asked;
}

const averages = () => by("tta").checked && !by("tta").disabled;

// From 0 to 1 where the model takes one; null leaves it to the model, as the slider's left end does.
function strength() {
  const value = Number(by("clean").value);
  return models.named(by("model").value)?.clean && value >= 0 ? value : null;
}

export const same = (a, b) =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());

export function ready() {
  const model = models.named(by("model").value);
  return form.checkValidity() && (!model || model.installed);
}

export function choose(name) {
  by("model").value = name;
  changed();
}

export function size(value) {
  if (value !== pixels) {
    pixels = value;
    fill();
  }
}

function draw() {
  const custom = form.elements.size.value === "custom";
  by("custom").hidden = !custom;
  const amount = by("amount"), times = by("unit").value === "scale";
  amount.disabled = !custom;
  amount.max = times ? limits.max_scale : 1e6;
  amount.step = times ? "any" : 1;
  const alike = models.named(by("model").value)?.tta === false; // the same from every side
  by("tta").disabled = alike;
  by("tta-why").textContent = t(alike ? "tta_alike" : "tta_why");
  by("strength").hidden = !models.named(by("model").value)?.clean;
  const part = strength() === null ? t("strength_own") : t("percent", { n: Math.round(100 * strength()) });
  by("clean-value").textContent = part;
  by("clean").setAttribute("aria-valuetext", part);
  for (const name of RANGES) by(`${name}-value`).textContent = by(name).value;
  models.offer(by("model").value);
}

// Fills the list of models; those that are not here can be chosen too, to be fetched.
function fill() {
  const list = by("model"), was = list.value;
  const factor = (model) => (by("tta").checked && model.tta ? 8 : 1) * pixels;
  list.replaceChildren(...models.list.map((model) => {
    const time = model.installed ? models.about(model.name, factor(model)) : t("not_here");
    return new Option([models.title(model), time].filter(Boolean).join(t("comma")), model.name);
  }));
  list.value = models.named(was) ? was : "auto";
  draw();
}

function keep() {
  const values = Object.fromEntries([...form.elements].filter((one) => one.id && one.matches("select, input:not([type=radio])"))
    .map((one) => [one.id, one.type === "checkbox" ? one.checked : one.value]));
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...values, size: form.elements.size.value }));
  } catch {
    // not kept, then
  }
}

export function restore() {
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(KEPT)) || {};
  } catch {
    kept = {};
  }
  for (const [id, value] of Object.entries(kept)) {
    const field = id === "size" ? form.elements.size : by(id);
    if (!field) continue;
    if (field.type === "checkbox") field.checked = value;
    else if (id === "model" && ![...field.options].some((one) => one.value === value)) {
      field.add(new Option(value, value)); // until the list is there
      field.value = value;
    } else field.value = value;
  }
  draw();
}

form.addEventListener("input", changed);
by("tta").addEventListener("change", fill);
by("unit").addEventListener("change", () => {
  by("amount").value = by("unit").value === "scale" ? 2.5 : 1920;
  changed();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (ready()) settings.dispatchEvent(new Event("again"));
});
models.models.addEventListener("changed", () => {
  fill();
  settings.dispatchEvent(new Event("changed"));
});

const more = form.querySelector(".more");
document.addEventListener("pointerdown", (event) => {
  if (more.open && !more.contains(event.target)) more.open = false;
});
more.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  more.open = false;
  more.querySelector("summary").focus();
});
