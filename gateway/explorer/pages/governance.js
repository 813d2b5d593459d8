// What members decide: proposals and their votes, the rules that hold, and what builds know.

import { h, replace, s } from "../dom.js";
import { amount, capital, number } from "../format.js";
import { badge, button, errorState, facts, fillWith, heading, identifier, newId, person, section, table, to } from "../parts.js";

export const title = "Governance";

const LISTED = 100;
const STATES = ["open", "accepted", "refused", "expired"];
const TONES = { open: "warn", accepted: "good", refused: "bad", expired: "plain" };

export async function render(root, context) {
  if (context.params.length > 0) return one(root, context, context.params[0]);
  const wanted = STATES.includes(context.query.get("state")) ? context.query.get("state") : null;
  const proposals = h("div", { class: "stack" });
  const rules = h("div", { class: "stack" });
  replace(root, heading("Governance", "What members proposed, how they vote, and by which rules the network runs."),
    section("Proposals", h("nav", { class: "row", "aria-label": "Which proposals" }, [null, ...STATES].map((state) =>
      h("a", { class: "button", href: state ? `#/governance?state=${state}` : "#/governance", "aria-current": state === wanted ? "true" : undefined }, capital(state ?? "all")))), proposals),
    section("Rules", rules));
  return Promise.all([
    fillWith(proposals, context, async () => {
      const { items } = await context.api.get("v1/governance/proposals", { state: wanted, limit: LISTED }, context.signal);
      return table("Proposals, the newest first", [
        { label: "Proposal", wide: true, cell: (item) => h("a", { href: to("governance", item.id) }, titleOf(item)) },
        { label: "State", cell: (item) => badge(item.state, TONES[item.state]) },
        { label: "Yes", numeric: true, cell: (item) => `${number(item.weight_yes)} of ${number(item.weight_total)}` },
        { label: "No", numeric: true, cell: (item) => number(item.weight_no) },
        { label: "Round", numeric: true, cell: (item) => h("a", { href: to("rounds", item.round) }, number(item.round)) },
      ], items, { empty: wanted ? "No such proposal." : "Nobody has proposed anything yet. Members do with `myceld gov propose`." });
    }),
    fillWith(rules, context, async () => rulesOf(await context.api.get("v1/governance/rules", {}, context.signal))),
  ]);
}

function titleOf(proposal) {
  return proposal.title || proposal.actions.map(words).join("; ") || "Untitled";
}

function words({ action, ...fields }) {
  const given = Object.entries(fields).filter(([, value]) => value !== null && value !== "" && value !== 0).map(([name, value]) => {
    const isUnits = name === "amount" && /^[0-9]+$/.test(String(value));
    return `${name.replaceAll("_", " ")} ${isUnits ? `${amount(value)} PRANA` : value}`;
  });
  return [capital(action), ...given].join(", ");
}

function rulesOf(rules) {
  const names = (list) => (list.length === 0 ? "not announced" : list.join(", "));
  return [
    facts(["Epoch", number(rules.epoch)], ["Voting rules", `rule set ${rules.rule_set}`], ["Versions", `wire ${rules.wire_version}, transactions ${rules.transaction_version}`]),
    table("Parameters that members can set", [
      { label: "Parameter", cell: (one) => h("code", {}, one.name) },
      { label: "Value", numeric: true, cell: (one) => number(one.value) },
      { label: "Bounds", numeric: true, cell: (one) => `${number(one.low)} – ${number(one.high)}` },
      { label: "A new value holds", cell: (one) => one.holds },
      { label: "What it is", wide: true, cell: (one) => one.what },
    ], rules.parameters, { hideCaption: false }),
    table("What members’ builds know", [
      { label: "Member", cell: (one) => one.name },
      { label: "Rule sets", cell: (one) => names(one.rule_sets) },
      { label: "Wire versions", cell: (one) => names(one.wire_versions) },
      { label: "Release", cell: (one) => one.release || "–" },
    ], rules.supports, { hideCaption: false }),
  ];
}

async function one(root, context, id) {
  const place = h("div", { class: "stack" });
  replace(root, heading("Proposal", identifier(id, null, { whole: true }), h("a", { href: "#/governance" }, "All proposals")), place);
  const draw = () => fillWith(place, context, async () => {
    const proposal = await context.api.get(`v1/governance/proposals/${encodeURIComponent(id)}`, {}, context.signal);
    return parts(context, proposal, draw);
  });
  await draw();
}

function parts(context, proposal, draw) {
  return [
    h("h2", {}, titleOf(proposal)),
    facts(
      ["State", [badge(proposal.state, TONES[proposal.state]), proposal.closed_round ? ` in round ${number(proposal.closed_round)}` : ""]],
      ["What it does", h("ul", { class: "plain" }, proposal.actions.map((action) => h("li", {}, words(action))))],
      ["Proposed by", person(proposal.proposer, to("trust", proposal.proposer))],
      ["In round", h("a", { href: to("rounds", proposal.round) }, number(proposal.round))],
      ["Can be voted on until round", number(proposal.expires_round)],
    ),
    section("Votes", tally(proposal), table("Votes", [
      { label: "Member", cell: (vote) => vote.name || identifier(vote.cell_id) },
      { label: "Weight", numeric: true, cell: (vote) => number(vote.weight) },
      { label: "Vote", cell: (vote) => badge(vote.vote, { yes: "good", no: "bad" }[vote.vote]) },
    ], proposal.votes, { empty: "Nobody has voted yet." })),
    proposal.state === "open" && section("Vote as this cell", ballot(context, proposal, draw)),
  ];
}

function tally(proposal) {
  const { weight_yes: yes, weight_no: no, weight_abstain: abstain, weight_total: total } = proposal;
  const sentence = `Yes ${number(yes)}, no ${number(no)}, abstained ${number(abstain)}, of ${number(total)}. More than two thirds of the weight must say yes.`;
  return h("div", { class: "tally" },
    s("svg", { viewBox: "0 0 300 10", preserveAspectRatio: "none", role: "img", "aria-label": sentence },
      s("rect", { width: 300, height: 10, class: "bar none" }),
      s("rect", { width: 300 * yes / total, height: 10, class: "bar yes" }),
      s("rect", { x: 300 * (total - no) / total, width: 300 * no / total, height: 10, class: "bar no" }),
      s("rect", { x: 199.5, width: 1, height: 10, class: "threshold" })),
    h("p", { class: "soft small" }, sentence));
}

function ballot(context, proposal, draw) {
  const said = h("div", { "aria-live": "polite" });
  const cast = async (vote) => {
    try {
      const receipt = await context.api.post("v1/governance/votes", { proposal: proposal.id, vote, wait: "applied", timeout_s: 20 }, context.signal);
      if (receipt.refusal) throw Object.assign(new Error(receipt.refusal.message), { code: receipt.refusal.code });
      await draw();
    } catch (error) {
      if (!context.signal.aborted) replace(said, errorState(error));
    }
  };
  const id = newId("hint");
  return h("div", { class: "stack" }, h("p", { class: "soft", id }, "Signed with this cell’s key. A token needs the scope “admin” for it."),
    h("div", { class: "row", role: "group", "aria-describedby": id }, ["yes", "no", "abstain"].map((vote) => button(capital(vote), () => cast(vote)))), said);
}
