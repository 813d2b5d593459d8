// What the page knows of the hashgraph: events by arrival, rounds, and what was known when.
// `shown` is how far the reader looks: only events that arrived before it, and what was decided then.

/** The events of one epoch, as windows and news of the cell tell them. */
export class Model {
  constructor() {
    this.reset();
  }

  reset() {
    this.epoch = null;
    this.members = [];
    this.branches = [];
    this.firstRound = 1;
    this.total = 0;
    this.lowest = Infinity;
    this.events = new Map();
    this.byPlace = new Map();
    this.byId = new Map();
    this.children = new Map();
    this.rounds = new Map();
    this.numbered = new Map();
    this.shown = null;
    this.version = 0;
  }

  /** Take a window or news. Return the events that are new, null if another epoch has begun. */
  take(view) {
    if (this.epoch !== null && view.epoch !== this.epoch) return null;
    this.epoch = view.epoch;
    this.members = view.members;
    this.branches = view.branches;
    this.firstRound = view.first_round;
    this.total = Math.max(this.total, view.events);
    const fresh = [];
    for (const event of view.items) if (this.#add(event)) fresh.push(event);
    for (const round of view.rounds) this.#mark(round);
    for (const place of view.placed) {
      const event = this.events.get(place.arrival);
      if (event) Object.assign(event, place);
    }
    this.version += 1;
    return fresh;
  }

  #add(event) {
    const before = this.events.get(event.arrival);
    if (before) {
      Object.assign(before, event);
      return false;
    }
    event.known = null;
    event.above = null;
    event.forked = false;
    this.events.set(event.arrival, event);
    this.byId.set(event.id, event);
    this.byPlace.set(`${event.branch}:${event.sequence}`, event);
    this.lowest = Math.min(this.lowest, event.arrival);
    for (const [branch, sequence] of event.parents) {
      const key = `${branch}:${sequence}`;
      if (!this.children.has(key)) this.children.set(key, []);
      this.children.get(key).push(event.arrival);
    }
    const number = `${event.creator}/${event.sequence}`;
    const twin = this.numbered.get(number);
    if (twin) [twin.forked, event.forked] = [true, true];
    else this.numbered.set(number, event);
    return true;
  }

  #mark(round) {
    this.rounds.set(round.round, round);
    for (const mark of round.witnesses) {
      const event = this.events.get(mark.arrival);
      if (event) event.famous = mark.famous;
    }
  }

  get limit() {
    return this.shown ?? Infinity;
  }

  isShown(event) {
    return event.arrival < this.limit;
  }

  /** Whether a round was decided by then. */
  isDecided(number) {
    const known = this.rounds.get(number)?.known;
    return known !== null && known !== undefined && known <= this.limit;
  }

  /** Fame as it was known then: true, false, or null. */
  fame(event) {
    if (!event.witness) return null;
    return this.shown === null || this.isDecided(event.round) ? event.famous : null;
  }

  isOrdered(event) {
    return event.received !== null && (this.shown === null || this.isDecided(event.received));
  }

  isFork(event) {
    return event.forked;
  }

  /** The parents that are loaded; found once, and again when older events have come. */
  parents(event) {
    if (event.above === null || (event.above.length < event.parents.length && event.aboveOf !== this.lowest)) {
      event.above = event.parents.map(([branch, sequence]) => this.byPlace.get(`${branch}:${sequence}`)).filter(Boolean);
      event.aboveOf = this.lowest;
    }
    return event.above;
  }

  /** The children that are shown, the creator's own first. */
  childrenOf(event) {
    const found = (this.children.get(`${event.branch}:${event.sequence}`) ?? []).map((at) => this.events.get(at));
    return found.filter((child) => child && this.isShown(child))
      .sort((a, b) => (b.branch === event.branch) - (a.branch === event.branch) || a.arrival - b.arrival);
  }

  /** The newest event that is shown. */
  newest() {
    for (let at = Math.min(this.limit, this.total) - 1; at >= this.lowest; at -= 1) {
      if (this.events.has(at)) return this.events.get(at);
    }
    return null;
  }

  name(event) {
    return `${this.members[event.creator] ?? "?"}/${event.sequence}`;
  }
}
