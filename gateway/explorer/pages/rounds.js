// Decided rounds: the list, the newest first, and one round with its header, transactions and proof.

import { h, replace } from "../dom.js";
import { momentNs, number } from "../format.js";
import { badge, facts, fillWith, form, field, heading, identifier, input, button, newestFirst, pager, pageSize, section, table, to } from "../parts.js";
import { proofPanel, proofVerdict } from "../verdict.js";
import { transactionsTable } from "./transactions.js";

export const title = "Rounds";

const TRANSACTIONS_MAX = 200;

export async function render(root, context) {
  if (context.params.length > 0) return one(root, context, context.params[0]);
  const place = h("div", { class: "stack" });
  replace(root, heading("Rounds", "The network decides in rounds. Each has a header that names the state after it, and leads by its hash to all before."),
    form("Go to a round", (fields) => context.go(to("rounds", fields.round)), field("Round", input("round", "", { inputmode: "numeric", pattern: "[0-9]+", required: true })), button("Show", null, { type: "submit" })),
    place);
  root.querySelector("form").classList.add("inline");
  const draw = () => fillWith(place, context, () => list(context));
  await draw();
  if (!context.query.has("before")) context.live.on("rounds", context, draw);
  return undefined;
}

async function list(context) {
  const status = await context.api.get("v1/status", {}, context.signal);
  const range = newestFirst(status.round_applied + 1, context.query, pageSize(), 1);
  const items = range.limit === 0 ? [] : (await context.api.get("v1/rounds", { start: range.start, limit: range.limit }, context.signal)).items;
  return [table("Rounds, the newest first", [
    { label: "Round", numeric: true, cell: (round) => h("a", { href: to("rounds", round.round) }, number(round.round)) },
    { label: "Transactions", numeric: true, cell: (round) => number(round.transactions) },
    { label: "In total", numeric: true, minor: true, cell: (round) => number(round.transactions_total) },
    { label: "Time", cell: (round) => momentNs(round.consensus_time_ns) },
    { label: "State", cell: (round) => (round.certified ? badge("certified", "good") : badge("applied")) },
    { label: "Header", cell: (round) => identifier(round.header_hash) },
  ], items.reverse(), { empty: "No round is decided yet. Rounds come when somebody has something to say." }),
  pager("Pages of rounds", ...range.ways("rounds"))];
}

async function one(root, context, text) {
  const place = h("div", { class: "stack" });
  const wanted = Number(text);
  replace(root, heading(`Round ${text}`, null, h("a", { href: "#/rounds" }, "All rounds")), place);
  await fillWith(place, context, async () => {
    const found = (await context.api.get("v1/rounds", { start: Math.max(0, wanted), limit: 1 }, context.signal)).items[0];
    if (!found || found.round !== wanted) throw Object.assign(new Error(`Round ${text} is not decided, or not kept here.`), { remedy: "Choose one from the list of rounds." });
    const status = context.live.status ?? await context.api.get("v1/status", {}, context.signal);
    const transactions = found.transactions === 0 ? [] : (await context.api.get("v1/transactions", {
      start: found.transactions_total - found.transactions, limit: Math.min(found.transactions, TRANSACTIONS_MAX),
    }, context.signal)).items;
    return [
      facts(
        ["State", found.certified ? [badge("certified", "good"), " more than 2/3 of the weight signed it, or a later round"] : [badge("applied"), " not certified yet"]],
        ["Time", momentNs(found.consensus_time_ns)],
        ["Transactions", `${number(found.transactions)}, ${number(found.transactions_total)} up to here`],
        ["Header hash", identifier(found.header_hash, null, { whole: true })],
        ["State root", identifier(found.state_root, null, { whole: true })],
        ["Receipts root", identifier(found.receipts_root, null, { whole: true })],
      ),
      section("Proof", h("p", { class: "soft" }, "Signatures of more than 2/3 of the weight, and what leads to them from the genesis."),
        proofPanel(context, {
          name: `round-${wanted}.proof`,
          fetchProof: async () => (await context.api.get("v1/rounds/proof", { round: wanted }, context.signal)).proof,
          check: (proof) => proofVerdict(proof, context),
        })),
      section("Transactions", transactionsTable(transactions, "This round added no transaction."),
        transactions.length < found.transactions && h("p", { class: "soft" }, `The first ${transactions.length} of ${number(found.transactions)}.`)),
      pager("Rounds beside this one",
        { label: "Earlier round", href: wanted > 1 ? to("rounds", wanted - 1) : null },
        { label: "Later round", href: wanted < status.round_applied ? to("rounds", wanted + 1) : null }),
    ];
  });
}
