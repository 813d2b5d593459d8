// Journals: append-only logs under a head that their cell signs. Any block is verified in the browser.

import { h, replace } from "../dom.js";
import { bytes, number } from "../format.js";
import { badge, box, facts, fillWith, heading, identifier, newestFirst, pager, pageSize, person, section, table, to } from "../parts.js";
import { blockVerdict, proofPanel } from "../verdict.js";

export const title = "Journals";


export async function render(root, context) {
  const [name, index] = context.params;
  if (index !== undefined) return block(root, context, name, Number(index));
  if (name !== undefined) return journal(root, context, name);
  const own = h("div", {});
  const follows = h("div", {});
  replace(root, heading("Journals", "What this cell wrote down, in order, so that nothing can be changed later without being noticed."),
    section("Journals here", own), section("Journals of other cells", follows));
  return Promise.all([
    fillWith(own, context, async () => table("Journals of this cell", [
      { label: "Journal", cell: (one) => h("a", { href: to("journals", one.name) }, one.name) },
      { label: "Blocks", numeric: true, cell: (one) => number(one.length) },
      { label: "Root", cell: (one) => identifier(one.root) },
    ], (await context.api.get("v1/journals", {}, context.signal)).items)),
    fillWith(follows, context, async () => table("Journals that this cell follows", [
      { label: "Cell", cell: (one) => person(one.cell_id, to("trust", one.cell_id)) },
      { label: "Journal", cell: (one) => (one.copy ? h("a", { href: to("journals", one.copy) }, one.journal) : one.journal) },
      { label: "State", cell: (one) => badge(one.state, { following: "good", conflict: "bad" }[one.state]) },
      { label: "Blocks here", numeric: true, cell: (one) => `${number(one.length)} of ${number(one.size)}` },
      { label: "Last problem", cell: (one) => one.last_error ?? "–" },
    ], (await context.api.get("v1/follows", {}, context.signal)).items, { empty: "It follows none. `myceld journal follow CELL/NAME` does." })),
  ]);
}

async function journal(root, context, name) {
  const place = h("div", { class: "stack" });
  replace(root, heading(`Journal “${name}”`, null, h("a", { href: "#/journals" }, "All journals")), place);
  const draw = () => fillWith(place, context, async () => {
    const found = (await context.api.get("v1/journals", {}, context.signal)).items.find((one) => one.name === name);
    const length = found?.length ?? 0;
    const range = newestFirst(length, context.query, pageSize(), 0);
    const { items } = await context.api.get(`v1/journals/${encodeURIComponent(name)}/blocks`, { start: range.start, limit: Math.max(1, range.limit) }, context.signal);
    return [
      found && facts(["Blocks", number(length)], ["Root", identifier(found.root, null, { whole: true })]),
      table("Blocks, the newest first", [
        { label: "Block", numeric: true, cell: (one) => h("a", { href: to("journals", name, one.index) }, number(one.index)) },
        { label: "What it holds", wide: true, cell: (one) => one.summary },
        { label: "Size", numeric: true, cell: (one) => bytes(one.size_bytes) },
        { label: "Leaf hash", minor: true, cell: (one) => identifier(one.leaf_hash) },
      ], items.reverse(), { empty: "Nothing is in it yet." }),
      pager("Pages of blocks", ...range.ways("journals", name)),
    ];
  });
  await draw();
}

async function block(root, context, name, index) {
  const place = h("div", { class: "stack" });
  replace(root, heading(`Block ${number(index)} of “${name}”`, null, h("a", { href: to("journals", name) }, "All blocks")), place);
  // A copy is another cell's journal: whose, its own head says, and the reader compares that.
  const isCopy = name.startsWith("follow-");
  await fillWith(place, context, async () => {
    const { items } = await context.api.get(`v1/journals/${encodeURIComponent(name)}/blocks`, { start: index, limit: 2 }, context.signal);
    const found = items[0];
    if (!found || found.index !== index) throw Object.assign(new Error("This journal has no such block."), { remedy: "Choose one from its list of blocks." });
    return [
      facts(["What it holds", found.summary], ["Size", bytes(found.size_bytes)], ["Leaf hash", identifier(found.leaf_hash, null, { whole: true })]),
      section("Proof", h("p", { class: "soft" }, "That the block is in the journal, under the head that the cell signed. Checked here with SHA-256 and Ed25519."),
        proofPanel(context, {
          name: `${name}-${index}.tlog-proof`,
          fetchProof: async () => (await context.api.get(`v1/journals/${encodeURIComponent(name)}/proof`, { index }, context.signal)).file,
          check: (proof) => blockVerdict(proof, isCopy ? undefined : context.info.cell_id),
        })),
      section("Bytes", box("Bytes of the block, in hex", found.data_hex.replace(/(.{2})/g, "$1 ").trim())),
      pager("Blocks beside this one", { label: "Earlier block", href: index > 0 ? to("journals", name, index - 1) : null }, { label: "Later block", href: items.length > 1 ? to("journals", name, index + 1) : null }),
    ];
  });
}
