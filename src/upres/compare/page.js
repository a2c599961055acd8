
"use strict";
(() => {
  const by = (id) => document.getElementById(id);
  const stage = by("stage"), sheet = by("sheet"), glass = by("glass"), split = by("split");
  const handle = by("handle"), gain = by("gain");
  const width = Number(stage.dataset.width), height = Number(stage.dataset.height);
  const letters = [...document.querySelectorAll(".layer")].map((img) => img.dataset.letter);
  const layer = (letter) => document.querySelector(`.layer[data-letter="${letter}"]`);
  const labelOf = new Map(
    [...document.querySelectorAll(".label")].map((label) => [label.dataset.letter, label]));
  const STEPS = [1/32, 1/16, 1/8, 1/6, 1/4, 1/3, 1/2, 2/3, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
  const GRIP_PX = 24;

  // zoom is in pixels of the screen for one of the picture; x, y is where its left upper corner
  // lies on the stage
  const view = { zoom: 1, x: 0, y: 0, fits: true, split: 0.5, difference: false };
  const shown = { left: "A", right: "B" };

  const scale = () => view.zoom / (window.devicePixelRatio || 1);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function fitZoom() {
    const ratio = window.devicePixelRatio || 1;
    const margin = Math.min(24, stage.clientWidth / 30);
    const zoom = ratio * Math.min(
      (stage.clientWidth - 2 * margin) / width, (stage.clientHeight - 2 * margin) / height);
    // whole numbers show every pixel at the same size
    return zoom >= 1 ? Math.min(Math.floor(zoom), 64) : Math.max(zoom, 1 / 1000);
  }

  function settle() {
    const across = width * scale(), down = height * scale();
    const place = (at, size, room) =>
      size <= room ? Math.round((room - size) / 2) : clamp(at, room - size, 0);
    view.x = place(view.x, across, stage.clientWidth);
    view.y = place(view.y, down, stage.clientHeight);
  }

  function roomy() {
    return width * scale() > stage.clientWidth + 1 || height * scale() > stage.clientHeight + 1;
  }

  // the part of the stage, left to right, where there is picture
  function reach() {
    const left = clamp(view.x, 0, stage.clientWidth);
    return { left, right: clamp(view.x + width * scale(), left, stage.clientWidth) };
  }

  function draw() {
    settle();
    sheet.style.width = `${width * scale()}px`;
    sheet.style.height = `${height * scale()}px`;
    sheet.style.transform = `translate(${view.x}px, ${view.y}px)`;
    stage.classList.toggle("pixels", view.zoom > 2);
    stage.classList.toggle("roomy", roomy());
    stage.classList.toggle("difference", view.difference);
    glass.style.filter = view.difference ? `brightness(${gain.value})` : "";
    const { left, right } = reach();
    const line = left + (right - left) * view.split;
    const top = clamp(view.y, 0, stage.clientHeight);
    handle.style.transform = `translate(${line}px, ${top}px)`;
    handle.style.height = `${clamp(view.y + height * scale(), top, stage.clientHeight) - top}px`;
    const inside = clamp(line - view.x, 0, width * scale());
    for (const letter of letters) {
      const image = layer(letter);
      const isLeft = letter === shown.left, isRight = letter === shown.right;
      image.classList.toggle("shown", isLeft || isRight);
      image.classList.toggle("upper", isRight);
      image.style.zIndex = isRight ? 1 : 0;
      image.style.clipPath = view.difference ? "" : isLeft
        ? `inset(0 ${width * scale() - inside}px 0 0)` : `inset(0 0 0 ${inside}px)`;
    }
    split.value = Math.round(view.split * 1000);
    split.setAttribute("aria-valuetext",
      `${shown.left} ${Math.round(view.split * 100)} %, ${shown.right} ${Math.round(100 - view.split * 100)} %`);
    split.disabled = view.difference;
    const percent = view.zoom * 100;
    by("zoom").textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
    by("out").disabled = view.zoom <= Math.min(STEPS[0], fitZoom());
    by("in").disabled = view.zoom >= STEPS[STEPS.length - 1];
    by("difference").setAttribute("aria-pressed", view.difference);
    by("gain-label").classList.toggle("on", view.difference);
  }

  function fit() {
    view.zoom = fitZoom();
    view.fits = true;
    draw();
  }

  function zoomTo(zoom, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const before = scale();
    view.zoom = clamp(zoom, Math.min(STEPS[0], fitZoom()), STEPS[STEPS.length - 1]);
    view.x = x - (x - view.x) * scale() / before;
    view.y = y - (y - view.y) * scale() / before;
    view.fits = false;
    draw();
  }

  function step(direction) {
    const next = direction > 0
      ? STEPS.find((zoom) => zoom > view.zoom * 1.001)
      : [...STEPS].reverse().find((zoom) => zoom < view.zoom * 0.999);
    zoomTo(next || view.zoom);
  }

  function pan(x, y) {
    view.x += x;
    view.y += y;
    view.fits = view.fits && !roomy();
    draw();
  }

  function splitAt(x) {
    const { left, right } = reach();
    view.split = right > left ? clamp((x - left) / (right - left), 0, 1) : 0.5;
    draw();
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
    view.difference = !view.difference;
    draw();
  }

  // one pointer slides or pans, two pinch
  const pointers = new Map();
  let doing = "";

  function point(event) {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  function spread() {
    const [a, b] = [...pointers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
  }

  function onHandle(x) {
    const { left, right } = reach();
    return Math.abs(x - left - (right - left) * view.split) <= GRIP_PX;
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointers.size === 2) return;
    const at = point(event);
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at);
    if (pointers.size === 2) doing = "pinch";
    else if (view.difference) doing = "pan";
    else doing = onHandle(at.x) || !roomy() ? "slide" : "pan";
    if (doing === "slide") splitAt(at.x);
    stage.classList.toggle("moving", doing === "pan");
    stage.classList.toggle("sliding", doing === "slide");
  });

  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const at = point(event);
    if (doing === "pinch") {
      const old = spread();
      pointers.set(event.pointerId, at);
      const now = spread();
      view.x += now.x - old.x;
      view.y += now.y - old.y;
      zoomTo(view.zoom * now.apart / Math.max(old.apart, 1), now.x, now.y);
      return;
    }
    pointers.set(event.pointerId, at);
    if (doing === "slide") splitAt(at.x);
    else pan(at.x - before.x, at.y - before.y);
  });

  function release(event) {
    pointers.delete(event.pointerId);
    doing = pointers.size ? "pan" : "";
    stage.classList.remove("moving", "sliding");
  }
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = point(event);
    const lines = event.deltaMode === 1 ? 16 : 1;
    const pace = event.ctrlKey ? 0.01 : 0.002;
    zoomTo(view.zoom * Math.exp(clamp(-event.deltaY * lines * pace, -1, 1)), x, y);
  }, { passive: false });

  stage.addEventListener("dblclick", (event) => {
    const { x, y } = point(event);
    if (view.fits) zoomTo(Math.max(1, fitZoom() * 2), x, y);
    else fit();
  });

  split.addEventListener("input", () => {
    view.split = split.value / 1000;
    draw();
  });

  const MOVES = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const KEYS = {
    "+": () => step(1), "=": () => step(1), "-": () => step(-1), "_": () => step(-1),
    0: fit, 1: () => zoomTo(1), d: toggleDifference, x: swap,
  };
  function moveBy([x, y]) {
    if (roomy() || view.difference) return pan(x * 64, y * 64);
    view.split = clamp(view.split - x / 100, 0, 1);
    draw();
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
  by("in").addEventListener("click", () => step(1));
  by("out").addEventListener("click", () => step(-1));
  by("fit").addEventListener("click", fit);
  by("actual").addEventListener("click", () => zoomTo(1));
  gain.addEventListener("change", draw);
  new ResizeObserver(() => (view.fits ? fit() : draw())).observe(stage);

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
  fit();
})();
