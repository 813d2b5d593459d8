// The agreed order: the list, the newest first, and one transaction with its way and its receipt.

import { h, replace } from "../dom.js";
import { bytes, duration, momentNs, number } from "../format.js";
import { badge, button, facts, field, fillWith, form, heading, identifier, input, newestFirst, pager, pageSize, person, section, table, to } from "../parts.js";
import { decodedTransaction, proofPanel, proofVerdict } from "../verdict.js";
import { verifyProof } from "../verify/proof.js";
import { trusted } from "../network.js";

export const title = "Transactions";

const STAGES = [
  ["accepted", "checked and queued here; only in memory"],
  ["stored", "in a signed event on this cell's disk; survives a crash of it"],
  ["ordered", "has its final place in the agreed order"],
  ["applied", "the agreed state has its effect, or its refusal"],
  ["certified", "more than 2/3 of the weight signed a state with it: can be proven to anyone"],
];

export async function render(root, context) {
  if (context.params.length > 0) return one(root, context, context.params[0]);
  const place = h("div", { class: "stack" });
  const find = form("Find a transaction", (fields) => context.go(to("transactions", fields.id.trim().toLowerCase())),
    field("Id of a transaction", input("id", "", { pattern: "\\s*[0-9a-fA-F]{64}\\s*", required: true, title: "64 hex digits" })), button("Show", null, { type: "submit" }));
  find.classList.add("inline");
  replace(root, heading("Transactions", "What was put into the one order that all cells agree on."), find, place);
  const draw = () => fillWith(place, context, () => list(context));
  await draw();
  if (!context.query.has("before")) context.live.on("transactions", context, draw);
  return undefined;
}

async function list(context) {
  const status = await context.api.get("v1/status", {}, context.signal);
  const range = newestFirst(status.transactions_ordered, context.query, pageSize(), 0);
  const items = range.limit === 0 ? [] : (await context.api.get("v1/transactions", { start: range.start, limit: range.limit }, context.signal)).items;
  return [transactionsTable(items.reverse(), "Nothing was ordered yet. Put something with `myceld tx put hello world`."),
    pager("Pages of transactions", ...range.ways("transactions"))];
}

/** Transactions of the order in a table. */
export function transactionsTable(items, empty) {
  return table("Transactions", [
    { label: "Position", numeric: true, minor: true, cell: (item) => number(item.position) },
    { label: "Id", cell: (item) => identifier(item.id, to("transactions", item.id)) },
    { label: "Kind", cell: (item) => h("code", {}, item.kind) },
    { label: "Outcome", cell: (item) => outcome(item) },
    { label: "Round", numeric: true, cell: (item) => h("a", { href: to("rounds", item.round) }, number(item.round)) },
    { label: "Time", cell: (item) => momentNs(item.consensus_time_ns) },
    { label: "Size", numeric: true, minor: true, cell: (item) => bytes(item.size_bytes) },
  ], items, { empty });
}

function outcome(item) {
  if (item.outcome === null || item.outcome === undefined) return badge("waiting", "warn");
  return item.outcome === "applied" ? badge("applied", "good") : badge("refused", "bad");
}

async function one(root, context, id) {
  const place = h("div", { class: "stack" });
  replace(root, heading("Transaction", identifier(id, null, { whole: true }), h("a", { href: "#/transactions" }, "All transactions")), place);
  let last = "";
  const draw = () => fillWith(place, context, async () => {
    if (!/^[0-9a-f]{64}$/.test(id)) throw Object.assign(new Error("This is no id of a transaction."), { remedy: "An id has 64 hex digits, in lower case. Choose one from the list of transactions." });
    const receipt = await context.api.get(`v1/receipts/${encodeURIComponent(id)}`, {}, context.signal);
    last = receipt.stage;
    return parts(context, id, receipt);
  });
  await draw();
  context.live.on("rounds", context, () => { if (last && last !== "certified") draw(); });
}

function parts(context, id, receipt) {
  const reached = STAGES.findIndex(([stage]) => stage === receipt.stage);
  const fetchProof = async () => (await context.api.get(`v1/receipts/${id}/proof`, {}, context.signal)).proof;
  const content = h("div", {});
  if (reached === 4) fillWith(content, context, () => decoded(context, fetchProof));
  return [
    facts(
      ["Outcome", receipt.refusal ? [outcome(receipt), " ", h("code", {}, receipt.refusal.code), ` ${receipt.refusal.message}`] : outcome(receipt)],
      ["Kind", receipt.kind && h("code", {}, receipt.kind)],
      ["Place in the order", receipt.position === null ? null : number(receipt.position)],
      ["Round", receipt.round === null ? null : h("a", { href: to("rounds", receipt.round) }, number(receipt.round))],
      ["Time", receipt.consensus_time_ns === null ? null : momentNs(receipt.consensus_time_ns)],
      ["Sender", receipt.sender && person(receipt.sender, to("accounts", receipt.sender))],
      ["Event", receipt.event && identifier(receipt.event, to("hashgraph", receipt.event))],
    ),
    section("How far it has come", h("ol", { class: "stages" }, STAGES.map(([stage, words], at) =>
      h("li", { class: at <= reached ? "done" : undefined },
        h("strong", {}, stage), at <= reached ? "" : " (not yet)", " ", h("span", { class: "soft" }, words),
        h("span", { class: "when" }, whenReached(receipt.stages_ns, at)))))),
    section("Receipt", h("p", { class: "soft" }, reached === 4
      ? "A receipt proves place and outcome to anybody, without a cell and without a network."
      : "A receipt can be had once the transaction is certified."),
    reached === 4 && proofPanel(context, {
      name: `receipt-${id.slice(0, 12)}.proof`, fetchProof, check: (proof) => proofVerdict(proof, context), saveLabel: "Download the receipt",
    })),
    reached === 4 && section("Content", content),
  ];
}

/** When a stage was reached: the first at its time of day, the others so long after the one before. */
function whenReached(stagesNs, at) {
  const ns = stagesNs[STAGES[at][0]];
  if (!ns) return "";
  const before = STAGES.slice(0, at).map(([stage]) => stagesNs[stage]).findLast(Boolean);
  return before ? `${duration(Number(BigInt(ns) - BigInt(before)) / 1e6)} later` : momentNs(ns);
}

/** The fields of the transaction, out of its receipt: what is shown has the hash that was ordered. */
async function decoded(context, fetchProof) {
  const { claim } = await verifyProof(await fetchProof(), trusted(context.info).id);
  return claim.transaction === null ? h("p", { class: "soft" }, "This cell does not hold its bytes any more.") : decodedTransaction(claim.transaction);
}
