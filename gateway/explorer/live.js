// What happens now. Pages call `on(topic, work)`; topics: rounds, transactions, messages, peers.
// Falls back to asking for the status every few seconds, and then only tells that there is something new.

const POLL_MS = 2000;
const POLL_SLOW_MS = 10_000;

/** Tells pages of news, and the frame how the cell is reached. */
export class Live {
  #api;
  #listeners = new Map();
  #onState = () => {};
  #timer = null;
  #last = null;

  constructor(api) {
    this.#api = api;
  }

  /** Have `work(words, tone)` called when the state of the connection changes. */
  onState(work) {
    this.#onState = work;
  }

  /** Call `work(news)` for each news of a topic, until the context is left. */
  on(topic, context, work) {
    if (!this.#listeners.has(topic)) this.#listeners.set(topic, new Set());
    this.#listeners.get(topic).add(work);
    context.onLeave(() => this.#listeners.get(topic).delete(work));
  }

  /** The newest status, null before the first. */
  get status() {
    return this.#last;
  }

  start() {
    if (this.#timer === null) this.#poll();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#onState("", "plain");
  }

  #tell(topic, news) {
    for (const work of this.#listeners.get(topic) ?? []) work(news);
  }

  async #poll() {
    this.#timer = -1;
    let wait = POLL_MS;
    try {
      if (!document.hidden) this.#compare(await this.#api.get("v1/status"));
    } catch {
      this.#onState("No answer", "bad");
      wait = POLL_SLOW_MS;
    }
    if (this.#timer !== null && this.#api.token) this.#timer = setTimeout(() => this.#poll(), wait);
  }

  #compare(status) {
    const before = this.#last;
    this.#last = status;
    this.#onState(`Round ${status.round_applied.toLocaleString("en")}`, "good");
    this.#tell("status", status);
    if (!before) return;
    if (status.round_applied !== before.round_applied || status.round_certified !== before.round_certified) this.#tell("rounds", status);
    if (status.transactions_ordered !== before.transactions_ordered) this.#tell("transactions", status);
  }
}
