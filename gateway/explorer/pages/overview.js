// One screen: may something fail, how fast is it final, what is going on, who is there.

import { h, replace, s } from "../dom.js";
import { capital, count, duration, inWords, number } from "../format.js";
import { badge, facts, figure, fillWith, heading, identifier, lastingProblem, notice, section, table, to } from "../parts.js";

export const title = "Overview";

const ROUNDS_SHOWN = 60;
const AWAY = { status: 0, message: "The cell does not answer.", remedy: "What you see is what it said last. See whether it runs, with `myceld status`." };

export async function render(root, context) {
  const problem = h("div", {});
  const budget = h("div", {});
  const figures = h("div", { class: "figures" });
  const chart = h("div", {});
  const members = h("div", {});
  const now = h("div", {});
  replace(root,
    heading("Overview", "What this cell does, and how its network stands."),
    problem, budget, figures,
    section("What happens", now, chart),
    section("Members", members));
  let counted = null;
  const draw = async () => {
    const [status, peers] = await Promise.all([
      context.api.get("v1/status", {}, context.signal), context.api.get("v1/peers", {}, context.signal),
    ]);
    const rate = rateBetween(counted, status);
    counted = { at: performance.now(), ordered: status.transactions_ordered };
    lastingProblem(problem, null);
    replace(budget, budgetNotice(status));
    replace(figures, figuresOf(status, rate));
    replace(now, nowOf(status));
    replace(members, membersTable(status, peers.items));
    await fillWith(chart, context, () => sparkline(context, status));
  };
  await draw();
  context.live.on("away", context, () => lastingProblem(problem, AWAY));
  let drawing = false;
  context.live.on("status", context, async () => {
    if (drawing) return;
    drawing = true;
    try {
      await draw();
    } catch {
      // The frame tells that the cell does not answer; what was last known stays in sight.
    } finally {
      drawing = false;
    }
  });
}

/** How many members may fail or lie, whichever these are: less than a third of the weight. */
export function faultBudget(members) {
  const total = members.reduce((sum, member) => sum + member.weight, 0);
  const silent = members.filter((member) => !member.reachable && !member.is_self);
  const holds = (weight) => 3 * (total - weight) > 2 * total;
  const silentWeight = silent.reduce((sum, member) => sum + member.weight, 0);
  const most = (list, used) => {
    let [weight, found] = [used, 0];
    for (const member of [...list].sort((a, b) => b.weight - a.weight)) {
      weight += member.weight;
      if (!holds(weight)) break;
      found += 1;
    }
    return found;
  };
  const answering = members.filter((member) => !silent.includes(member));
  return { may: most(members, 0), left: holds(silentWeight) ? most(answering, silentWeight) : -1, silent };
}

function budgetNotice(status) {
  const members = status.members;
  const { may, left, silent } = faultBudget(members);
  const all = inWords(members.length);
  const rule = may === 0
    ? `None of ${all === "one" ? "one member" : `${all} members`} may fail or lie: four can bear one.`
    : `${capital(inWords(may))} of ${all} members may fail or lie, and the network stays right and goes on.`;
  const names = silent.map((member) => member.name).join(", ");
  const present = silent.length === 0
    ? (members.length === 1 ? "This cell is alone, so it decides at once." : `All ${all} answer this cell.`)
    : `${capital(inWords(silent.length))} ${silent.length === 1 ? "does" : "do"} not answer: ${names}. `
      + (left < 0 ? "Too few are left: nothing is decided until one comes back."
        : left === 0 ? "No more may fail now." : `${capital(inWords(left))} more may fail now.`);
  const tone = left < 0 ? "bad" : silent.length > 0 ? "warn" : "good";
  return notice(tone, h("p", { class: "what budget" }, rule), h("p", {}, present));
}

function rateBetween(before, status) {
  if (!before) return null;
  const seconds = (performance.now() - before.at) / 1000;
  return seconds < 0.5 ? null : (status.transactions_ordered - before.ordered) / seconds;
}

function figuresOf(status, rate) {
  const latency = status.metrics.created_to_ordered.p50_ms === null ? status.metrics.received_to_ordered : status.metrics.created_to_ordered;
  return [
    figure("Finality", duration(latency.p50_ms), latency.p99_ms === null ? "not measured yet" : `at most ${duration(latency.p99_ms)} for 99 of 100`),
    figure("Throughput", rate === null ? "–" : `${rate < 10 ? rate.toFixed(1) : number(Math.round(rate))}/s`, "transactions ordered, just now"),
    figure("Transactions", number(status.transactions_ordered), `${number(status.transactions_pending)} waiting`),
    figure("Round", number(status.round_applied), status.round_certified === status.round_applied ? "applied and certified" : `certified up to ${number(status.round_certified)}`),
  ];
}

function nowOf(status) {
  const upgrade = status.upgrade;
  return [facts(
    ["This cell", [badge(status.phase, status.phase === "waiting" || status.phase === "forked" ? "warn" : "good"), " ", capital(status.summary)]],
    ["Name and role", `${status.name}, ${status.role === "sclerotium" ? "a member with a vote" : "a full copy without a vote"}`],
    ["Cell id", identifier(status.cell_id, null, { whole: true })],
    ["Network", [status.network_name, " ", identifier(status.network_id)]],
    ["Epoch", `${number(status.epoch)}, ${count(status.events_total, "event")}, ${number(status.events_own)} of them its own`],
    ["Up for", `${duration(status.uptime_s * 1000)}, version ${status.version}`],
  ),
  upgrade && notice(upgrade.is_known ? "warn" : "bad",
    h("p", { class: "what" }, `An upgrade begins with epoch ${number(upgrade.epoch)} or later.`),
    h("p", {}, upgrade.is_known ? "This build knows it." : `This build does not know it: install ${upgrade.release || "a newer release"}.`))];
}

function membersTable(status, peers) {
  const byId = new Map(peers.map((peer) => [peer.cell_id, peer]));
  return table("Members of this epoch", [
    { label: "Member", cell: (member) => h("a", { href: to("trust", member.cell_id) }, member.name) },
    { label: "State", cell: (member) => (member.is_self ? badge("this cell") : member.reachable ? badge("answers", "good") : badge("silent", "bad")) },
    { label: "Weight", numeric: true, cell: (member) => number(member.weight) },
    { label: "Round trip", numeric: true, cell: (member) => (member.is_self ? "–" : duration(byId.get(member.cell_id)?.rtt_ms)) },
    { label: "Cell id", cell: (member) => identifier(member.cell_id) },
  ], status.members, { empty: "This network has no members." });
}

async function sparkline(context, status) {
  const start = Math.max(1, status.round_applied - ROUNDS_SHOWN + 1);
  const rounds = status.round_applied < 1 ? [] : (await context.api.get("v1/rounds", { start, limit: ROUNDS_SHOWN }, context.signal)).items;
  if (rounds.length === 0) return h("p", { class: "soft" }, "No round is decided yet. Rounds come when somebody has something to say.");
  const most = Math.max(1, ...rounds.map((round) => round.transactions));
  const total = rounds.reduce((sum, round) => sum + round.transactions, 0);
  const words = `${count(total, "transaction")} in the newest ${count(rounds.length, "round")}, at most ${number(most)} in one`;
  return h("figure", { class: "spark" },
    s("svg", { viewBox: `0 0 ${ROUNDS_SHOWN * 10} 90`, role: "img", "aria-label": words, preserveAspectRatio: "none" },
      rounds.map((round, at) => {
        const height = round.transactions === 0 ? 2 : 6 + 80 * round.transactions / most;
        return s("rect", { x: (ROUNDS_SHOWN - rounds.length + at) * 10 + 1, y: 88 - height, width: 8, height, rx: 2, class: round.transactions ? "bar" : "bar none" });
      })),
    h("figcaption", { class: "soft small" }, `${words}.`));
}
