// Checks a proof in this browser, and says what came of it and on what that rests.

import { h } from "./dom.js";
import { capital, momentMs, momentNs, number } from "./format.js";
import { trusted } from "./network.js";
import { badge, box, button, download, facts, fillWith, identifier, notice, prose, table, to } from "./parts.js";
import { cellIdOf } from "./verify/base58.js";
import { toHex } from "./verify/bytes.js";
import { sentenceOf, textOf, transactionIn, userKeyOf, userValueOf } from "./verify/claims.js";
import { verifyBlock } from "./verify/journal.js";
import { verifyProof } from "./verify/proof.js";

/** Show what a proof file proves. */
export async function proofVerdict(text, context) {
  const network = trusted(context.info);
  const started = performance.now();
  const found = await attempt(() => verifyProof(text, network.id));
  if (found.refusal) return found.refusal;
  const { verified } = found;
  const names = verified.signers.map((member) => member.name).join(", ");
  return h("div", { class: "verdict" },
    notice("good",
      h("p", { class: "what" }, `Verified in this browser, in ${Math.max(1, Math.round(performance.now() - started))} ms.`),
      h("p", {}, sentenceOf(verified)),
      basis(network)),
    ...claimParts(verified),
    facts(
      ["In round", [h("a", { href: to("rounds", verified.header.round) }, number(verified.header.round)), ` of epoch ${number(verified.header.epoch)}`]],
      ["Time of the round", momentNs(verified.header.timeNs)],
      ["Signed", `round ${number(verified.certified.round)}, and by its hashes all before`],
      ["By", `weight ${number(verified.weight)} of ${number(verified.weightTotal)}: ${names}`],
      ["Network", [verified.networkName, " ", identifier(network.id)]],
      ["Header", identifier(toHex(verified.header.hash))],
      ["State root", identifier(toHex(verified.header.stateRoot))],
    ));
}

/** Show what the proof of a journal's block proves. `cellId`: whose journal it must be, if that is known. */
export async function blockVerdict(text, cellId = undefined) {
  const found = await attempt(() => verifyBlock(text, cellId));
  if (found.refusal) return found.refusal;
  const { index, block, head, witnesses } = found.verified;
  return h("div", { class: "verdict" },
    notice("good",
      h("p", { class: "what" }, "Verified in this browser."),
      h("p", {}, `This is block ${number(index)} of the journal “${head.journal}”, under a head of ${number(head.size)} blocks that its cell signed.`),
      h("p", { class: "small" }, "Who trusts that cell's id needs to trust nothing else. That the cell shows others the same journal, witnesses and followers see.")),
    facts(
      ["Cell", identifier(head.cellId, null, { whole: true })],
      ["Journal", `${head.journal}, fork ${head.fork}`],
      ["Block", `${number(index)}, ${number(block.length)} bytes`],
      ["Root", identifier(toHex(head.root))],
      ["Seen by", witnesses.length === 0 ? "no witness" : witnesses.map((one) => `${one.cellId} at ${momentMs(one.timeS * 1000)}`).join(", ")],
    ));
}

/** Whichever kind of proof the text is. */
export function anyVerdict(text, context) {
  return text.trimStart().startsWith("c2sp.org/tlog-proof") ? blockVerdict(text.replaceAll("\r\n", "\n").trimStart()) : proofVerdict(text, context);
}

/**
 * Buttons that fetch a proof, check it here, or save it. `fetchProof` answers the text of the file;
 * `check` makes the verdict of it.
 */
export function proofPanel(context, { name, fetchProof, check, checkLabel = "Verify in this browser", saveLabel = "Download the proof" }) {
  const place = h("div", { class: "proof-place", "aria-live": "polite" });
  const save = async () => {
    const text = await fetchProof();
    download(name, text);
    const command = name.endsWith(".tlog-proof") ? `myceld journal verify ${name}` : `myceld verify ${name} --genesis genesis.json`;
    return notice("good", h("p", {}, `Saved as ${name}. Anybody can check it without a cell: `, h("code", {}, command)));
  };
  return h("div", { class: "proof" },
    h("div", { class: "row" },
      button(checkLabel, () => fillWith(place, context, async () => check(await fetchProof())), { kind: "primary" }),
      button(saveLabel, () => fillWith(place, context, save))),
    place);
}

async function attempt(work) {
  try {
    return { verified: await work() };
  } catch (error) {
    if (error.name === "CryptoMissing") {
      return { refusal: notice("warn", h("p", { class: "what" }, "Not checked."), h("p", {}, error.message), h("p", {}, prose(error.remedy)), h("p", {}, h("code", {}, error.code))) };
    }
    if (error.name !== "Refused") throw error;
    return { refusal: h("div", { class: "notice bad", role: "alert" }, h("p", { class: "what" }, "Refused: it proves nothing."), h("p", {}, `${error.message}.`), h("p", {}, error.remedy), h("p", {}, h("code", {}, error.code))) };
  }
}

function basis(network) {
  return h("p", { class: "small" }, network.given
    ? "Checked against the network id that you gave."
    : ["Checked against the network id that this cell names. To depend on no cell, ", h("a", { href: "#/verify" }, "give the id that you trust"), "."]);
}

function claimParts({ claim }) {
  if (claim.about === "receipt") return [facts(["Transaction", identifier(toHex(claim.id))], ["Ordered at", momentNs(claim.timeNs)], ["Outcome", claim.outcome === "applied" ? badge("applied", "good") : badge(claim.outcome, "bad")]), claim.transaction && decodedTransaction(claim.transaction)];
  if (claim.about === "state" && claim.value !== null) return [valuePart(claim.key, claim.value)];
  if (claim.about === "range") {
    return [table("Proven keys", [
      { label: "Key", cell: ([key]) => userKeyOf(key) ?? textOf(key) },
      { label: "Value", wide: true, cell: ([key, value]) => (userKeyOf(key) === null ? textOf(value) : textOf(userValueOf(value).data)) },
    ], claim.entries, { empty: "No key begins so." })];
  }
  if (claim.about === "roster") {
    return [table("Members", [
      { label: "Member", cell: (member) => member.name },
      { label: "Weight", numeric: true, cell: (member) => number(member.weight) },
      { label: "Cell id", cell: (member) => identifier(cellIdOf(member.publicKey)) },
    ], claim.roster.members)];
  }
  return [];
}

function valuePart(key, value) {
  if (userKeyOf(key) === null) return box("Proven value", textOf(value));
  const put = userValueOf(value);
  return h("div", { class: "stack" }, box("Proven value", textOf(put.data)), facts(["Put in round", number(put.round)], ["By", identifier(put.by)]));
}

/** The fields of a transaction, decoded here. */
export function decodedTransaction(raw) {
  const found = transactionIn(raw);
  return facts(
    ["Kind", h("code", {}, found.kind)],
    found.sender && ["Sender", identifier(found.sender, to("trust", found.sender))],
    found.sender && ["Nonce", number(found.nonce)],
    found.expiresRound ? ["Expires after round", number(found.expiresRound)] : null,
    found.fee ? ["Fee, at most", `${number(found.fee)} base units`] : null,
    ...found.fields.map(([name, text]) => [capital(name.replaceAll("_", " ")), h("span", { class: "long" }, text)]),
  );
}
