// Where a picture lies on its stage, how large, and where it is divided; and the pointers that say so.
//
// zoom is in pixels of the screen for one of the picture; x, y is where its left upper corner lies on
// the stage. Nothing here draws: `draw` is called after every change. The service's page and the page
// of `upres compare`, which holds this file's text, share it.

const STEPS = [1/32, 1/16, 1/8, 1/6, 1/4, 1/3, 1/2, 2/3, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
const GRIP_PX = 24;
const LEAST = 1 / 1000;

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const screenPixels = () => window.devicePixelRatio || 1;

export class Viewport {
  width = 0;
  height = 0;
  zoom = 1;
  x = 0;
  y = 0;
  fits = true;
  split = 0.5;

  // `most` is the largest zoom, `mostFit` that of a picture that is fitted to its stage, `margin` tells
  // the room around it then, in pixels.
  constructor(stage, { most, mostFit, margin, draw }) {
    Object.assign(this, { stage, mostFit, margin, draw });
    this.steps = STEPS.filter((zoom) => zoom <= most);
  }

  get scale() { return this.zoom / screenPixels(); }
  get across() { return this.width * this.scale; }
  get down() { return this.height * this.scale; }
  get roomy() {
    return this.across > this.stage.clientWidth + 1 || this.down > this.stage.clientHeight + 1;
  }
  get least() { return Math.min(this.steps[0], this.fitZoom()); }
  get most() { return this.steps.at(-1); }
  get percent() {
    const percent = this.zoom * 100;
    return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
  }

  fitZoom() {
    const room = (side) => Math.max(1, side - 2 * this.margin());
    const zoom = screenPixels() * Math.min(
      room(this.stage.clientWidth) / this.width, room(this.stage.clientHeight) / this.height);
    // whole numbers show every pixel at the same size
    return zoom >= 1 ? Math.min(Math.floor(zoom), this.mostFit) : Math.max(zoom, LEAST);
  }

  // Keeps the picture on the stage: in the middle, or with no gap where it is larger.
  settle() {
    const place = (at, size, room) =>
      size <= room ? Math.round((room - size) / 2) : clamp(at, room - size, 0);
    this.x = place(this.x, this.across, this.stage.clientWidth);
    this.y = place(this.y, this.down, this.stage.clientHeight);
  }

  // The part of the stage, left to right, where there is picture.
  get reach() {
    const left = clamp(this.x, 0, this.stage.clientWidth);
    return { left, right: clamp(this.x + this.across, left, this.stage.clientWidth) };
  }

  get line() {
    const { left, right } = this.reach;
    return left + (right - left) * this.split;
  }

  // How much of the picture lies left of the line, in pixels of the page.
  get inside() { return clamp(this.line - this.x, 0, this.across); }

  // Lays the sheet and the line where they are now.
  place(sheet, handle) {
    this.settle();
    const top = clamp(this.y, 0, this.stage.clientHeight);
    Object.assign(sheet.style, {
      width: `${this.across}px`, height: `${this.down}px`,
      transform: `translate(${this.x}px, ${this.y}px)`,
    });
    Object.assign(handle.style, {
      transform: `translate(${this.line}px, ${top}px)`,
      height: `${clamp(this.y + this.down, top, this.stage.clientHeight) - top}px`,
    });
  }

  onHandle(x) { return Math.abs(x - this.line) <= GRIP_PX; }

  fit() {
    this.zoom = this.fitZoom();
    this.fits = true;
    this.draw();
  }

  zoomTo(zoom, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const before = this.scale;
    this.zoom = clamp(zoom, this.least, this.most);
    this.x = x - (x - this.x) * this.scale / before;
    this.y = y - (y - this.y) * this.scale / before;
    this.fits = false;
    this.draw();
  }

  step(direction) {
    const next = direction > 0
      ? this.steps.find((zoom) => zoom > this.zoom * 1.001)
      : this.steps.findLast((zoom) => zoom < this.zoom * 0.999);
    this.zoomTo(next || this.zoom);
  }

  pan(x, y) {
    this.x += x;
    this.y += y;
    this.fits = this.fits && !this.roomy;
    this.draw();
  }

  splitTo(split) {
    this.split = clamp(split, 0, 1);
    this.draw();
  }

  splitAt(x) {
    const { left, right } = this.reach;
    this.splitTo(right > left ? (x - left) / (right - left) : 0.5);
  }

  point(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  // One pointer slides or moves, two pinch, a wheel zooms. `divided` tells whether there is a line to
  // slide, `ignored` which places of the stage are none of the picture.
  follow({ divided, ignored = () => false }) {
    const { stage } = this;
    const pointers = new Map();
    let doing = "";

    const spread = () => {
      const [a, b] = [...pointers.values()];
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
    };
    const pinch = (id, at) => {
      const old = spread();
      pointers.set(id, at);
      const now = spread();
      this.x += now.x - old.x;
      this.y += now.y - old.y;
      this.zoomTo(this.zoom * now.apart / Math.max(old.apart, 1), now.x, now.y);
    };
    const mark = () => {
      stage.classList.toggle("moving", doing === "pan");
      stage.classList.toggle("sliding", doing === "slide");
    };
    const release = (event) => {
      pointers.delete(event.pointerId);
      doing = pointers.size ? "pan" : "";
      stage.classList.remove("moving", "sliding");
    };

    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || pointers.size === 2 || ignored(event.target)) return;
      const at = this.point(event);
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, at);
      if (pointers.size === 2) doing = "pinch";
      else doing = divided() && (this.onHandle(at.x) || !this.roomy) ? "slide" : "pan";
      if (doing === "slide") this.splitAt(at.x);
      mark();
    });
    stage.addEventListener("pointermove", (event) => {
      const at = this.point(event), before = pointers.get(event.pointerId);
      if (!before) stage.classList.toggle("at-handle", divided() && this.onHandle(at.x));
      else if (doing === "pinch") pinch(event.pointerId, at);
      else {
        pointers.set(event.pointerId, at);
        if (doing === "slide") this.splitAt(at.x);
        else this.pan(at.x - before.x, at.y - before.y);
      }
    });
    stage.addEventListener("pointerup", release);
    stage.addEventListener("pointercancel", release);
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = this.point(event);
      const lines = event.deltaMode === 1 ? 16 : 1;
      const pace = event.ctrlKey ? 0.01 : 0.002;
      this.zoomTo(this.zoom * Math.exp(clamp(-event.deltaY * lines * pace, -1, 1)), x, y);
    }, { passive: false });
    new ResizeObserver(() => (this.fits ? this.fit() : this.draw())).observe(stage);
  }
}
