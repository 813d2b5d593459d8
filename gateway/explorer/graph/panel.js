// What is known of the chosen event, in words: where it is, why, and ways to the events around it.

import { h, replace } from "../dom.js";
import { bytes, count, momentNs, number } from "../format.js";
import { badge, errorState, facts, identifier, loading, to } from "../parts.js";

const NEAR_MAX = 12;
const HELD_MAX = 20;

/** Show an event, or how to choose one. `go(arrival)` chooses another. */
export function showEvent(root, { model, event, why, problem, held = [], go }) {
  if (!event) {
    replace(root,
      h("h2", {}, "Choose an event"),
      h("p", { class: "soft" }, "Click or tap one, or press ↑ in the graph. Then this says who made it, what it holds, and why it is where it is in the order."));
    return;
  }
  replace(root,
    h("h2", {}, model.name(event)),
    h("p", { class: "row" }, badges(model, event)),
    h("section", { class: "why", "aria-label": "Why it is where it is" },
      h("h3", {}, "Why it is where it is"),
      model.shown !== null && h("p", { class: "soft small" }, "You look at the past; this is what is known now."),
      problem ? errorState(problem) : why ? reasons(model, why, go) : loading("Asking the cell")),
    section("Events around it", around(model, event, go)),
    section("The event", fields(model, event)),
    held.length > 0 && section("Transactions in it", h("ul", { class: "plain" },
      held.slice(0, HELD_MAX).map((id) => h("li", {}, identifier(id, to("transactions", id)))),
      event.transactions > Math.min(held.length, HELD_MAX) && h("li", { class: "soft small" }, `and ${number(event.transactions - Math.min(held.length, HELD_MAX))} more`))));
}

function section(title, ...children) {
  return h("section", { "aria-label": title }, h("h3", {}, title), ...children);
}

function badges(model, event) {
  const fame = model.fame(event);
  return [
    badge(`round ${number(event.round)}`),
    event.witness && badge(fame === true ? "★ famous witness" : fame === false ? "witness, not famous" : "witness, fame not decided", fame === true ? "warn" : "plain"),
    model.isOrdered(event) ? badge("ordered", "good") : badge("not ordered yet", "plain"),
    model.isFork(event) && badge("fork: its creator signed twice", "bad"),
  ];
}

function reasons(model, why, go) {
  return [
    h("ol", { class: "steps" }, why.words.map((words) => h("li", {}, words))),
    why.judges.length > 0 && h("div", { class: "judges" },
      h("h4", {}, "Judges, by when their chain first had it"),
      h("ul", { class: "ways" }, [...why.judges].sort((a, b) => Number(BigInt(a.time_ns) - BigInt(b.time_ns))).map((judge, at, all) =>
        h("li", { class: at === Math.floor(all.length / 2) ? "median" : undefined },
          chip(model, judge.judge, go),
          h("span", { class: "soft small" }, at === Math.floor(all.length / 2) ? `the median, ${momentNs(judge.time_ns)}` : timeOf(judge.time_ns, why.median_ns)),
          h("span", { class: "path small" }, judge.path.length > 1 ? ["by way of ", judge.path.map((one, step) => [step > 0 && " › ", label(model, one)])] : ""))))),
    (why.before || why.after) && h("p", { class: "small row" },
      why.before && ["Before it ", chip(model, why.before.event, go)], why.after && ["after it ", chip(model, why.after.event, go)]),
  ];
}

/** A time relative to the median, as that is what counts. */
function timeOf(timeNs, medianNs) {
  const ms = Number(BigInt(timeNs) - BigInt(medianNs)) / 1e6;
  return ms === 0 ? "at the same time" : `${ms > 0 ? "+" : "−"}${Math.abs(ms).toFixed(Math.abs(ms) < 10 ? 2 : 0)} ms`;
}

function around(model, event, go) {
  const list = (title, events) => events.length > 0 && h("div", {},
    h("h4", {}, title), h("p", { class: "row chips" }, events.slice(0, NEAR_MAX).map((one) => chip(model, one, go)), events.length > NEAR_MAX && `and ${events.length - NEAR_MAX} more`));
  const lost = event.parents.length - model.parents(event).length;
  return [
    list("Parents", model.parents(event)),
    lost > 0 && h("p", { class: "soft small" }, `${count(lost, "parent")} not loaded: scroll back to see.`),
    list("Children", model.childrenOf(event)),
  ];
}

function fields(model, event) {
  return facts(
    ["Id", identifier(event.id)],
    ["Made", momentNs(event.time_ns)],
    ["Number", `${number(event.sequence)} of ${model.members[event.creator]}, arrived as ${number(event.arrival)} here`],
    ["Holds", `${count(event.transactions, "transaction")}, ${bytes(event.size_bytes)}`],
    ["Round received", model.isOrdered(event) ? number(event.received) : "–"],
    ["Position", model.isOrdered(event) ? `${number(event.position)} in this epoch` : "–"],
    ["Consensus time", model.isOrdered(event) ? momentNs(event.consensus_time_ns) : "–"],
  );
}

function chip(model, ref, go) {
  return h("button", { type: "button", class: "chip", onclick: () => go(ref.arrival) }, label(model, ref));
}

function label(model, ref) {
  return `${model.members[ref.creator] ?? "?"}/${ref.sequence}`;
}
