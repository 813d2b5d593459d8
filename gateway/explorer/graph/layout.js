// Where each event is: x by branch, y by round and, within it, by how many events lie below it there.
// Rounds are bands that never overlap, as no event is in a lower round than its parents. Heights are in
// levels, counted from the bottom; the list of rounds, sorted by height, is the index for what is visible.

/** Places for all events of a model. */
export class Layout {
  #byRound = new Map();

  constructor(model) {
    this.model = model;
    this.bands = [];
    this.columns = 1;
    this.height = 0;
  }

  /** Place everything anew: 10,000 events take some milliseconds. */
  update() {
    this.#byRound = new Map();
    this.bands = [];
    this.add(this.model.events.values());
  }

  /** Place events that arrived after all that have a place: all below the lowest of them stays where it is. */
  add(events) {
    let lowest = Infinity;
    for (const event of [...events].sort((a, b) => a.arrival - b.arrival)) {
      event.level = 0;
      for (const parent of this.model.parents(event)) {
        if (parent.round === event.round) event.level = Math.max(event.level, parent.level + 1);
      }
      event.column = event.creator + this.#shift(event.branch);
      const band = this.#byRound.get(event.round) ?? this.#open(event.round, event.arrival);
      band.events.push(event);
      band.levels = Math.max(band.levels, event.level + 1);
      lowest = Math.min(lowest, event.round);
    }
    this.#stack(lowest);
    this.columns = Math.max(1, this.model.members.length);
  }

  /** How many levels events fill that arrived before this one. */
  heightAt(limit) {
    if (limit === Infinity) return this.height;
    const highest = this.bands.findLast((band) => band.first < limit);
    let level = -1;
    for (const event of highest?.events ?? []) if (event.arrival < limit) level = Math.max(level, event.level);
    return highest ? highest.base + level + 1 : 0;
  }

  /** Begin a band for a round: nearly always the uppermost. */
  #open(number, first) {
    const band = { number, first, events: [], base: 0, levels: 1 };
    this.#byRound.set(number, band);
    this.bands.splice(this.bands.findLastIndex((other) => other.number < number) + 1, 0, band);
    return band;
  }

  /** Put the bands from this round on upon those below. */
  #stack(lowest) {
    let at = this.bands.findLastIndex((band) => band.number < lowest) + 1;
    let base = at > 0 ? this.bands[at - 1].base + this.bands[at - 1].levels : 0;
    for (; at < this.bands.length; at += 1) {
      const band = this.bands[at];
      band.base = base;
      for (const event of band.events) event.y = base + event.level + 0.5;
      base += band.levels;
    }
    this.height = base;
  }

  /** Branches that a fork opened stand beside the column of their creator. */
  #shift(branch) {
    const { members, branches } = this.model;
    if (branch < members.length) return 0;
    const nth = branches.slice(members.length, branch + 1).filter((creator) => creator === branches[branch]).length;
    return 0.28 * (nth % 2 ? 1 : -1) * Math.ceil(nth / 2) / Math.max(1, nth / 3);
  }

  /** The rounds that reach into these heights. */
  visible(low, high) {
    const found = [];
    for (let at = this.#at(low); at < this.bands.length && this.bands[at].base <= high; at += 1) found.push(this.bands[at]);
    return found;
  }

  /** The nearest shown event to a place, within so many columns and levels. */
  nearest(x, y, reachX, reachY) {
    let best = null;
    let least = 1;
    for (const band of this.visible(y - reachY, y + reachY)) {
      for (const event of band.events) {
        if (!this.model.isShown(event)) continue;
        const far = ((event.column - x) / reachX) ** 2 + ((event.y - y) / reachY) ** 2;
        if (far < least) [best, least] = [event, far];
      }
    }
    return best;
  }

  #at(y) {
    let [low, high] = [0, this.bands.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.bands[middle].base + this.bands[middle].levels < y) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
