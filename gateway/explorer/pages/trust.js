// Trust as this cell sees it: a picture, the same as a list, and why a cell has its score.

import { h, replace, s } from "../dom.js";
import { momentMs, momentNs, number, short } from "../format.js";
import { badge, button, facts, field, fillWith, form, heading, identifier, memberField, pager, pageSize, prose, section, table, to } from "../parts.js";

export const title = "Trust";

const [CELLS_DRAWN, PATHS] = [40, 8];
const NAMES_MAX = 16;
const [WIDTH, HEIGHT] = [760, 520];
const TONES = { full: "good", standard: "good", limited: "warn", "read-only": "warn", none: "bad" };

export async function render(root, context) {
  if (context.params.length > 0) return why(root, context, context.params[0]);
  const scope = context.query.get("scope") ?? "general";
  const asked = Number(context.query.get("start"));
  const start = Number.isSafeInteger(asked) && asked > 0 ? asked : 0;
  const place = h("div", { class: "stack" });
  const find = form("Find a cell", (fields) => context.go(to("trust", fields.cell.trim())),
    memberField("Member’s name or cell id", "cell"), button("Show", null, { type: "submit" }));
  find.classList.add("inline");
  replace(root, heading("Trust", "Scores from 0 to 1 as this cell computes them, from its own word and from what others say of each other. No two cells need to agree on them."), find, place);
  return fillWith(place, context, async () => {
    const size = 2 * pageSize();
    const graph = await context.api.get("v1/trust/graph", { start, limit: size, scope }, context.signal);
    const known = number(graph.cells_known);
    const page = (from) => `#/trust?${new URLSearchParams({ ...(scope !== "general" && { scope }), ...(from > 0 && { start: String(from) }) })}`.replace(/\?$/, "");
    return [
      start === 0 && picture(graph),
      start === 0 && h("p", { class: "soft small" }, prose(`The nearer to the middle, the more this cell trusts. ${graph.cells_known === 1 ? "Only itself is known: others come with `myceld trust attest`" : `${known} cells are known`}${graph.cells_known > CELLS_DRAWN ? `, the first ${Math.min(CELLS_DRAWN, size)} are drawn` : ""}.`)),
      section(start === 0 ? "The same as a list" : `Cells from the ${number(start + 1)}th on, of ${known}`, list(graph), pager("Pages of cells",
        { label: "First", href: start > 0 ? page(0) : null },
        { label: "Higher scores", href: start > 0 ? page(start - size) : null },
        { label: "Lower scores", href: start + size < graph.cells_known ? page(start + size) : null })),
    ];
  });
}

function picture(graph) {
  const cells = graph.cells.slice(0, CELLS_DRAWN);
  const places = layout(cells);
  const shownEdges = graph.edges.filter((edge) => places.has(edge.issuer) && places.has(edge.subject));
  return h("div", { class: "graph" }, s("svg", { viewBox: frameOf([...places.values()]), role: "group", "aria-label": "Graph of trust. The list below says the same." },
    s("defs", {}, s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0 8 4 0 8z", class: "arrow" }))),
    [0.25, 0.5, 0.75].map((score) => s("ellipse", { cx: WIDTH / 2, cy: HEIGHT / 2, rx: radius(score) * 1.45, ry: radius(score), class: "ring" })),
    shownEdges.map((edge) => line(edge, places)),
    cells.map((cell) => {
      const { x, y } = places.get(cell.cell_id);
      const name = cell.name || short(cell.cell_id, 0, 6);
      return s("a", { href: to("trust", cell.cell_id), "aria-label": `${name}, score ${cell.score.toFixed(2)}` },
        s("circle", { cx: x, cy: y, r: 9 + 9 * cell.score, class: `node ${cell.is_self ? "self" : TONES[cell.level]}` }),
        (cell.name || cells.length <= NAMES_MAX) && s("text", { x, y: y < HEIGHT / 2 ? y - 26 : y + 34, "text-anchor": "middle" }, name));
    })));
}

/** What of the drawing is shown: the cells, with room for their names. */
function frameOf(places) {
  const [across, down] = [places.map((place) => place.x), places.map((place) => place.y)];
  const [left, top] = [Math.min(...across, 180) - 90, Math.min(...down, 180) - 60];
  return `${left} ${top} ${Math.max(...across, WIDTH - 180) + 90 - left} ${Math.max(...down, HEIGHT - 180) + 60 - top}`;
}

function radius(score) {
  return 60 + 165 * (1 - score);
}

/** This cell in the middle, the others around it, each on the ring of its score. */
function layout(cells) {
  const others = cells.filter((cell) => !cell.is_self);
  const places = new Map(cells.filter((cell) => cell.is_self).map((cell) => [cell.cell_id, { x: WIDTH / 2, y: HEIGHT / 2 }]));
  others.forEach((cell, at) => {
    const angle = -Math.PI / 2 + 2 * Math.PI * at / Math.max(1, others.length) + (others.length % 2 === 0 ? 0.35 : 0);
    const away = radius(cell.score) + (others.length > 16 ? 22 * (at % 3) : 0);
    places.set(cell.cell_id, { x: WIDTH / 2 + Math.cos(angle) * away * 1.45, y: HEIGHT / 2 + Math.sin(angle) * away });
  });
  return places;
}

function line(edge, places) {
  const [from, until] = [places.get(edge.issuer), places.get(edge.subject)];
  const [dx, dy] = [until.x - from.x, until.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  // A little aside, so that both directions are seen.
  const [sx, sy] = [-uy * 4, ux * 4];
  return s("line", {
    x1: from.x + ux * 18 + sx, y1: from.y + uy * 18 + sy, x2: until.x - ux * 22 + sx, y2: until.y - uy * 22 + sy,
    "stroke-width": (0.8 + 2.4 * edge.weight).toFixed(1), class: "edge", opacity: (0.25 + 0.6 * edge.weight).toFixed(2), "marker-end": "url(#arrow)",
  });
}

function list(graph) {
  const said = new Map();
  for (const edge of graph.edges) said.set(edge.subject, (said.get(edge.subject) ?? 0) + 1);
  return table("Cells by their score", [
    { label: "Cell", cell: (cell) => [h("a", { href: to("trust", cell.cell_id) }, cell.name || "unnamed"), cell.is_self && " (this cell)"] },
    { label: "Score", numeric: true, cell: (cell) => cell.score.toFixed(3) },
    { label: "Access", cell: (cell) => badge(cell.level, TONES[cell.level]) },
    { label: "The network’s score", numeric: true, minor: true, cell: (cell) => cell.network_score?.toFixed(2) ?? "–" },
    ...(graph.cells.length === graph.cells_known ? [{ label: "Vouched for by", numeric: true, cell: (cell) => number(said.get(cell.cell_id) ?? 0) }] : []),
    { label: "Cell id", cell: (cell) => identifier(cell.cell_id) },
  ], graph.cells, { empty: "Nobody has said anything of anybody. `myceld trust attest` does." });
}

async function why(root, context, id) {
  const place = h("div", { class: "stack" });
  const signed = h("div", { class: "stack" });
  const head = h("div", {});
  replace(root, head, place, section("Signed together", signed));
  replace(head, heading("Trust", null, h("a", { href: "#/trust" }, "All cells")));
  await Promise.all([
    fillWith(place, context, async () => {
      const answer = await context.api.get("v1/trust/cell", { cell: id, limit: PATHS }, context.signal);
      replace(head, heading(answer.cell.name || "A cell without a name", identifier(answer.cell.cell_id, null, { whole: true }), !answer.cell.is_self && h("a", { href: to("messages", "cell", answer.cell.cell_id) }, "Write to it"), h("a", { href: "#/trust" }, "All cells")));
      return score(answer);
    }),
    fillWith(signed, context, () => interactions(context, id)),
  ]);
}

function score(answer) {
  const { cell } = answer;
  const parts = [["What this cell says of it", answer.own_word, "own"], ["What was signed together with it", answer.own_interactions, "together"], ["What others say of it", answer.by_others, "others"]];
  return [
    facts(
      ["Score", [h("strong", {}, cell.score.toFixed(3)), " ", badge(`${cell.level === "none" ? "no" : cell.level} access`, TONES[cell.level])]],
      ["The network’s score", cell.network_score === null ? "none: it was never a member" : cell.network_score.toFixed(2)],
      ["Public key", identifier(cell.public_key, to("accounts", cell.public_key))],
    ),
    cell.is_self ? h("p", { class: "soft" }, "This is the cell itself.") : section("Why", h("ul", { class: "meters" }, parts.map(([label, value, kind]) =>
      h("li", {}, h("span", {}, label), s("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
        s("rect", { width: 100, height: 8, class: "bar none" }), s("rect", { width: 100 * value, height: 8, class: `bar ${kind}` })),
      h("span", { class: "numeric" }, value.toFixed(3)))))),
    section("Ways in which trust comes to it", table("Paths of trust, the strongest first", [
      { label: "Way", wide: true, cell: (path) => path.cells.map((one, at) => path.names[at] || short(one, 0, 6)).join(" → ") },
      { label: "Each says", cell: (path) => path.weights.map((weight) => weight.toFixed(2)).join(", ") },
      { label: "Brings", numeric: true, cell: (path) => path.strength.toFixed(3) },
    ], answer.paths, { empty: "Trust does not come to it by anybody." })),
    section("This cell’s own words", table("Attestations of this cell", [
      { label: "Scope", cell: (one) => one.scope },
      { label: "Score", numeric: true, cell: (one) => one.score.toFixed(2) },
      { label: "Made", cell: (one) => momentNs(one.time_ns) },
      { label: "Holds until", cell: (one) => (one.expires_round ? `round ${number(one.expires_round)}` : "it is taken back") },
    ], answer.attestations, { empty: "This cell has said nothing of it." })),
  ];
}

async function interactions(context, id) {
  const page = await context.api.get("v1/trust/interactions", { cell: id, before: context.query.get("before"), limit: 20 }, context.signal);
  return [table("Interactions", [
    { label: "Time", cell: (one) => momentMs(Number(one.time_ns) / 1e6) },
    { label: "Digest", cell: (one) => identifier(one.digest) },
    { label: "Block", numeric: true, cell: (one) => h("a", { href: to("journals", "interactions", one.index) }, number(one.index)) },
  ], page.items, { empty: "Both have signed nothing together yet." }),
  page.next !== null && pager("Pages of interactions", { label: "Earlier", href: `${to("trust", id)}?before=${page.next}` })];
}
