// What proven bytes mean, as far as it is known here: transactions, values of the state, claims in words.

import { cellIdOf } from "./base58.js";
import { Refused, ascii, startsWith, toHex, utf8 } from "./bytes.js";
import { decode } from "./msgpack.js";

const VALUE = ascii("value/");
const ARGUMENTS = {
  put: ["key", "value"],
  "put-if": ["key", "value", "condition"],
  delete: ["key", "condition"],
  "namespace-claim": ["name", "owners", "access", "writers"],
  "namespace-set": ["name", "owners", "access", "writers"],
  "namespace-release": ["name"],
  "member-propose": ["action", "public_key", "weight", "name"],
  "member-approve": ["proposal"],
  "member-leave": [],
  "fork-evidence": ["epoch", "evidence"],
  "trust-attest": ["subject", "scope", "score_millionths", "expires_round"],
  "trust-revoke": ["subject", "scope"],
  "key-rotate": ["successor", "consent", "possession"],
  post: ["hash", "size_bytes", "title", "expires_round"],
  "post-withdraw": ["hash"],
  transfer: ["to", "amount", "memo"],
  allow: ["spender", "amount", "expires_round"],
  "transfer-from": ["owner", "to", "amount", "memo"],
  "multisig-create": ["threshold", "keys", "name"],
  "multisig-propose": ["account", "to", "amount", "memo", "expires_round"],
  "multisig-approve": ["account", "spend"],
  "multisig-cancel": ["account", "spend"],
  "token-create": ["symbol", "name", "decimals", "rules", "cap", "amount"],
  "token-mint": ["symbol", "to", "amount"],
  "token-burn": ["symbol", "amount"],
  "token-send": ["symbol", "to", "amount", "memo"],
  "gov-propose": ["title", "actions", "rounds"],
  "gov-vote": ["proposal", "vote"],
  "gov-announce": ["rule_sets", "wire_versions", "transaction_versions", "release"],
  batch: ["items"],
};
const KEYS = new Set(["public_key", "subject", "successor", "spender", "owner", "to", "account"]);

/** The fields of a transaction's bytes: {kind, sender, nonce, expiresRound, fee, fields: [[name, text], …]}. */
export function transactionIn(raw) {
  const [first, second] = decode(raw);
  if (first === "myceld/opaque/1") return { kind: "opaque", sender: null, fields: [["data", textOf(second)]] };
  const [domain, , sender, nonce, expiresRound, fee, kind, given] = decode(first);
  if (domain !== "myceld/transaction/2") throw new Refused("MYC-LEDGER-551", "a transaction of a version that is not known here");
  const names = ARGUMENTS[kind] ?? [];
  return {
    kind, sender: cellIdOf(sender), nonce, expiresRound, fee,
    fields: given.map((value, at) => [names[at] ?? `argument ${at}`, argument(names[at], value)]),
  };
}

function argument(name, value) {
  if (value instanceof Uint8Array) return value.length === 32 && KEYS.has(name) ? cellIdOf(value) : textOf(value);
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map((item) => argument(name, item)).join(", ");
  return value === null ? "none" : String(value);
}

/** Bytes as text, or as hex where they are none. */
export function textOf(bytes) {
  const text = utf8(bytes);
  return text === null || /[\u0000-\u0008\u000e-\u001f\u007f]/.test(text) ? `0x${toHex(bytes)}` : text;
}

/** The key that somebody put something under, null for other keys of the state. */
export function userKeyOf(key) {
  return startsWith(key, VALUE) ? textOf(key.subarray(VALUE.length)) : null;
}

/** What somebody put: {data, round, by}, out of what the state holds under a user's key. */
export function userValueOf(value) {
  const [data, round, sender] = decode(value);
  return { data, round, by: cellIdOf(sender) };
}

/** What a verified proof says, in one sentence. */
export function sentenceOf({ claim, header }) {
  const name = () => (userKeyOf(claim.key) === null ? `the state key ${textOf(claim.key)}` : `the key ${userKeyOf(claim.key)}`);
  switch (claim.about) {
    case "receipt":
      return claim.outcome === "applied"
        ? `The transaction was applied, at position ${claim.position} of the order.`
        : `The transaction was refused with ${claim.outcome}, at position ${claim.position} of the order. It changed nothing.`;
    case "state":
      return claim.value === null ? `After round ${header.round}, ${name()} had no value.` : `After round ${header.round}, ${name()} had the value below.`;
    case "range":
      return `After round ${header.round}, these were ${claim.isComplete ? "all" : "the first"} ${claim.entries.length} keys that begin with ${userKeyOf(claim.start) ?? textOf(claim.start)}.`;
    case "roster":
      return `These ${claim.roster.members.length} members vote after round ${header.round}, in epoch ${claim.roster.epoch}.`;
    default:
      return `This is the header of round ${header.round}.`;
  }
}
