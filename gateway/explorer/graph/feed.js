// Gets events from the cell: the newest first, then what is new, and older ones when they are looked for.

const PAGE = 500;
const FOLLOW_MS = 700;
const FOLLOW_SLOW_MS = 4000;
const EVENTS_MAX = 20_000;

/** Keeps a model up to date. Calls `onNews(fresh)`, `onOlder()`, `onEpoch()` when another one begins, `onError(error)`. */
export class Feed {
  #context;
  #model;
  #tell;
  #cursor = null;
  #timer = null;
  #loading = null;
  #following = null;

  constructor(context, model, tell) {
    this.#context = context;
    this.#model = model;
    this.#tell = tell;
    context.onLeave(() => clearTimeout(this.#timer));
    const wake = () => { if (!document.hidden) this.#next(0); };
    document.addEventListener("visibilitychange", wake);
    context.onLeave(() => document.removeEventListener("visibilitychange", wake));
    context.live.on("rounds", context, () => this.#next(0));
    context.live.on("transactions", context, () => this.#next(0));
  }

  /** Load the newest events, and follow from then on. Raises what the cell answers. */
  async start() {
    await this.#begin();
    this.#next(FOLLOW_MS);
  }

  /** Whether older events can be loaded. */
  get hasOlder() {
    return this.#model.lowest > 0 && Number.isFinite(this.#model.lowest) && this.#model.events.size < EVENTS_MAX;
  }

  /** Load one more page of older events, if there are some; of calls at the same time only one asks. */
  older() {
    if (!this.hasOlder) return Promise.resolve(false);
    this.#loading ??= this.#older().finally(() => { this.#loading = null; });
    return this.#loading;
  }

  async #older() {
    const { lowest, epoch } = this.#model;
    const start = Math.max(0, lowest - PAGE);
    const view = await this.#ask({ start, limit: lowest - start });
    if (view.epoch !== epoch || this.#model.epoch !== epoch) return false;
    this.#model.take(view);
    this.#tell.onOlder();
    return true;
  }

  async #begin() {
    const view = await this.#ask({ limit: PAGE });
    this.#model.reset();
    this.#model.take(view);
    this.#cursor = view.cursor;
    this.#tell.onEpoch();
  }

  #next(ms) {
    clearTimeout(this.#timer);
    if (this.#context.signal.aborted || this.#cursor === null) return;
    this.#timer = setTimeout(() => {
      this.#following ??= this.#follow().finally(() => { this.#following = null; });
    }, ms);
  }

  async #follow() {
    let wait = FOLLOW_MS;
    try {
      if (document.hidden) return;
      const view = await this.#ask({ after: this.#cursor, limit: PAGE });
      const fresh = this.#model.take(view);
      if (fresh === null) {
        await this.#begin();
      } else {
        this.#cursor = view.cursor;
        if (view.more) wait = 0;
        if (fresh.length || view.placed.length) this.#tell.onNews(fresh);
      }
      this.#tell.onError(null);
    } catch (error) {
      if (this.#context.signal.aborted) return;
      this.#tell.onError(error);
      wait = FOLLOW_SLOW_MS;
    } finally {
      this.#next(wait);
    }
  }

  #ask(query) {
    return this.#context.api.get("v1/consensus/events", query, this.#context.signal);
  }
}
