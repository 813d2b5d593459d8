// The canvas as the reader handles it: wheel, touch and keys move it, clicks and arrow keys choose an event.

import { Camera } from "./camera.js";
import { paint, palette } from "./paint.js";

const PAN_KEYS_PX = 120;
const CLICK_PX = 6;

/** Draws a model and lets the reader move in it. Calls `onSelect(event or null)`, `onMove()`. */
export class Stage {
  constructor(canvas, model, layout, context, tell) {
    this.canvas = canvas;
    this.model = model;
    this.layout = layout;
    this.tell = tell;
    this.camera = new Camera();
    this.selected = null;
    this.why = null;
    this.follows = true;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.frames = 0;
    this.pointers = new Map();
    this.pinched = 0;
    this.dragged = 0;
    this.asked = false;
    this.drawing = canvas.getContext("2d");
    this.colours = {};
    this.#listen(context);
  }

  /** There are events after all that were, or others: place these, or all. What is seen stays, unless the reader follows. */
  changed(fresh = null) {
    const held = this.#anchor();
    if (fresh) this.layout.add(fresh);
    else this.layout.update();
    this.camera.columns = this.layout.columns;
    this.camera.makeRoom(this.layout.bands.at(-1)?.number ?? 0);
    this.camera.levels = this.layout.heightAt(this.model.limit);
    if (held && !this.follows) this.camera.bottom += this.model.events.get(held.arrival).y - held.y;
    if (this.follows) this.#toNewest();
    this.camera.clamp();
    this.draw();
  }

  /** Keep the newest event in sight from now on, or no longer. */
  follow(follows) {
    this.follows = follows;
    if (follows) this.#toNewest();
    this.draw();
    this.tell.onMove();
  }

  select(event, { show = true } = {}) {
    this.selected = event;
    this.why = null;
    if (event && show) {
      this.follows = false;
      this.camera.show(event);
    }
    this.draw();
    this.tell.onSelect(event);
    this.tell.onMove();
  }

  /** Read the colours of the theme; the canvas must be in the page. */
  recolour() {
    this.colours = palette(this.canvas);
    this.draw();
  }

  explain(why) {
    this.why = why;
    this.draw();
  }

  zoom(factor, y) {
    this.camera.zoomBy(factor, y);
    this.#moved();
  }

  draw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame((now) => {
      this.asked = false;
      this.#frame(now);
    });
  }

  #frame(now) {
    const { canvas, camera } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    if (camera.width !== width || camera.height !== height) {
      camera.resize(width, height);
      camera.makeRoom(this.layout.bands.at(-1)?.number ?? 0);
      if (this.follows) this.#toNewest();
    }
    this.drawing.setTransform(ratio, 0, 0, ratio, 0, 0);
    const moving = paint(this.drawing, { ...this, now });
    this.frames += 1;
    const at = this.selected;
    Object.assign(canvas.dataset, {
      events: this.model.events.size, total: this.model.total, frames: this.frames, bottom: camera.bottom.toFixed(2),
      selected: at ? at.arrival : "", x: at ? camera.x(at.column).toFixed(1) : "", y: at ? camera.y(at.y).toFixed(1) : "",
    });
    if (moving) this.draw();
  }

  #toNewest() {
    this.camera.levels = this.layout.heightAt(this.model.limit);
    this.camera.bottom = this.camera.top;
    this.camera.clamp();
  }

  /** Something in sight that should not move when events are placed anew. */
  #anchor() {
    const middle = this.camera.bottom + this.camera.span / 2;
    const band = this.layout.visible(middle, middle)[0];
    const event = this.selected ?? band?.events[0];
    return event && event.y !== undefined ? { arrival: event.arrival, y: event.y } : null;
  }

  #moved() {
    const { camera } = this;
    this.follows = this.follows && camera.bottom >= camera.top - 0.01;
    this.draw();
    this.tell.onMove();
  }

  #panned(dx, dy) {
    const { camera } = this;
    camera.panBy(dx, dy);
    this.follows = this.model.shown === null && dy < 0 && camera.bottom >= camera.top - 0.01 ? true : this.follows && dy === 0;
    this.draw();
    this.tell.onMove();
  }

  #listen(context) {
    const { canvas } = this;
    const resize = new ResizeObserver(() => this.draw());
    resize.observe(canvas);
    const recolour = () => this.recolour();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", recolour);
    const theme = new MutationObserver(recolour);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    context.onLeave(() => {
      resize.disconnect();
      theme.disconnect();
      scheme.removeEventListener("change", recolour);
    });
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #wheel(event) {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(-event.deltaY / 240), event.offsetY);
    else this.#panned(event.shiftKey ? -event.deltaY : -event.deltaX, event.shiftKey ? 0 : -event.deltaY);
  }

  #down(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.dragged = this.pointers.size > 1 ? CLICK_PX + 1 : 0;
    this.pinched = this.#spread();
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      const found = this.#under(event.offsetX, event.offsetY);
      this.canvas.style.cursor = found ? "pointer" : "grab";
      return;
    }
    const [dx, dy] = [event.offsetX - before[0], event.offsetY - before[1]];
    this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.dragged += Math.hypot(dx, dy);
    if (this.pointers.size === 1) {
      if (this.dragged > CLICK_PX) this.#panned(dx, dy);
      return;
    }
    const spread = this.#spread();
    if (this.pinched > 0 && spread > 0) {
      const middle = [...this.pointers.values()].reduce((sum, [, y]) => sum + y, 0) / this.pointers.size;
      this.zoom(spread / this.pinched, middle);
    }
    this.pinched = spread;
    this.#panned(dx / 2, dy / 2);
  }

  #up(event) {
    if (this.pointers.delete(event.pointerId) && this.dragged <= CLICK_PX) {
      this.select(this.#under(event.offsetX, event.offsetY), { show: false });
    }
    this.pinched = 0;
  }

  #spread() {
    const [one, other] = [...this.pointers.values()];
    return other ? Math.hypot(one[0] - other[0], one[1] - other[1]) : 0;
  }

  #under(x, y) {
    const { camera } = this;
    const reach = 22;
    return this.layout.nearest(camera.columnAt(x), camera.levelAt(y), reach / camera.column, reach / camera.level);
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const work = {
      ArrowUp: () => this.#step((at) => this.model.childrenOf(at)[0]),
      ArrowDown: () => this.#step((at) => this.model.parents(at)[0]),
      ArrowLeft: () => this.#step((at) => this.#beside(at, -1)),
      ArrowRight: () => this.#step((at) => this.#beside(at, 1)),
      Home: () => this.select(this.#oldest()),
      End: () => this.select(this.model.newest()),
      PageUp: () => this.#panned(0, this.camera.height * 0.8),
      PageDown: () => this.#panned(0, -this.camera.height * 0.8),
      a: () => this.#panned(PAN_KEYS_PX, 0),
      d: () => this.#panned(-PAN_KEYS_PX, 0),
      "+": () => this.zoom(1.25),
      "=": () => this.zoom(1.25),
      "-": () => this.zoom(0.8),
      f: () => this.follow(true),
      Escape: () => this.select(null),
    }[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  }

  #step(to) {
    if (!this.selected) {
      this.select(this.model.newest());
      return;
    }
    const next = to(this.selected);
    if (next && this.model.isShown(next)) this.select(next);
  }

  #oldest() {
    return this.layout.bands[0]?.events.find((event) => this.model.isShown(event)) ?? null;
  }

  /** The event of the next column that is nearest in height. */
  #beside(event, way) {
    for (let column = event.creator + way; column >= 0 && column < this.layout.columns; column += way) {
      const found = this.layout.nearest(column, event.y, 0.45, 40);
      if (found) return found;
    }
    return null;
  }
}
