// Checks the proof of one block of a journal: C2SP tlog-proof text with the block, the hashes that lead from
// it to a root, and the head that the journal's cell signed. A cell id holds its own key.

import { Refused, ascii, bigEndian, concat, equal, fromBase64 } from "./bytes.js";
import { publicKeyOf } from "./base58.js";
import { isSigned, sha256 } from "./crypto.js";
import { isIncluded, leafHash } from "./merkle.js";

const FIRST_LINE = "c2sp.org/tlog-proof@v1";
const ORIGIN = /^([1-9A-HJ-NP-Za-km-z]{1,64})\/([a-z][a-z0-9_-]{0,63})\/(0|[1-9][0-9]{0,18})$/;
const DECIMAL = /^(0|[1-9][0-9]{0,15})$/;
const DASH = "\u2014 ";
const [HASHES_MAX, SIGNATURES_MAX, TEXT_MAX] = [128, 100, 6 << 20];

/**
 * Return {index, block, head: {cellId, journal, fork, size, root}, witnesses: [{cellId, timeS}]}.
 * `cellId` is whose journal it must be; without one, compare `head.cellId` with one that you trust.
 */
export async function verifyBlock(text, cellId = undefined) {
  const proof = parseProof(text);
  const head = await verifyHead(proof.head, cellId);
  if (!await isIncluded(await leafHash(proof.block), proof.index, head.size, proof.hashes, head.root)) {
    throw new Refused("MYC-JOURNAL-001", "the block is not in the journal that the head is of");
  }
  return { index: proof.index, block: proof.block, head, witnesses: head.witnesses };
}

/** Check a signed head alone. */
export async function verifyHead(text, cellId = undefined) {
  const [body, notes, ...more] = text.split("\n\n");
  const lines = body.split("\n");
  if (notes === undefined || more.length > 0 || lines.length !== 3) throw noHead("it has three lines, an empty one, and signatures");
  const origin = ORIGIN.exec(lines[0]);
  const root = fromBase64(lines[2]);
  if (origin === null || !DECIMAL.test(lines[1]) || root?.length !== 32) throw noHead("it names a cell, a journal, a fork, a size and a root");
  if (cellId !== undefined && origin[1] !== cellId) throw noHead(`it is of cell ${origin[1]}, not of ${cellId}`);
  const key = publicKeyOf(origin[1]);
  if (key === null) throw noHead("it names no cell");
  const signatures = signaturesOf(notes);
  const message = `${body}\n`;
  const own = await linesOf(signatures, lines[0], key, 1);
  if (own.length !== 1 || !await isSigned(key, ascii(message), own[0])) throw noHead("the key of the cell did not sign it");
  return {
    cellId: origin[1], journal: origin[2], fork: Number(origin[3]), size: Number(lines[1]), root,
    witnesses: await witnessesOf(signatures, message),
  };
}

function noHead(why) {
  return new Refused("MYC-JOURNAL-003", `the signed head is refused: ${why}`);
}

function noProof(why) {
  return new Refused("MYC-JOURNAL-061", `not a proof file: ${why}`);
}

function parseProof(text) {
  const at = text.indexOf("\n\n");
  const lines = text.slice(0, at).split("\n");
  if (text.length > TEXT_MAX || at < 0 || lines[0] !== FIRST_LINE || lines.length < 3 || !lines[1].startsWith("extra ")) throw noProof("it does not begin as one");
  const index = /^index (0|[1-9][0-9]{0,15})$/.exec(lines[2]);
  const block = fromBase64(lines[1].slice(6));
  const hashes = lines.slice(3).map(fromBase64);
  if (index === null || block === null) throw noProof("it has no block, or no index");
  if (hashes.length > HASHES_MAX || hashes.some((hash) => hash?.length !== 32)) throw noProof("a hash of it has not 32 bytes");
  return { index: Number(index[1]), block, hashes, head: text.slice(at + 2) };
}

function signaturesOf(notes) {
  const lines = notes.split("\n");
  if (lines.pop() !== "" || lines.length > SIGNATURES_MAX) throw noHead("its last line does not end, or it has too many");
  return lines.map((line) => {
    const found = /^([^\s+]{1,256}) (\S+)$/.exec(line.slice(DASH.length));
    const raw = found && line.startsWith(DASH) ? fromBase64(found[2]) : null;
    if (raw === null || raw.length <= 4) throw noHead("a line of it is no signature");
    return { name: found[1], keyId: raw.subarray(0, 4), signature: raw.subarray(4) };
  });
}

/** The signatures of one key, by its name and the 4 bytes that stand for it (`kind` of signed notes). */
async function linesOf(signatures, name, key, kind) {
  const keyId = (await sha256(ascii(`${name}\n`), Uint8Array.of(kind), key)).subarray(0, 4);
  return signatures.filter((line) => line.name === name && equal(line.keyId, keyId)).map((line) => line.signature);
}

/** Other cells that say when they saw the head (C2SP tlog-cosignature). */
async function witnessesOf(signatures, message) {
  const witnesses = [];
  for (const name of new Set(signatures.map((line) => line.name))) {
    const key = publicKeyOf(name);
    const lines = key === null ? [] : await linesOf(signatures, name, key, 4);
    if (lines.length === 0) continue;
    const timeS = bigEndian(lines[0].subarray(0, 8));
    const signed = concat(ascii(`cosignature/v1\ntime ${timeS}\n`), ascii(message));
    if (lines.length > 1 || !await isSigned(key, signed, lines[0].subarray(8))) throw new Refused("MYC-JOURNAL-060", `the cosignature of ${name} is wrong`);
    witnesses.push({ cellId: name, timeS });
  }
  return witnesses;
}
