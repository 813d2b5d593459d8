// Which part of the graph is seen: how large a level is, and what lies at the lower left corner.

const LEVEL_MIN_PX = 4;
const LEVEL_MAX_PX = 90;
const COLUMN_MIN_PX = 34;

/** Turns columns and levels into pixels and back. */
export class Camera {
  constructor() {
    this.width = 1;
    this.height = 1;
    this.columns = 1;
    this.levels = 1;
    this.level = 30;
    this.bottom = 0;
    this.left = 0;
    this.gutter = 44;
    this.head = 34;
    this.foot = 10;
  }

  /** Have room for the number of the highest round at the left. */
  makeRoom(round) {
    this.gutter = Math.max(this.width < 520 ? 34 : 52, 18 + 8 * String(round).length);
  }

  resize(width, height) {
    [this.width, this.height] = [width, height];
    this.clamp();
  }

  get column() {
    return Math.max(COLUMN_MIN_PX, Math.min(210, (this.width - this.gutter - 12) / this.columns));
  }

  get span() {
    return (this.height - this.head - this.foot) / this.level;
  }

  get top() {
    return Math.max(-0.5, this.levels - this.span + 0.8);
  }

  x(column) {
    return this.gutter + this.#indent + (column + 0.5) * this.column - this.left;
  }

  y(level) {
    return this.height - this.foot - (level - this.bottom) * this.level;
  }

  columnAt(x) {
    return (x - this.gutter - this.#indent + this.left) / this.column - 0.5;
  }

  levelAt(y) {
    return this.bottom + (this.height - this.foot - y) / this.level;
  }

  panBy(dx, dy) {
    this.left -= dx;
    this.bottom += dy / this.level;
    this.clamp();
  }

  /** Make all larger or smaller, with what is at `y` staying there. */
  zoomBy(factor, y = this.height / 2) {
    const held = this.levelAt(y);
    this.level = Math.min(LEVEL_MAX_PX, Math.max(LEVEL_MIN_PX, this.level * factor));
    this.bottom = held - (this.height - this.foot - y) / this.level;
    this.clamp();
  }

  clamp() {
    const most = this.columns * this.column + this.gutter + 12 - this.width;
    this.left = Math.min(Math.max(0, most), Math.max(0, this.left));
    this.bottom = Math.min(this.top, Math.max(Math.min(-0.5, this.top), this.bottom));
  }

  /** Bring an event well into sight. */
  show(event) {
    const [low, high] = [this.bottom + 1.5, this.bottom + this.span - 1.5];
    if (event.y < low || event.y > high) this.bottom = event.y - this.span / 2;
    const x = this.x(event.column);
    if (x < this.gutter + 20) this.left += x - this.gutter - 60;
    else if (x > this.width - 20) this.left += x - this.width + 60;
    this.clamp();
  }

  get #indent() {
    return Math.max(0, (this.width - this.gutter - 12 - this.columns * this.column) / 2);
  }
}
