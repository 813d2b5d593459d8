// Amounts: how much PRANA there is, accounts with their history, tokens, and accounts of several keys.

import { h, replace } from "../dom.js";
import { amount, number } from "../format.js";
import { badge, button, facts, figure, fillWith, form, heading, identifier, memberField, pager, pageSize, person, section, table, to } from "../parts.js";

export const title = "Accounts";

const [MOVES_ASKED, ASKED_MAX, TOKENS] = [250, 8, 100];

export async function render(root, context) {
  const account = context.params[0] ?? "";
  const [supply, purse, moves, multisigs, tokens] = [1, 2, 3, 4, 5].map(() => h("div", { class: "stack" }));
  const find = form("Find an account", (fields) => context.go(to("accounts", fields.account.trim())),
    memberField("Member’s name, cell id, key in hex, or “treasury”", "account", account), button("Show", null, { type: "submit" }));
  find.classList.add("inline");
  replace(root, heading(account ? "Account" : "Accounts", account ? identifier(account, null, { whole: true }) : "PRANA and tokens, in whole base units that no rounding touches.", account && h("a", { href: "#/accounts" }, "This cell’s account")),
    find, !account && supply,
    section(account ? "What it has" : "This cell’s account", purse),
    section("History", moves), section("Accounts of several keys", multisigs), !account && section("Tokens", tokens));
  const given = account || null;
  return Promise.all([
    !account && fillWith(supply, context, async () => supplyOf(await context.api.get("v1/prana/supply", {}, context.signal))),
    fillWith(purse, context, async () => purseOf(await context.api.get("v1/prana/account", { account: given }, context.signal))),
    fillWith(moves, context, () => history(context, given)),
    fillWith(multisigs, context, () => several(context, given)),
    !account && fillWith(tokens, context, async () => tokensTable((await context.api.get("v1/prana/tokens", { limit: TOKENS }, context.signal)).items)),
  ]);
}

function supplyOf(supply) {
  return h("div", { class: "figures" },
    figure("All PRANA", amount(supply.total), `${amount(supply.issued)} issued, ${amount(supply.burned)} burned`),
    figure("Treasury", amount(supply.treasury), "what the members share"),
    figure("Price of a unit of cost", number(supply.fee_per_cost), supply.fee_per_cost ? "base units" : "transactions are free"));
}

function purseOf(purse) {
  return [facts(
    ["Balance", h("strong", {}, `${amount(purse.balance)} PRANA`)],
    ["Account", identifier(purse.account, null, { whole: true })],
    ["Cell id", purse.cell_id ? identifier(purse.cell_id, to("trust", purse.cell_id)) : null],
    ["Key", purse.is_given_up ? [badge("given up", "warn"), " what is paid to it reaches ", identifier(purse.successor)] : null],
  ),
  purse.allowances.length > 0 && table("What others may pay from it", [
    { label: "Who", cell: (one) => person(one.spender, to("accounts", one.spender)) },
    { label: "Up to", numeric: true, cell: (one) => `${amount(one.amount)} PRANA` },
    { label: "Until round", numeric: true, cell: (one) => (one.expires_round ? number(one.expires_round) : "no end") },
  ], purse.allowances, { hideCaption: false })];
}

/** One page of changes. Rounds in which the account only sent something that cost nothing are stepped over. */
async function history(context, account) {
  const [found, size] = [[], pageSize()];
  let [before, more] = [context.query.get("before"), true];
  for (let asked = 0; more && asked < ASKED_MAX && found.length < size; asked += 1) {
    const page = await context.api.get("v1/prana/history", { account, before, limit: MOVES_ASKED }, context.signal);
    const changed = page.items.filter((move) => move.change === null || BigInt(move.change) !== 0n);
    found.push(...changed.slice(0, size - found.length));
    const isCut = found.length === size && found.at(-1) !== changed.at(-1);
    before = isCut ? found.at(-1).round : page.next;
    more = before !== null;
  }
  const here = account ? to("accounts", account) : "#/accounts";
  return [table("What rounds made of the account, the newest first", [
    { label: "Round", numeric: true, cell: (move) => h("a", { href: to("rounds", move.round) }, number(move.round)) },
    { label: "Change", numeric: true, cell: (move) => changeOf(move.change) },
    { label: "Balance after it", numeric: true, cell: (move) => amount(move.balance) },
  ], found, { empty: more ? "Nothing has changed its balance of late." : "Nothing has changed its balance, as far as this cell keeps the past." }),
  pager("Pages of history", context.query.has("before") && { label: "Newest", href: here }, { label: "Earlier", href: more ? `${here}?before=${before}` : null })];
}

function changeOf(change) {
  if (change === null) return "not kept";
  return BigInt(change) > 0n ? `+${amount(change)}` : amount(change);
}

async function several(context, account) {
  const { items } = await context.api.get("v1/prana/multisigs", { account, limit: TOKENS }, context.signal);
  return table("Accounts of which this is one of the keys", [
    { label: "Account", cell: (one) => [one.name, " ", identifier(one.account, to("accounts", one.account))] },
    { label: "Needs", cell: (one) => `${number(one.threshold)} of ${number(one.keys.length)} keys` },
    { label: "Balance", numeric: true, cell: (one) => amount(one.balance) },
    { label: "Waiting payments", wide: true, cell: (one) => (one.spends.length === 0 ? "none" : one.spends.map((spend) => h("p", {}, `${amount(spend.amount)} PRANA to `, identifier(spend.to), `, ${number(spend.approvals.length)} approved`))) },
  ], items, { empty: "It is a key of no such account." });
}

function tokensTable(tokens) {
  return table("Tokens", [
    { label: "Symbol", cell: (token) => h("strong", {}, token.symbol) },
    { label: "Name", cell: (token) => token.name },
    { label: "Supply", numeric: true, cell: (token) => amount(token.supply, token.decimals) },
    { label: "Cap", numeric: true, cell: (token) => (token.cap ? amount(token.cap, token.decimals) : "none") },
    { label: "This cell has", numeric: true, cell: (token) => amount(token.held, token.decimals) },
    { label: "Issuer", cell: (token) => person(token.issuer, to("accounts", token.issuer)) },
    { label: "Rules", cell: (token) => [token.is_mintable && "can be made more", token.is_burnable && "can be burned", token.is_fixed && "only its issuer passes it on"].filter(Boolean).join(", ") || "none" },
  ], tokens, { empty: "Nobody has made a token." });
}
