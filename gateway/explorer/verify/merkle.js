// Merkle logs (RFC 6962): is a leaf in the tree with this root?

import { equal } from "./bytes.js";
import { sha256 } from "./crypto.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export function leafHash(data) {
  return sha256(LEAF, data);
}

/**
 * Whether `hash` is leaf `index` of the tree of `size` leaves with that root (RFC 9162, section
 * 2.1.3.2). Index and size are at most 2^53 − 1.
 */
export async function isIncluded(hash, index, size, path, root) {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  let number = BigInt(index);
  let last = BigInt(size) - 1n;
  let value = hash;
  for (const sibling of path) {
    if (last === 0n) return false;
    if (number & 1n || number === last) {
      value = await sha256(NODE, sibling, value);
      while (!(number & 1n)) {
        number >>= 1n;
        last >>= 1n;
      }
    } else {
      value = await sha256(NODE, value, sibling);
    }
    number >>= 1n;
    last >>= 1n;
  }
  return last === 0n && equal(value, root);
}
