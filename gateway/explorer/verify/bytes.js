// Byte strings: hex, base64, comparison, numbers in big endian.

/** What is given proves nothing. `code` is that of the command line and of docs/explorer.md. */
export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.name = "Refused";
    this.code = code;
    this.remedy = "Trust nothing of it. Get it again from the cell that made it, or from another cell.";
  }
}

export function fromHex(text) {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new Refused("MYC-LEDGER-551", "not lower-case hex");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Canonical base64 with padding; null for any other text. */
export function fromBase64(text) {
  let raw;
  try {
    raw = atob(text);
  } catch {
    return null;
  }
  return btoa(raw) === text ? Uint8Array.from(raw, (character) => character.charCodeAt(0)) : null;
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** In the order of bytes: below 0, 0 or above 0. */
export function compare(one, other) {
  const shared = Math.min(one.length, other.length);
  for (let at = 0; at < shared; at += 1) if (one[at] !== other[at]) return one[at] - other[at];
  return one.length - other.length;
}

export function equal(one, other) {
  return one.length === other.length && compare(one, other) === 0;
}

export function startsWith(bytes, prefix) {
  return bytes.length >= prefix.length && compare(bytes.subarray(0, prefix.length), prefix) === 0;
}

/** A number of 2 or 4 bytes, big endian. */
export function bigEndian(bytes) {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

export function ascii(text) {
  return new TextEncoder().encode(text);
}

/** The text, or null where the bytes are no UTF-8. */
export function utf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
