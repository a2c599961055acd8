// The page of a comparison; `viewport.js` of the service's page stands before it in the same script.

const by = (id) => document.getElementById(id);
const stage = by("stage"), glass = by("glass"), split = by("split"), gain = by("gain");
const letters = [...document.querySelectorAll(".layer")].map((img) => img.dataset.letter);
const layer = (letter) => document.querySelector(`.layer[data-letter="${letter}"]`);
const labelOf = new Map(
  [...document.querySelectorAll(".label")].map((label) => [label.dataset.letter, label]));

const margin = () => Math.min(24, stage.clientWidth / 30);
const view = new Viewport(stage, { most: 64, mostFit: 64, margin, draw });
view.width = Number(stage.dataset.width);
view.height = Number(stage.dataset.height);
let difference = false;
const shown = { left: "A", right: "B" };

function draw() {
  view.place(by("sheet"), by("handle"));
  stage.classList.toggle("pixels", view.zoom > 2);
  stage.classList.toggle("roomy", view.roomy);
  stage.classList.toggle("difference", difference);
  glass.style.filter = difference ? `brightness(${gain.value})` : "";
  for (const letter of letters) drawLayer(letter);
  const left = Math.round(view.split * 100);
  split.value = Math.round(view.split * 1000);
  split.setAttribute("aria-valuetext", `${shown.left} ${left} %, ${shown.right} ${100 - left} %`);
  split.disabled = difference;
  by("zoom").textContent = view.percent;
  by("out").disabled = view.zoom <= view.least;
  by("in").disabled = view.zoom >= view.most;
  by("difference").setAttribute("aria-pressed", difference);
  by("gain-label").classList.toggle("on", difference);
}

function drawLayer(letter) {
  const image = layer(letter);
  const isLeft = letter === shown.left, isRight = letter === shown.right;
  image.classList.toggle("shown", isLeft || isRight);
  image.classList.toggle("upper", isRight);
  image.style.zIndex = isRight ? 1 : 0;
  image.style.clipPath = difference ? "" : isLeft
    ? `inset(0 ${view.across - view.inside}px 0 0)` : `inset(0 0 0 ${view.inside}px)`;
}

function choose(side, letter) {
  const other = side === "left" ? "right" : "left";
  if (shown[other] === letter) shown[other] = shown[side];
  shown[side] = letter;
  labels();
  draw();
}

const marks = {};
for (const side of ["left", "right"]) {
  marks[side] = letters.length > 2 ? choice(side) : document.createElement("span");
  by(side).append(marks[side], document.createElement("div"));
}

function labels() {
  for (const side of ["left", "right"]) {
    by(side).lastChild.replaceWith(labelOf.get(shown[side]).cloneNode(true));
    if (letters.length > 2) {
      for (const button of marks[side].children) {
        button.setAttribute("aria-pressed", button.dataset.letter === shown[side]);
      }
    } else {
      marks[side].className = "letter";
      marks[side].textContent = shown[side];
    }
  }
}

function choice(side) {
  const group = document.createElement("div");
  group.className = "choice";
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", `Picture on the ${side}`);
  for (const letter of letters) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = letter;
    button.dataset.letter = letter;
    button.setAttribute("aria-label", layer(letter).alt);
    button.addEventListener("click", () => choose(side, letter));
    group.append(button);
  }
  return group;
}

const swap = () => choose("left", shown.right);
function toggleDifference() {
  difference = !difference;
  draw();
}

view.follow({ divided: () => !difference });

stage.addEventListener("dblclick", (event) => {
  const { x, y } = view.point(event);
  if (view.fits) view.zoomTo(Math.max(1, view.zoom * 2), x, y);
  else view.fit();
});

split.addEventListener("input", () => view.splitTo(split.value / 1000));

const MOVES = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const KEYS = {
  "+": () => view.step(1), "=": () => view.step(1), "-": () => view.step(-1), "_": () => view.step(-1),
  0: () => view.fit(), 1: () => view.zoomTo(1), d: toggleDifference, x: swap,
};
function moveBy([x, y]) {
  if (view.roomy || difference) view.pan(x * 64, y * 64);
  else view.splitTo(view.split - x / 100);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === gain) return;
  const move = MOVES[event.key], action = KEYS[event.key.toLowerCase()];
  if (move && event.target === stage) moveBy(move);
  else if (action) action();
  else return;
  event.preventDefault();
});

by("swap").addEventListener("click", swap);
by("difference").addEventListener("click", toggleDifference);
by("in").addEventListener("click", () => view.step(1));
by("out").addEventListener("click", () => view.step(-1));
by("fit").addEventListener("click", () => view.fit());
by("actual").addEventListener("click", () => view.zoomTo(1));
gain.addEventListener("change", draw);

for (const letter of letters) {
  layer(letter).addEventListener("error", () => {
    by("fault").hidden = false;
    by("fault").textContent = `This browser cannot show ${layer(letter).alt}.`;
  });
}

document.body.classList.toggle("with-truth", letters.length > 2);
document.body.classList.toggle("see-through", stage.dataset.seeThrough === "true");
by("labels").remove();
labels();
view.fit();
