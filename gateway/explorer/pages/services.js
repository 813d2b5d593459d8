// How the cell's parts are, and who did what: services, health, the audit journal.

import { h, replace } from "../dom.js";
import { capital, count, momentMs, number } from "../format.js";
import { badge, facts, fillWith, heading, pager, pageSize, section, table, to } from "../parts.js";

export const title = "Services";

const TONES = { healthy: "good", degraded: "warn", unhealthy: "bad" };

export async function render(root, context) {
  const services = h("div", { class: "stack" });
  const acts = h("div", { class: "stack" });
  const refused = context.query.get("refused") === "1";
  replace(root, heading("Services", "The parts of this cell, how each is, and who did what."), services,
    section("Who did what", h("nav", { class: "row", "aria-label": "Which acts" },
      h("a", { class: "button", href: "#/services", "aria-current": refused ? undefined : "true" }, "All"),
      h("a", { class: "button", href: "#/services?refused=1", "aria-current": refused ? "true" : undefined }, "Only what was not done")), acts));
  const draw = () => fillWith(services, context, async () => servicesOf(await context.api.get("v1/services", {}, context.signal)));
  context.every(5000, draw);
  return Promise.all([draw(), fillWith(acts, context, () => actsOf(context, refused))]);
}

function servicesOf({ cell, items }) {
  return [
    facts(
      ["Cell", `${cell.name}, ${cell.role}, version ${cell.version}`],
      ["Started", momentMs(cell.started_ms)],
      ["Stopped before", cell.stopped_ms ? momentMs(cell.stopped_ms) : "never"],
      ...Object.entries(cell.metadata).map(([name, value]) => [capital(name), String(value)]),
    ),
    table("Services in the order of their start", [
      { label: "Service", cell: (one) => one.name },
      { label: "Health", cell: (one) => badge(one.status, TONES[one.status]) },
      { label: "Why", wide: true, cell: (one) => one.why || "nothing to say" },
      { label: "Journal", unbroken: true, cell: (one) => h("a", { href: to("journals", one.journal) }, `${one.journal}, ${count(one.blocks, "block")}`) },
      { label: "Needs", minor: true, cell: (one) => one.needs.join(", ") || "–" },
      { label: "So since", unbroken: true, cell: (one) => (one.since_ms ? momentMs(one.since_ms) : "the start") },
    ], items),
  ];
}

async function actsOf(context, refused) {
  const page = await context.api.get("v1/audit", { limit: pageSize(), before: context.query.get("before"), refused: refused ? 1 : null }, context.signal);
  const query = new URLSearchParams({ ...(refused && { refused: "1" }), before: String(page.next) });
  return [table("Rows of the audit journal, the newest first", [
    { label: "Row", numeric: true, cell: (act) => h("a", { href: to("journals", "audit", act.index) }, number(act.index)) },
    { label: "Time", cell: (act) => momentMs(act.time_ms) },
    { label: "Who", cell: (act) => act.actor },
    { label: "What", wide: true, cell: (act) => `${act.action} ${act.subject}` },
    { label: "Outcome", cell: (act) => [badge(act.outcome, act.outcome === "done" ? "good" : "warn"), act.code && [" ", h("code", {}, act.code)], act.count > 1 && ` × ${number(act.count)}`] },
  ], page.items, { empty: "Nothing was noted yet." }),
  pager("Pages of the audit journal", context.query.has("before") && { label: "Newest", href: refused ? "#/services?refused=1" : "#/services" }, { label: "Earlier", href: page.next === null ? null : `#/services?${query}` })];
}
