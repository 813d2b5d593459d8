// Where each event is: x by branch, y by round and, within it, by how many events lie below it there.
// Rounds are bands that never overlap, as no event is in a lower round than its parents. Heights are in
// levels, counted from the bottom; the list of rounds, sorted by height, is the index for what is visible.

/** Places for all events of a model. */
export class Layout {
  constructor(model) {
    this.model = model;
    this.bands = [];
    this.columns = 1;
    this.height = 0;
  }

  /** Place everything anew: 10,000 events take some milliseconds. */
  update() {
    const { model } = this;
    const byRound = new Map();
    for (const event of [...model.events.values()].sort((a, b) => a.arrival - b.arrival)) {
      event.level = 0;
      for (const parent of model.parents(event)) {
        if (parent.round === event.round) event.level = Math.max(event.level, parent.level + 1);
      }
      event.column = event.creator + this.#shift(event.branch);
      if (!byRound.has(event.round)) byRound.set(event.round, []);
      byRound.get(event.round).push(event);
    }
    let base = 0;
    this.bands = [...byRound].sort(([a], [b]) => a - b).map(([number, events]) => {
      const levels = 1 + Math.max(...events.map((event) => event.level));
      const band = { number, events, base, levels };
      for (const event of events) event.y = base + event.level + 0.5;
      base += levels;
      return band;
    });
    this.height = base;
    this.columns = Math.max(1, model.members.length);
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
