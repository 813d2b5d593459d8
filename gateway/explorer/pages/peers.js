// Members and other cells: who is connected, how far away, what went between, and how far they are trusted.

import { h, replace } from "../dom.js";
import { bytes, duration, number } from "../format.js";
import { badge, fillWith, heading, identifier, person, section, table, to } from "../parts.js";

export const title = "Members and peers";

const CELLS_MAX = 1000;

export async function render(root, context) {
  const peers = h("div", {});
  const members = h("div", {});
  const changes = h("div", { class: "stack" });
  replace(root, heading("Members and peers", "Cells that this one is connected to, or knows how to reach."),
    section("Peers", peers), section("Members of this epoch", members), section("Changes of the members", changes));
  // Scores change slowly, and are asked for once; who is connected changes by the second.
  const scores = new Map();
  const draw = () => fillWith(peers, context, async () => peersTable(await context.api.get("v1/peers", {}, context.signal), scores));
  const known = Promise.all([draw(), context.api.get("v1/trust/graph", { limit: CELLS_MAX }, context.signal)]).then(([, graph]) => {
    for (const cell of graph.cells) scores.set(cell.cell_id, cell);
    return draw();
  }, () => {});
  const answer = context.api.get("v1/members", {}, context.signal);
  await Promise.all([known, fillWith(members, context, async () => membersTable(await answer)), fillWith(changes, context, async () => changesOf(await answer))]);
  context.every(5000, draw);
}

function peersTable(peers, scores) {
  return table("Peers", [
    { label: "Cell", cell: (peer) => h("a", { href: to("trust", peer.cell_id) }, peer.name || "unnamed") },
    { label: "State", cell: (peer) => (peer.connected ? badge("connected", "good") : badge("away", peer.member ? "bad" : "plain")) },
    { label: "Round trip", numeric: true, cell: (peer) => duration(peer.rtt_ms) },
    { label: "Score", numeric: true, cell: (peer) => scores.get(peer.cell_id)?.score.toFixed(2) ?? "–" },
    { label: "Received", numeric: true, cell: (peer) => h("span", { title: `${number(peer.events_in)} events` }, bytes(peer.bytes_in)) },
    { label: "Sent", numeric: true, cell: (peer) => h("span", { title: `${number(peer.events_out)} events` }, bytes(peer.bytes_out)) },
    { label: "Software", cell: (peer) => peer.agent || "–" },
    { label: "Cell id", cell: (peer) => identifier(peer.cell_id) },
    ...(peers.items.some((peer) => peer.last_error) ? [{ label: "Last problem", cell: (peer) => peer.last_error ?? "–" }] : []),
  ], peers.items, { empty: "This cell knows no other. `myceld invite` lets somebody in." });
}

function membersTable(answer) {
  return table("Members", [
    { label: "Member", cell: (member) => h("a", { href: to("trust", member.cell_id) }, member.name) },
    { label: "Weight", numeric: true, cell: (member) => number(member.weight) },
    { label: "Cell id", cell: (member) => identifier(member.cell_id) },
    { label: "Public key", cell: (member) => identifier(member.public_key, to("accounts", member.public_key)) },
  ], answer.members);
}

function changesOf(answer) {
  const tones = { open: "warn", accepted: "good", refused: "bad", expired: "plain" };
  return [
    table("Proposed changes", [
      { label: "Change", cell: (one) => `${one.action} ${one.name || one.cell_id}` },
      { label: "State", cell: (one) => badge(one.state, tones[one.state]) },
      { label: "Approved by", numeric: true, cell: (one) => `${number(one.weight_approved)} of ${number(one.weight_total)}` },
      { label: "Round", numeric: true, cell: (one) => h("a", { href: to("rounds", one.round) }, number(one.round)) },
    ], answer.proposals, { empty: "Nobody has proposed to change who votes." }),
    answer.forks.length > 0 && table("Members that signed two histories", [
      { label: "Cell", cell: (fork) => person(fork.cell_id, to("trust", fork.cell_id)) },
      { label: "Epoch", numeric: true, cell: (fork) => number(fork.epoch) },
      { label: "Proven in round", numeric: true, cell: (fork) => number(fork.round) },
      { label: "Evidence", cell: (fork) => identifier(fork.evidence_hash) },
    ], answer.forks, { hideCaption: false }),
  ];
}
