// The page put together: pictures come in by drop, paste, pick or sample, and are shown on the table.

import { API, key, picture as fetchPicture } from "./api.js";
import * as film from "./film.js";
import { isClip } from "./looking.js";
import * as models from "./models.js";
import * as all from "./pictures.js";
import { table } from "./pictures.js";
import * as settings from "./settings.js";
import * as status from "./status.js";
import * as trial from "./trial.js";
import * as viewing from "./viewing.js";
import { keyNeeded, limits, t } from "./words.js";

const by = (id) => document.getElementById(id);
const root = document.documentElement;

// In: drop, paste, pick, sample.

function take(files) {
  const wanted = [...files].filter((file) => file.size);
  if (!wanted.length) {
    by("live").textContent = t("nothing");
    return;
  }
  for (const file of wanted) all.add(file, settings.options());
}

const input = by("picture");
input.multiple = true;
input.required = false;
input.addEventListener("change", () => {
  const files = [...input.files];
  input.value = "";
  take(files);
});
by("drop").addEventListener("submit", (event) => event.preventDefault());
by("add").addEventListener("click", () => input.click());

let inside = 0;
const carries = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
addEventListener("dragenter", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  inside += 1;
  root.classList.add("dropping");
});
addEventListener("dragover", (event) => {
  if (carries(event)) event.preventDefault();
});
addEventListener("dragleave", () => {
  inside = Math.max(0, inside - 1);
  if (!inside) root.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  inside = 0;
  root.classList.remove("dropping");
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  take(event.dataTransfer.files);
});
addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) take(event.clipboardData.files);
});

for (const button of document.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", async () => {
    const address = button.dataset.sample;
    const blob = await (await fetch(address)).blob();
    take([new File([blob], address.split("/").at(-1), { type: blob.type })]);
  });
}

// The table.

let shown = { picture: null, run: null, word: "" };

async function show(picture, run, { fresh = false } = {}) {
  by("main").dataset.state = picture ? "table" : "empty";
  by("empty").hidden = Boolean(picture);
  by("table").hidden = !picture;
  film.drawAll();
  shown = { picture, run, word: "" };
  if (!picture) {
    viewing.empty();
    settings.size(0);
    again();
    return;
  }
  film.reveal(picture);
  draw();
  const word = await viewing.show(picture, run, { fresh });
  if (shown.picture !== picture || shown.run !== run) return;
  shown.word = word;
  draw();
  if (run.state === "running") viewing.grow(run);
}

function draw() {
  const { picture, run, word } = shown;
  if (!picture) return;
  status.show(picture, run, word);
  by("whole")?.addEventListener("click", () => {
    viewing.showWhole(run);
    show(picture, run, { fresh: true });
  });
  const done = run.state === "done";
  const download = by("download");
  download.hidden = !done;
  if (done) download.href = run.job.links.result;
  by("try").disabled = !picture.width || isClip(picture);
  drawRuns(picture, run);
  again();
}

function drawRuns(picture, run) {
  const list = by("runs");
  list.hidden = picture.runs.length < 2;
  list.replaceChildren(...picture.runs.map((one) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: viewing.runName(one) });
    button.setAttribute("aria-pressed", String(one === run));
    button.addEventListener("click", () => {
      const place = picture.runs.indexOf(one);
      all.choose(picture, one);
      list.children[place]?.querySelector("button").focus();
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
}

// "Run again" is offered where it would give something else.
function again() {
  const { picture, run } = shown;
  const now = settings.options();
  by("again").hidden = !picture || !run || all.isOpen(run) || settings.same(run.options, now);
  by("again").disabled = !settings.ready();
  if (picture?.width) {
    const size = viewing.target(picture, { options: now });
    settings.size(size.width * size.height || 0);
  }
}

table.addEventListener("chosen", ({ detail: { picture, run } }) => show(picture, run));
table.addEventListener("changed", ({ detail: { picture, run } }) => {
  film.draw(picture);
  by("film").hidden = !all.pictures.length;
  by("all").hidden = all.pictures.filter((one) => all.doneRuns(one).length).length < 2;
  if (run && picture === all.chosen) {
    const finished = shown.run === run && run.state !== shown.state && run.state === "done";
    shown.state = run.state;
    if (finished) show(picture, run, { fresh: true });
    else if (shown.run === run) {
      draw();
      if (run.state === "running") viewing.grow(run);
    }
  }
  if (run) status.announce(picture, run);
});

settings.settings.addEventListener("changed", again);
settings.settings.addEventListener("again", () => {
  if (!shown.picture) return;
  all.begin(shown.picture, settings.options());
  by("stage").focus({ preventScroll: true }); // the button is gone
});
viewing.onBefore(() => shown.picture && show(shown.picture, shown.run));
viewing.onPixelForPixel(() => show(shown.picture, shown.run));
by("cancel").addEventListener("click", () => all.stop(shown.picture, shown.run));
by("retry").addEventListener("click", () => all.retry(shown.picture, shown.run));
by("try").addEventListener("click", async () => {
  const { picture } = shown;
  const bitmap = await viewing.bitmapOf(picture).catch(() => null);
  if (!bitmap) return;
  const options = settings.options();
  const size = viewing.target(picture, { options });
  trial.open({
    picture, bitmap, options, wholePixels: size.width * size.height,
    take: (name) => {
      settings.choose(name);
      by("again").hidden ? by("model").focus() : by("again").focus();
    },
  });
});

// Out: one result, or all in a ZIP. A key travels in a header, which a link cannot send.

async function save(path, name) {
  const link = document.createElement("a");
  const url = key.get() ? URL.createObjectURL(await fetchPicture(path)) : path;
  Object.assign(link, { href: url, download: name });
  link.click();
}
by("download").addEventListener("click", (event) => {
  if (!key.get()) return;
  event.preventDefault();
  const { picture, run } = shown;
  save(run.job.links.result, `${picture.name.replace(/\.[^.]*$/, "")}.${run.job.result.format}`);
});
by("all").addEventListener("click", () => {
  const done = all.pictures.flatMap((picture) => all.doneRuns(picture)).slice(-limits.archive_jobs);
  save(`${API}/archive?${new URLSearchParams(done.map((run) => ["job", run.job.id]))}`, "upres.zip");
});
by("forget").addEventListener("click", () => {
  all.clear();
  input.focus();
});

// Light and dark: as the system has it, or as it is said here.

const THEMES = ["auto", "light", "dark"];
function theme(name) {
  root.dataset.theme = name;
  by("theme-name").textContent = t(`theme_${name}`);
  by("theme").title = t(`theme_${name}`);
}
by("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  localStorage.setItem("upres.theme", next);
  theme(next);
});
theme(THEMES.includes(localStorage.getItem("upres.theme")) ? localStorage.getItem("upres.theme") : "auto");

// A server that wants keys is asked nothing before there is one.

async function begin() {
  try {
    await models.load();
    if (by("key-form")) by("key-form").hidden = true;
  } catch (problem) {
    if (by("key-form")) by("key-form").hidden = false;
    by("live").textContent = problem.detail;
    if (by("key-why") && key.get()) by("key-why").textContent = t("key_wrong");
    return;
  }
  await all.restore();
}
by("key-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  key.set(by("key").value);
  begin();
});

settings.restore();
all.recall();
root.dataset.ready = "";
performance.mark("ready");
if (!keyNeeded || key.get()) begin();
