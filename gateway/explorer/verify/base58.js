// Cell ids: base58 of a libp2p peer id, which holds an Ed25519 public key whole.

import { concat, equal, fromHex } from "./bytes.js";

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const PREFIX = fromHex("002408011220");

function encode(bytes) {
  let value = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  let text = "";
  for (; value > 0n; value /= 58n) text = ALPHABET[Number(value % 58n)] + text;
  return "1".repeat(bytes.findIndex((byte) => byte !== 0)) + text;
}

/** The cell id of a public key of 32 bytes. */
export function cellIdOf(publicKey) {
  return encode(concat(PREFIX, publicKey));
}

/** The public key in a cell id, null for any other text. */
export function publicKeyOf(cellId) {
  if (cellId.length > 64) return null;
  let value = 0n;
  for (const letter of cellId) {
    const digit = ALPHABET.indexOf(letter);
    if (digit < 0) return null;
    value = value * 58n + BigInt(digit);
  }
  const hex = value.toString(16);
  const raw = fromHex(hex.padStart(2 * (PREFIX.length + 32), "0"));
  const key = raw.subarray(PREFIX.length);
  return key.length === 32 && equal(raw.subarray(0, PREFIX.length), PREFIX) && cellIdOf(key) === cellId ? key : null;
}
