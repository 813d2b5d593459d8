// The agreed state: keys as folders, and one key with its value, history and proof.

import { h, replace } from "../dom.js";
import { bytes, isReadable, number } from "../format.js";
import { badge, box, button, emptyState, facts, field, fillWith, form, heading, identifier, input, pager, person, section, table, to } from "../parts.js";
import { proofPanel, proofVerdict } from "../verdict.js";

export const title = "State";

const ENTRIES_MAX = 50;
const ASKED_MAX = 12;
const HISTORY_SIZE = 20;
const LAST = "\u{10ffff}";

export async function render(root, context) {
  if (context.params.length > 0) return one(root, context, context.params[0]);
  const prefix = context.query.get("prefix") ?? "";
  const place = h("div", { class: "stack" });
  const find = form("Find keys", (fields) => context.go(fields.exact ? to("state", fields.prefix) : folder(fields.prefix)),
    field("Keys that begin with", input("prefix", prefix)),
    button("List", null, { type: "submit" }));
  find.classList.add("inline");
  replace(root, heading("State", "Keys and values that all cells agree on, after the newest round."), find, crumbs(prefix), place);
  return fillWith(place, context, () => list(context, prefix));
}

function folder(prefix, after = "") {
  const query = new URLSearchParams({ ...(prefix && { prefix }), ...(after && { after }) });
  return `#/state${query.size ? `?${query}` : ""}`;
}

function crumbs(prefix) {
  const parts = prefix.split("/").slice(0, -1);
  return h("nav", { "aria-label": "Folders above", class: "crumbs" }, h("a", { href: "#/state" }, "all keys"),
    parts.map((part, at) => [" / ", h("a", { href: folder(`${parts.slice(0, at + 1).join("/")}/`) }, part)]));
}

/** One page: keys, and folders that are stepped over, however much is in them. */
async function list(context, prefix) {
  const found = [];
  let [after, round, more] = [context.query.get("after") ?? "", 0, true];
  for (let asked = 0; more && asked < ASKED_MAX && found.length < ENTRIES_MAX; asked += 1) {
    const page = await context.api.get("v1/state/values", { prefix, after, limit: ENTRIES_MAX }, context.signal);
    round = page.round;
    more = page.next !== null;
    for (const entry of page.items) {
      if (found.length >= ENTRIES_MAX) {
        more = true;
        break;
      }
      const slash = entry.key.indexOf("/", prefix.length);
      const name = slash < 0 ? null : entry.key.slice(0, slash + 1);
      if (name === null) found.push(entry);
      else if (found.at(-1)?.folder !== name) found.push({ folder: name });
      after = entry.key;
    }
    const last = found.at(-1);
    if (last?.folder && after.startsWith(last.folder)) {
      after = last.folder + LAST;
      more = true;
    }
    if (page.items.length === 0) more = false;
  }
  return [
    table("Keys and folders", [
      { label: "Key", cell: (entry) => (entry.folder ? h("a", { class: "folder", href: folder(entry.folder) }, entry.folder.slice(prefix.length)) : h("a", { href: to("state", entry.key) }, entry.key.slice(prefix.length) || entry.key)) },
      { label: "Value", wide: true, cell: (entry) => (entry.folder ? h("span", { class: "soft" }, "a folder") : preview(entry)) },
      { label: "Set in round", numeric: true, cell: (entry) => (entry.folder ? "–" : h("a", { href: to("rounds", entry.round) }, number(entry.round))) },
      { label: "By", cell: (entry) => (entry.folder ? "–" : person(entry.by, to("accounts", entry.by))) },
    ], found, { empty: prefix ? "No key begins so." : "Nobody has put anything yet. `myceld tx put hello world` does." }),
    h("p", { class: "soft small" }, `After round ${number(round)}.`),
    pager("Pages of keys", context.query.has("after") && { label: "First", href: folder(prefix) }, { label: "More", href: more && found.length > 0 ? folder(prefix, after) : null }),
    prefix !== "" && section("Proof of these keys", h("p", { class: "soft" }, "Which keys begin so, and that there are no others between them: proven as far as fits into one file."),
      proofPanel(context, {
        name: "keys.proof",
        fetchProof: async () => (await context.api.get("v1/state/proof", { prefix, limit: 100 }, context.signal)).proof,
        check: (proof) => proofVerdict(proof, context),
      })),
  ];
}

function preview(entry) {
  if (entry.value === null || !isReadable(entry.value)) return h("code", {}, `0x${entry.value_hex.slice(0, 48)}${entry.value_hex.length > 48 ? "…" : ""}`);
  return entry.value.length > 90 ? `${entry.value.slice(0, 90)}…` : entry.value || h("span", { class: "soft" }, "empty");
}

async function one(root, context, key) {
  const at = context.query.get("at");
  const value = h("div", { class: "stack" });
  const past = h("div", { class: "stack" });
  const slash = key.lastIndexOf("/") + 1;
  replace(root, heading(key, at ? `As it was after round ${at}.` : null, at && h("a", { href: to("state", key) }, "Newest value")),
    crumbs(key.slice(0, slash)), value,
    section("Proof", h("p", { class: "soft" }, "That this is the value, or that there is none: signed by more than 2/3 of the weight."),
      proofPanel(context, {
        name: "value.proof",
        fetchProof: async () => (await context.api.get("v1/state/proof", { key, round: at }, context.signal)).proof,
        check: (proof) => proofVerdict(proof, context),
      })),
    section("History", past));
  await Promise.all([
    fillWith(value, context, () => valueOf(context, key, at)),
    fillWith(past, context, () => history(context, key)),
  ]);
}

async function valueOf(context, key, at) {
  try {
    const found = await context.api.get("v1/state/value", { key, at }, context.signal);
    return [shown(found), facts(
      ["Size", bytes(found.value_hex.length / 2)],
      ["Set in round", h("a", { href: to("rounds", found.updated_round) }, number(found.updated_round))],
      ["By", person(found.updated_by, to("accounts", found.updated_by))],
      ["After round", `${number(found.round)}, certified up to ${number(found.certified_round)}`],
      ["State root", identifier(found.state_root)],
    )];
  } catch (error) {
    if (error.code !== "MYC-GATEWAY-020") throw error;
    return emptyState(at ? `There was no value after round ${at}.` : "There is no value at this key.");
  }
}

/** A value as text, as JSON or as hex, whichever the reader chooses; control characters are no text. */
function shown(found) {
  const forms = new Map();
  if (found.value !== null) {
    try {
      const parsed = JSON.parse(found.value);
      if (typeof parsed === "object" && parsed !== null) forms.set("JSON", JSON.stringify(parsed, null, 2));
    } catch {
      // It is text, and no JSON.
    }
    if (isReadable(found.value)) forms.set("Text", found.value);
  }
  forms.set("Hex", found.value_hex.replace(/(.{2})/g, "$1 ").trim());
  const place = h("div", {});
  const buttons = [...forms.keys()].map((name) => button(name, () => choose(name)));
  const choose = (name) => {
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.textContent === name));
    replace(place, box(`Value as ${name}`, forms.get(name) || "(empty)"));
  };
  choose([...forms.keys()][0]);
  return h("div", { class: "stack tight" }, h("div", { class: "row", role: "group", "aria-label": "How the value is shown" }, buttons), place);
}

async function history(context, key) {
  const page = await context.api.get("v1/state/history", { key, before: context.query.get("before"), limit: HISTORY_SIZE }, context.signal);
  return [table("What rounds made of the key", [
    { label: "Round", numeric: true, cell: (entry) => h("a", { href: `${to("state", key)}?at=${entry.round}`, "aria-label": `Value after round ${entry.round}` }, number(entry.round)) },
    { label: "Value", wide: true, cell: (entry) => (entry.value_hex === null ? badge("taken away", "warn") : preview(entry)) },
    { label: "By", cell: (entry) => person(entry.by, to("accounts", entry.by)) },
  ], page.items, { empty: "Nothing was ever put here, as far as this cell keeps the past." }),
  pager("Pages of history", { label: "Earlier", href: page.next === null ? null : `${to("state", key)}?before=${page.next}` }),
  page.kept_from > 1 && h("p", { class: "soft small" }, `This cell keeps the state from round ${number(page.kept_from)} on.`)];
}
