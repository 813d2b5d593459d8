// What happens now. Pages call `on(topic, context, work)`; topics: status, rounds, transactions, messages, peers,
// and away while the cell does not answer.
// News come over a WebSocket; where there is none, the status is asked for every other second. Either way
// news only say that something is new: pages ask for what they show, so none of it can be missed.

const [POLL_MS, POLL_BESIDE_SOCKET_MS, POLL_BROKEN_MS] = [2000, 10_000, 4000];
const NEWS_MS = 400;
const SOCKET_AGAIN_MS = 15_000;

/** Tells pages of news, and the frame how the cell is reached. */
export class Live {
  #api;
  #listeners = new Map();
  #onState = () => {};
  #timer = null;
  #last = null;
  #socket = null;
  #socketNotBefore = 0;
  #told = new Map();
  #isAway = false;

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

  /** Whether news come over a WebSocket. */
  get hears() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  start() {
    if (this.#timer === null) this.#poll();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#last = null;
    this.#isAway = false;
    this.#hangUp();
    this.#onState("", "plain");
  }

  /** Somebody had no answer: see at once whether that is so. */
  look() {
    if (this.#timer !== null && !this.#isAway) this.#pollIn(0);
  }

  /** A socket that is not open yet is closed as soon as it is: before, the browser calls that an error. */
  #hangUp() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket?.readyState === WebSocket.CONNECTING) socket.addEventListener("open", () => socket.close());
    else socket?.close();
  }

  #tell(topic, news) {
    for (const work of this.#listeners.get(topic) ?? []) work(news);
  }

  #pollIn(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), ms);
  }

  async #poll() {
    this.#timer ??= 0;
    let wait = POLL_MS;
    try {
      if (!document.hidden) {
        this.#compare(await this.#api.get("v1/status"));
        this.#listen();
      }
    } catch {
      this.#isAway = true;
      this.#onState("No answer", "bad");
      this.#tell("away", null);
      wait = POLL_BROKEN_MS;
    }
    if (this.#timer !== null && this.#api.token) this.#pollIn(this.hears && !this.#isAway ? POLL_BESIDE_SOCKET_MS : wait);
  }

  #compare(status) {
    if (this.#timer === null) return;
    const before = this.#last;
    this.#last = status;
    this.#isAway = false;
    this.#onState(`Round ${status.round_applied.toLocaleString("en")}`, "good");
    this.#tell("status", status);
    if (!before) return;
    if (status.round_applied !== before.round_applied || status.round_certified !== before.round_certified) this.#tell("rounds", status);
    if (status.transactions_ordered !== before.transactions_ordered) this.#tell("transactions", status);
  }

  /** Open the WebSocket, if it is not open. A token that may not hear of messages hears of the rest. */
  #listen() {
    if (this.#socket || this.#timer === null || performance.now() < this.#socketNotBefore) return;
    this.#socketNotBefore = performance.now() + SOCKET_AGAIN_MS;
    const address = new URL("/api/v1/stream", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, ["myceld.1", `bearer.${this.#api.token}`]);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      for (const topic of ["rounds", "messages", "peers"]) socket.send(JSON.stringify({ subscribe: topic }));
    });
    socket.addEventListener("message", (event) => {
      const { kind } = JSON.parse(event.data);
      if (kind) this.#news(kind);
    });
    socket.addEventListener("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.look();
    });
  }

  /** Many news at once become one. */
  #news(kind) {
    if (this.#told.has(kind)) return;
    this.#told.set(kind, setTimeout(() => {
      this.#told.delete(kind);
      if (this.#timer === null) return;
      if (kind === "rounds") this.#pollIn(0);
      else this.#tell(kind);
    }, NEWS_MS));
  }
}
