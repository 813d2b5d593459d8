// Checks a proof file, myceld-proof/1: what a network has certified, for whoever knows the network's id.
// What is trusted is that id, the hash of the genesis, and that at no time more than 2/3 of the weight of
// those who voted then signed what is not so. It can not tell whether there is something newer.

import { Refused, equal, fromBase64, fromHex, toHex } from "./bytes.js";
import { isSigned, sha256 } from "./crypto.js";
import { isIncluded, leafHash } from "./merkle.js";
import { decode, encode, must, shape } from "./msgpack.js";
import { open } from "./trie.js";

const BEGIN = "-----BEGIN MYCELD PROOF-----";
const END = "-----END MYCELD PROOF-----";
const TEXT_MAX = 3 << 19;
const [STEPS_MAX, HEADERS_MAX, MEMBERS_MAX, PATH_MAX] = [32, 1024, 128, 24];

/**
 * Return what a proof file proves to whoever trusts the network of this id (hex): {networkName,
 * header, certified, roster, signers, weight, weightTotal, claim}. Throws Refused otherwise.
 */
export async function verifyProof(text, networkId) {
  const items = shape.array(decode(armoured(text)));
  must(items[0] === "myceld-proof/1");
  const [, genesisRaw, steps, headers, signers, subject] = shape.array(items, 6);
  const genesis = genesisOf(genesisRaw);
  const parsedSteps = [];
  for (const step of shape.array(steps, undefined, STEPS_MAX)) parsedSteps.push(await stepOf(step));
  const chain = [];
  for (const raw of shape.array(headers, undefined, HEADERS_MAX)) chain.push(await headerOf(raw));
  signersOf(signers);
  const claim = await claimOf(shape.array(subject));
  if (toHex(await sha256(genesisRaw)) !== networkId) throw new Refused("MYC-LEDGER-552", "the proof is of another network");
  const roster = await rosterAfter(genesis, parsedSteps, networkId);
  checkChain(chain, networkId);
  const [header, certified] = [chain[0], chain.at(-1)];
  if (certified.epoch !== roster.epoch) throw new Refused("MYC-LEDGER-558", "the last roster is of another epoch than the header that was signed");
  await checkSigners(certified, roster, signers);
  await checkClaim(header, claim);
  const signed = signers.map(([number]) => roster.members[number]);
  return {
    networkName: genesis.name, header, certified, roster, claim, signers: signed,
    weight: weightOf(signed), weightTotal: weightOf(roster.members), steps: parsedSteps.length,
  };
}

function armoured(text) {
  if (text.length > TEXT_MAX) throw new Refused("MYC-LEDGER-551", "too long for a proof");
  const lines = text.trim().replaceAll("\r\n", "\n").split("\n");
  if (lines.length < 3 || lines[0] !== BEGIN || lines.at(-1) !== END) throw new Refused("MYC-LEDGER-551", "the text does not begin and end as a proof file does");
  const armour = lines.slice(1, -1);
  const isWhole = armour.every((line, at) => (at < armour.length - 1 ? line.length === 64 : line.length > 0 && line.length <= 64));
  const data = isWhole ? fromBase64(armour.join("")) : null;
  if (data === null) throw new Refused("MYC-LEDGER-551", "not base64 in lines as they were written");
  return data;
}

// ---- shapes ----

function membersOf(value) {
  const members = shape.array(value, undefined, MEMBERS_MAX).map((item) => {
    const [publicKey, weight, name] = shape.array(item, 3);
    shape.bytes(publicKey, 32);
    must(typeof weight === "number" && weight >= 1 && weight <= 2 ** 32);
    return { publicKey, weight, name: shape.text(name) };
  });
  must(members.length > 0 && new Set(members.map((member) => toHex(member.publicKey))).size === members.length);
  return members;
}

function genesisOf(raw) {
  const items = shape.array(decode(shape.bytes(raw)));
  must((items.length === 5 && items[0] === "myceld/genesis/1") || (items.length === 7 && items[0] === "myceld/genesis/2"));
  return { name: shape.text(items[1]), epoch: 0, members: membersOf(items[4]) };
}

async function rosterOf(raw) {
  const [domain, epoch, firstRound, lastTime, rules, members] = shape.array(decode(shape.bytes(raw)), 6);
  must(domain === "myceld/roster/2");
  [epoch, firstRound, lastTime, ...shape.array(rules, 5)].forEach(shape.integer);
  return { epoch, firstRound, members: membersOf(members), hash: await sha256(raw) };
}

async function headerOf(raw) {
  const items = shape.array(decode(shape.bytes(raw)), 11);
  must(items[0] === "myceld/round/1");
  const [, network, epoch, round, previous, stateRoot, receiptsRoot, roster, transactions, total, timeNs] = items;
  [network, previous, stateRoot, receiptsRoot, roster].forEach((hash) => shape.bytes(hash, 32));
  [epoch, round, transactions, total, timeNs].forEach(shape.integer);
  return { network, epoch, round, previous, stateRoot, receiptsRoot, roster, transactions, total, timeNs, hash: await sha256(raw) };
}

async function stepOf(value) {
  const [header, signers, roster] = shape.array(value, 3);
  return { header: await headerOf(header), signers: signersOf(signers), roster: await rosterOf(roster) };
}

function signersOf(value) {
  return shape.array(value, undefined, MEMBERS_MAX).map((pair) => {
    const [number, signature] = shape.array(pair, 2);
    shape.integer(number);
    shape.bytes(signature, 64);
    return pair;
  });
}

async function claimOf([about, ...rest]) {
  if (about === "header") {
    must(rest.length === 0);
    return { about };
  }
  if (about === "roster") {
    must(rest.length === 1);
    return { about, roster: await rosterOf(rest[0]) };
  }
  if (about === "receipt") {
    const [raw, transaction, index, path] = shape.array(rest, 4);
    const [id, position, event, timeNs, outcome] = shape.array(decode(shape.bytes(raw)), 5);
    [id, event].forEach((hash) => shape.bytes(hash, 32));
    [position, timeNs, index].forEach(shape.integer);
    must(shape.text(outcome).length <= 32);
    if (transaction !== null) shape.bytes(transaction);
    shape.array(path, undefined, PATH_MAX).forEach((hash) => shape.bytes(hash, 32));
    return { about, raw, id, position, event, timeNs, outcome, transaction, index, path };
  }
  if (about === "state") {
    const [key, value, proof] = shape.array(rest, 3);
    shape.bytes(key, undefined, 512);
    if (value !== null) shape.bytes(value);
    return { about, key, value, proof: shape.bytes(proof) };
  }
  must(about === "range");
  const [start, end, proof] = shape.array(rest, 3);
  shape.bytes(start, undefined, 512);
  if (end !== null) shape.bytes(end, undefined, 512);
  return { about, start, end, proof: shape.bytes(proof) };
}

// ---- checks ----

async function rosterAfter(genesis, steps, networkId) {
  let [roster, last] = [genesis, 0];
  for (const step of steps) {
    if (toHex(step.header.network) !== networkId || step.header.round <= last) throw new Refused("MYC-LEDGER-553", "a step is of another network, or out of order");
    await checkSigners(step.header, roster, step.signers);
    if (!equal(step.header.roster, step.roster.hash)) throw new Refused("MYC-LEDGER-553", "a step names another roster");
    [roster, last] = [step.roster, step.header.round];
  }
  return roster;
}

function checkChain(chain, networkId) {
  const isOurs = chain.length > 0 && chain.every((header) => toHex(header.network) === networkId);
  const follows = chain.slice(1).every((header, at) => BigInt(header.round) === BigInt(chain[at].round) + 1n && equal(header.previous, chain[at].hash));
  if (!isOurs || !follows) throw new Refused("MYC-LEDGER-557", "the headers do not lead to the one that was signed");
}

/** More than 2/3 of the weight of the roster signed the header. */
async function checkSigners(header, roster, signers) {
  const numbers = signers.map(([number]) => number);
  const rise = numbers.every((number, at) => number < roster.members.length && (at === 0 || numbers[at - 1] < number));
  if (!rise) throw new Refused("MYC-LEDGER-555", "the signers are not members, each once, in their order");
  const weight = weightOf(numbers.map((number) => roster.members[number]));
  const total = weightOf(roster.members);
  if (3 * weight <= 2 * total) throw new Refused("MYC-LEDGER-556", `weight ${weight} of ${total} signed round ${header.round}, not more than 2/3`);
  const message = encode(["myceld/checkpoint/1", header.network, header.epoch, header.round, header.hash]);
  for (const [number, signature] of signers) {
    if (!await isSigned(roster.members[number].publicKey, message, signature)) {
      throw new Refused("MYC-LEDGER-554", `the signature of member ${number} on round ${header.round} is wrong`);
    }
  }
}

function weightOf(members) {
  return members.reduce((sum, member) => sum + member.weight, 0);
}

async function checkClaim(header, claim) {
  const require = (condition, message) => { if (!condition) throw new Refused("MYC-LEDGER-559", message); };
  if (claim.about === "roster") require(equal(claim.roster.hash, header.roster), "the header names another roster");
  if (claim.about === "receipt") {
    require(BigInt(claim.position) === BigInt(header.total) - BigInt(header.transactions) + BigInt(claim.index), "the receipt is of another position");
    require(claim.transaction === null || equal(await sha256(claim.transaction), claim.id), "the transaction is not that of the receipt");
    require(await isIncluded(await leafHash(claim.raw), claim.index, header.transactions, claim.path, header.receiptsRoot), "the receipt is not in its round");
  }
  if (claim.about === "state" || claim.about === "range") {
    const map = await open(claim.proof);
    require(equal(map.root, header.stateRoot), "the proof does not lead to the state root");
    if (claim.about === "range") {
      Object.assign(claim, map.scan(claim.start, claim.end));
    } else {
      const found = map.get(claim.key);
      require(found === null ? claim.value === null : claim.value !== null && equal(found, claim.value), "the proof shows another value");
    }
  }
}

/** Return the network id in a genesis file's text, null if it is none: it is shown, not computed again. */
export function networkIdIn(text) {
  try {
    const id = JSON.parse(text).network_id;
    return typeof id === "string" && fromHex(id).length === 32 ? id : null;
  } catch {
    return null;
  }
}
