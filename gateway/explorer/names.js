// What members are called, by their cell ids and keys, as the roster of the epoch has it. A name is said
// beside an id and never in place of it.

const KEPT_MS = 60_000;
const names = new Map();
let askedAt = -Infinity;

/** The member's name, null if nobody of the epoch has this id or key. */
export function nameOf(id) {
  return names.get(id) ?? null;
}

/** All members’ names. */
export function memberNames() {
  return [...new Set(names.values())];
}

/** Ask for the names, unless that was done a moment ago. Pages go without if there is no answer. */
export async function learnNames(api, signal) {
  if (performance.now() - askedAt < KEPT_MS) return;
  try {
    const { members } = await api.get("v1/members", {}, signal);
    names.clear();
    for (const { cell_id: cellId, public_key: publicKey, name } of members) {
      names.set(cellId, name);
      names.set(publicKey, name);
    }
    askedAt = performance.now();
  } catch {
    // The page itself asks for more, and says what is wrong.
  }
}
