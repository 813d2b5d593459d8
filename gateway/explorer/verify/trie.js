// Proofs of the state's map: a pruned binary Patricia trie over the keys, in pre-order. What it shows is
// true of the map with `root`; who checks compares that with a root that is certified.

import { Refused, bigEndian, compare, equal } from "./bytes.js";
import { sha256 } from "./crypto.js";

const CODE = "MYC-LEDGER-559";
const KEY_MAX = 512;
const NODES_MAX = 12_288;
const [EMPTY, INNER, HIDDEN, ENTRY, BARE] = [0, 1, 2, 3, 4];

/** Read a proof: {root, get(key), scan(start, end)}. */
export async function open(data) {
  if (data.length < 2 || data[0] !== 1) throw refused("no proof of the map of this version");
  const nodes = read(data);
  check(nodes);
  return { root: await rootOf(nodes), get: (key) => get(nodes, key), scan: (start, end) => scan(nodes, start, end) };
}

function refused(message) {
  return new Refused(CODE, message);
}

function part(data, at, size) {
  if (size > data.length - at) throw refused("the proof of the map ends too early");
  return data.subarray(at, at + size);
}

/** All nodes in pre-order; an inner one is followed by its left side, and knows where its right one is. */
function read(data) {
  const nodes = [];
  const above = [];
  let at = 1;
  for (;;) {
    const [kind] = part(data, at, 1);
    if (nodes.length >= NODES_MAX) throw refused("more nodes than a proof of the map has");
    const node = { kind };
    nodes.push(node);
    if (kind === INNER) {
      node.head = part(data, at, 3);
      node.position = bigEndian(node.head.subarray(1));
      if (node.position > 9 * KEY_MAX || (above.length > 0 && node.position <= above.at(-1).position)) {
        throw refused("positions must grow downwards");
      }
      above.push(node);
      at += 3;
      continue;
    }
    at = readLeaf(data, at, node, nodes.length === 1);
    while (above.length > 0 && above.at(-1).right !== undefined) above.pop();
    if (above.length === 0) break;
    above.at(-1).right = nodes.length;
  }
  if (at !== data.length) throw refused("bytes behind the proof of the map");
  return nodes;
}

function readLeaf(data, at, node, isAlone) {
  if (node.kind === EMPTY && isAlone) return at + 1;
  if (node.kind === HIDDEN && !isAlone) {
    node.digest = part(data, at + 1, 32);
    return at + 33;
  }
  if (node.kind !== ENTRY && node.kind !== BARE) throw refused("no node of a proof of the map");
  const size = part(data, at + 1, 2);
  const length = bigEndian(size);
  if (length > KEY_MAX) throw refused("a key that is longer than any");
  node.size = size;
  node.key = part(data, at + 3, length);
  const behind = at + 3 + length;
  if (node.kind === BARE) {
    node.valueHash = part(data, behind, 32);
    return behind + 32;
  }
  const valueSize = bigEndian(part(data, behind, 4));
  node.value = part(data, behind + 4, valueSize);
  return behind + 4 + valueSize;
}

/** Keys rise, and branch where the proof says. Sides come before what is above them, seen from the end. */
function check(nodes) {
  for (let at = nodes.length - 1; at >= 0; at -= 1) {
    const node = nodes[at];
    if (node.kind !== INNER) {
      [node.first, node.last] = [node.key, node.key];
      continue;
    }
    const [left, right] = [nodes[at + 1], nodes[node.right]];
    if (left.first && right.first) {
      if (compare(left.last, right.first) >= 0 || firstDifference(left.last, right.first) !== node.position) {
        throw refused("keys that do not branch where the proof says");
      }
    } else if (!left.first && !right.first) {
      throw refused("two hidden sides that should be one");
    } else {
      const isRight = !left.first;
      const witness = right.first ?? left.last;
      if ((bit(witness, node.position) === 1) !== isRight || node.position > 9 * witness.length) throw refused("a key on the wrong side");
    }
    node.first = left.first ?? right.first;
    node.last = right.last ?? left.last;
  }
}

async function rootOf(nodes) {
  if (nodes[0].kind === EMPTY) return new Uint8Array(32);
  for (let at = nodes.length - 1; at >= 0; at -= 1) {
    const node = nodes[at];
    if (node.kind === INNER) node.digest = await sha256(node.head, nodes[at + 1].digest, nodes[node.right].digest);
    else if (node.kind !== HIDDEN) {
      node.digest = await sha256(Uint8Array.of(0), node.size, node.key, node.valueHash ?? await sha256(node.value));
    }
  }
  return nodes[0].digest;
}

/** The bit of a key: before each of its bytes a 1, after the last one a 0, and 0 beyond. */
function bit(key, position) {
  const [at, place] = [Math.floor(position / 9), position % 9];
  if (at >= key.length) return 0;
  return place === 0 ? 1 : (key[at] >> (8 - place)) & 1;
}

function firstDifference(one, other) {
  let position = 0;
  while (bit(one, position) === bit(other, position)) position += 1;
  return position;
}

/** The value of a key, null if it is not in the map. Refuses if the proof does not tell. */
function get(nodes, key) {
  let at = 0;
  while (nodes[at].kind === INNER) at = bit(key, nodes[at].position) ? nodes[at].right : at + 1;
  const node = nodes[at];
  const isIt = node.key !== undefined && equal(node.key, key);
  if (node.kind === HIDDEN || (node.kind === BARE && isIt)) throw refused("the proof does not show that key");
  return isIt ? node.value : null;
}

/** The entries with start ≤ key < end (null: to the end of the map), and whether these are all. */
function scan(nodes, start, end) {
  const leaves = nodes.filter((node) => node.kind !== INNER && node.kind !== EMPTY);
  const begin = leaves.findLastIndex((node) => node.key && compare(node.key, start) < 0) + 1;
  const entries = [];
  for (const node of leaves.slice(begin)) {
    if (node.key && end !== null && compare(node.key, end) >= 0) return { entries, isComplete: true };
    if (node.kind === BARE) throw refused("an entry of the range is shown without its value");
    if (node.kind === HIDDEN) {
      if (entries.length === 0) throw refused("the proof shows nothing of the range");
      return { entries, isComplete: false };
    }
    entries.push([node.key, node.value]);
  }
  return { entries, isComplete: true };
}
