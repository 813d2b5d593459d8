// Canonical MessagePack: nil, booleans, integers 0 … 2^63 − 1, bytes, text and arrays, in shortest form.
// Integers that JavaScript's numbers do not hold exactly are BigInt.

import { Refused, ascii, concat, equal, utf8 } from "./bytes.js";

const CODE = "MYC-LEDGER-551";
const DEPTH_MAX = 16;
const SIZES = new Map([
  [0xc4, 1], [0xc5, 2], [0xc6, 4], [0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8],
  [0xd9, 1], [0xda, 2], [0xdb, 4], [0xdc, 2], [0xdd, 4],
]);

/** The value that the bytes encode; refuses all but its one encoding. */
export function decode(bytes) {
  const reader = { bytes, at: 0 };
  const value = read(reader, 0);
  if (reader.at !== bytes.length || !equal(encode(value), bytes)) throw new Refused(CODE, "not canonical MessagePack");
  return value;
}

/** The canonical bytes of a value. */
export function encode(value) {
  if (value === null) return Uint8Array.of(0xc0);
  if (typeof value === "boolean") return Uint8Array.of(value ? 0xc3 : 0xc2);
  if (typeof value === "number" || typeof value === "bigint") {
    return value < 0x80 ? Uint8Array.of(Number(value)) : sized(value, [[0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8]]);
  }
  if (value instanceof Uint8Array) return concat(sized(value.length, [[0xc4, 1], [0xc5, 2], [0xc6, 4]]), value);
  if (typeof value === "string") {
    const raw = ascii(value);
    return concat(raw.length < 32 ? Uint8Array.of(0xa0 | raw.length) : sized(raw.length, [[0xd9, 1], [0xda, 2], [0xdb, 4]]), raw);
  }
  const head = value.length < 16 ? Uint8Array.of(0x90 | value.length) : sized(value.length, [[0xdc, 2], [0xdd, 4]]);
  return concat(head, ...value.map(encode));
}

function sized(value, forms) {
  const [tag, size] = forms.find(([, width]) => BigInt(value) < 1n << BigInt(8 * width));
  const raw = new Uint8Array(1 + size);
  raw[0] = tag;
  let rest = BigInt(value);
  for (let at = size; at > 0; at -= 1) {
    raw[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return raw;
}

function take(reader, size) {
  if (size > reader.bytes.length - reader.at) throw new Refused(CODE, "the bytes are cut off");
  reader.at += size;
  return reader.bytes.subarray(reader.at - size, reader.at);
}

function read(reader, depth) {
  if (depth > DEPTH_MAX) throw new Refused(CODE, "nested too deep");
  const [tag] = take(reader, 1);
  if (tag < 0x80) return tag;
  if (tag >= 0x90 && tag < 0xa0) return array(reader, tag & 15, depth);
  if (tag >= 0xa0 && tag < 0xc0) return text(take(reader, tag & 31));
  if (tag === 0xc0) return null;
  if (tag === 0xc2 || tag === 0xc3) return tag === 0xc3;
  const size = SIZES.get(tag);
  if (size === undefined) throw new Refused(CODE, "a type that proofs do not have");
  const number = take(reader, size).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  if (tag >= 0xcc && tag <= 0xcf) {
    if (number >= 1n << 63n) throw new Refused(CODE, "an integer beyond 63 bits");
    return number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : number;
  }
  const length = Number(number);
  if (tag <= 0xc6) return take(reader, length);
  return tag <= 0xdb ? text(take(reader, length)) : array(reader, length, depth);
}

function text(raw) {
  const found = utf8(raw);
  if (found === null) throw new Refused(CODE, "text that is not UTF-8");
  return found;
}

function array(reader, length, depth) {
  if (length > reader.bytes.length - reader.at) throw new Refused(CODE, "the bytes are cut off");
  return Array.from({ length }, () => read(reader, depth + 1));
}

/** Readers of shapes: each returns the value, or refuses it. */
export const shape = {
  array(value, length = undefined, most = undefined) {
    return must(Array.isArray(value) && (length === undefined || value.length === length) && (most === undefined || value.length <= most), value);
  },
  bytes(value, size = undefined, most = undefined) {
    return must(value instanceof Uint8Array && (size === undefined || value.length === size) && (most === undefined || value.length <= most), value);
  },
  integer(value) {
    return must(typeof value === "number" || typeof value === "bigint", value);
  },
  text(value) {
    return must(typeof value === "string", value);
  },
};

export function must(condition, value) {
  if (!condition) throw new Refused(CODE, "not of the shape that it should have");
  return value;
}
