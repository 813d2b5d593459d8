// The newest lines of the cell's log, as far as it holds them in memory: followed, sifted, saved.

import { h, replace } from "../dom.js";
import { clock, count, number } from "../format.js";
import { announce, badge, button, download, emptyState, errorState, field, fillWith, form, heading, input, lastingProblem, newId, section, select } from "../parts.js";

export const title = "Log";

const FOLLOW_MS = 1000;
const PAGE = 1000;
const LINES_MAX = 2000;
const SHOWN = 200;
const LEVELS = ["debug", "info", "warning", "error"];
const TONES = { warning: "warn", error: "bad", critical: "bad" };
const PLAIN = new Set(["timestamp", "level", "component", "event", "exception"]);

export async function render(root, context) {
  // Asked first: who may not see the log is told so once, and nothing goes on asking.
  const { levels } = await context.api.get("v1/logs/levels", {}, context.signal);
  const view = new View(new Log(context), context);
  replace(root, heading("Log", "What this cell says of its own work: the newest lines, as far as it has them in memory."),
    view.controls, view.problem, view.place,
    section("How much is logged", levelsForm(context, levels)));
  await view.start();
}

/** The lines that the page holds: at most LINES_MAX, the oldest first. */
class Log {
  constructor(context) {
    this.context = context;
    this.lines = [];
    this.next = 0;
    this.dropped = 0;
    this.began = 0;
  }

  /** Ask for what is new; return it. A cell that was started again counts from the beginning. */
  async fetch() {
    const fresh = [];
    for (let pages = 0; pages < LINES_MAX / PAGE; pages += 1) {
      const view = await this.context.api.get("v1/logs", { after: this.next, limit: PAGE }, this.context.signal);
      if (view.next < this.next) {
        this.next = 0;
        this.began += 1;
        continue;
      }
      this.next = view.next;
      this.dropped = view.dropped;
      fresh.push(...view.items.map((item) => ({ ...item, id: `${this.began}.${item.number}` })));
      if (view.items.length < PAGE) break;
    }
    if (fresh.length > 0) this.lines = [...this.lines, ...fresh].slice(-LINES_MAX);
    return fresh;
  }
}

/** The list of lines and what chooses them. Only so many lines as are looked at are in the page. */
class View {
  constructor(log, context) {
    this.log = log;
    this.context = context;
    this.shown = SHOWN;
    this.held = [];
    this.follows = true;
    this.asking = false;
    const { query } = context;
    this.level = LEVELS.includes(query.get("level")) ? query.get("level") : "debug";
    this.part = query.get("part") ?? "";
    this.words = (query.get("find") ?? "").toLowerCase();
    this.problem = h("div", {});
    this.list = h("ol", { class: "log", "aria-label": "Lines of the log, the newest first" });
    this.more = h("div", { class: "row" });
    this.news = h("div", { class: "news" });
    this.place = h("div", { class: "stack tight" });
    this.controls = this.#controls();
  }

  async start() {
    await fillWith(this.place, this.context, async () => {
      await this.log.fetch();
      this.#offer();
      this.#drawAll();
      return [this.news, this.list, this.more];
    });
    this.context.every(FOLLOW_MS, () => this.#follow());
  }

  async #follow() {
    if (this.asking) return;
    this.asking = true;
    try {
      const fresh = await this.log.fetch();
      lastingProblem(this.problem, null);
      if (fresh.length > 0) this.#take(fresh);
    } catch (error) {
      if (!this.context.signal.aborted) lastingProblem(this.problem, error);
    } finally {
      this.asking = false;
    }
  }

  /** New lines are held back while the reader reads further down, or asked for it. */
  #take(fresh) {
    this.#offer();
    this.held.push(...fresh.filter((line) => this.#fits(line)));
    this.held = this.held.slice(-LINES_MAX);
    const isReading = this.list.getBoundingClientRect().top < 0;
    if (this.held.length === 0) return;
    if (this.follows && !isReading) this.#release();
    else replace(this.news, button(`Show ${count(this.held.length, "new line")}`, () => {
      this.#release();
      if (isReading) this.place.scrollIntoView({ block: "start" });
    }, { kind: "primary" }));
  }

  #release() {
    const lines = this.held.splice(0).slice(-this.shown);
    replace(this.news);
    if (this.list.childElementCount === 0) {
      this.#drawAll();
      return;
    }
    this.list.prepend(...lines.reverse().map(row));
    while (this.list.childElementCount > this.shown) this.list.lastElementChild.remove();
    this.#drawMore();
  }

  #fits(line) {
    const at = LEVELS.indexOf(line.level);
    return (at < 0 || at >= LEVELS.indexOf(this.level)) && (!this.part || line.component === this.part)
      && (!this.words || line.text.toLowerCase().includes(this.words));
  }

  #chosen() {
    return this.log.lines.filter((line) => this.#fits(line));
  }

  #drawAll() {
    this.held = [];
    replace(this.news);
    const lines = this.#chosen();
    replace(this.list, lines.slice(-this.shown).reverse().map(row));
    this.list.hidden = lines.length === 0;
    this.#drawMore(lines);
  }

  #drawMore(lines = this.#chosen()) {
    const left = lines.length - this.list.childElementCount;
    replace(this.more,
      lines.length === 0 && emptyState(this.log.lines.length === 0 ? "The cell has logged nothing yet." : "No line in memory is like that."),
      left > 0 && button(`Show ${number(Math.min(SHOWN, left))} earlier`, () => { this.shown += SHOWN; this.#drawAll(); }),
      this.log.dropped > 0 && h("p", { class: "soft small" }, `${count(this.log.dropped, "line")} found no room in a file or a terminal in time.`));
  }

  #controls() {
    const level = select("level", LEVELS.map((name) => [name, name === "debug" ? "all" : name === "error" ? "errors" : `${name} and above`]), this.level);
    this.parts = select("part", [["", "all"], ...(this.part ? [[this.part, this.part]] : [])], this.part);
    const words = input("find", this.context.query.get("find") ?? "", { enterkeyhint: "search" });
    const changed = () => {
      [this.level, this.part, this.words] = [level.value, this.parts.value, words.value.trim().toLowerCase()];
      this.shown = SHOWN;
      this.#remember();
      this.#drawAll();
    };
    for (const one of [level, this.parts]) one.addEventListener("change", changed);
    words.addEventListener("input", changed);
    const follow = button("Follow", () => {
      this.follows = !this.follows;
      follow.setAttribute("aria-pressed", String(this.follows));
      if (this.follows && this.held.length > 0) this.#release();
      announce(this.follows ? "New lines are shown." : "New lines are held back.");
    }, { "aria-pressed": "true" });
    const save = button("Save", () => download("myceld.log", this.#chosen().map((line) => `${line.text}\n`).join("")));
    const made = form("Which lines", changed, field("Level", level), field("Part", this.parts), field("With the words", words), h("div", { class: "row" }, follow, save));
    made.classList.add("inline", "narrow");
    return made;
  }

  /** Parts that have said something can be chosen. */
  #offer() {
    const known = new Set([...this.parts.options].map((option) => option.value));
    for (const name of [...new Set(this.log.lines.map((line) => line.component))].sort()) {
      if (!known.has(name)) this.parts.append(h("option", { value: name }, name));
    }
  }

  /** Keep the choice in the address, without opening the page anew. */
  #remember() {
    const given = Object.entries({ level: this.level === "debug" ? "" : this.level, part: this.part, find: this.words }).filter(([, value]) => value);
    history.replaceState(null, "", `#/logs${given.length ? `?${new URLSearchParams(given)}` : ""}`);
  }
}

function row(line) {
  const content = contentOf(line.text);
  const rest = Object.entries(content).filter(([name]) => !PLAIN.has(name));
  return h("li", { class: TONES[line.level], "data-line": line.id },
    h("p", { class: "log-head" }, h("time", { datetime: content.timestamp, title: content.timestamp }, clock(content.timestamp)), badge(line.level, TONES[line.level]), h("span", { class: "soft" }, line.component)),
    h("p", { class: "log-said" }, String(content.event ?? ""), rest.length > 0 && h("span", { class: "log-rest" }, rest.map(([name, value]) => [" ", h("span", { class: "soft" }, `${name}=`), typeof value === "object" ? JSON.stringify(value) : String(value)]))),
    content.exception && h("details", {}, h("summary", {}, "Traceback"), h("pre", { class: "box" }, content.exception)));
}

/** A line that was too long is cut, and no JSON any more. */
function contentOf(text) {
  try {
    const content = JSON.parse(text);
    return typeof content === "object" && content !== null ? content : { event: text };
  } catch {
    return { event: text };
  }
}

function levelsForm(context, levels) {
  const said = h("div", { class: "stack" });
  const id = newId("hint");
  const changing = form("Change what is logged", async (fields) => {
    try {
      const wished = fields.part ? `${fields.part}=${fields.level}` : fields.level;
      const answer = await context.api.post("v1/logs/levels", { levels: [wished] }, context.signal);
      replace(said, words(answer.levels));
      announce("Changed.");
    } catch (error) {
      if (!context.signal.aborted) replace(said, errorState(error));
    }
  },
  field("Of part", select("part", [["", "all parts"], ...Object.keys(levels).map((name) => [name, name])], "")),
  field("Log from", select("level", LEVELS.map((name) => [name, name]), "info")), button("Change", null, { type: "submit", "aria-describedby": id }));
  changing.classList.add("inline");
  replace(said, words(levels));
  return [said, changing, h("p", { class: "soft small", id }, "Until the cell is started again or reads its configuration.")];
}

/** "All parts log from info on; consensus from debug on." */
function words(levels) {
  const by = Map.groupBy(Object.entries(levels), ([, level]) => level);
  const [[usual], ...others] = [...by].sort(([, a], [, b]) => b.length - a.length);
  return h("p", { role: "status" }, others.length > 0 ? "Parts log from " : "All parts log from ", h("strong", {}, usual), " on",
    others.map(([level, parts]) => [`; ${parts.map(([name]) => name).join(", ")} from `, h("strong", {}, level), " on"]), ".");
}
