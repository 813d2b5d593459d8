// The hashgraph, live: members as columns, rounds as bands, and why each event is where it is.

import { h, replace } from "../dom.js";
import { capital, count, number } from "../format.js";
import { Feed } from "../graph/feed.js";
import { Layout } from "../graph/layout.js";
import { Model } from "../graph/model.js";
import { showEvent } from "../graph/panel.js";
import { Stage } from "../graph/stage.js";
import { announce, button, heading, lastingProblem, loading, notice, select } from "../parts.js";

export const title = "Hashgraph";

const SPEEDS = [10, 50, 250];
const WORDS_MS = 2000;
const HELP = "Arrow keys go from event to event: up and down along parents and children, left and right to other members. "
  + "Plus and minus zoom, page up and page down scroll, a and d move sideways, f follows the newest, escape lets go.";

export async function render(root, context) {
  await stylesheet();
  if (context.signal.aborted) return;
  const model = new Model();
  const parts = build();
  replace(root, heading("Hashgraph", "Who heard of what from whom. Each column is a member, each dot an event it signed; time goes up, and the bands are rounds."), loading("Asking the cell"));
  const layout = new Layout(model);
  const stage = new Stage(parts.canvas, model, layout, context, {
    onSelect: (event) => selected(event),
    onMove: () => { update(); if (stage.camera.bottom < 2 && feed.hasOlder) feed.older().catch(() => {}); },
  });
  const feed = new Feed(context, model, {
    onNews: (fresh) => {
      const now = performance.now();
      for (const event of fresh) event.known = now;
      stage.changed(fresh);
      update();
      if (stage.selected && stage.why?.received === null) explain(stage.selected);
    },
    onOlder: () => { stage.changed(); update(); },
    onEpoch: () => { stage.selected = null; stage.changed(); selected(null); update(); },
    onError: (error) => lastingProblem(parts.problem, error),
  });
  const update = () => showState(parts, model, stage);
  let asking = null;

  async function explain(event) {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const ask = (path) => context.api.get(`v1/consensus/events/${event.id}${path}`, {}, AbortSignal.any([signal, context.signal]));
      const [why, whole] = await Promise.all([ask("/why"), event.transactions > 0 ? ask("") : null]);
      if (signal.aborted || stage.selected !== event) return;
      stage.explain(why);
      show(event, { why, held: whole?.transaction_ids ?? [] });
      if (stage.said !== event.id) announce(`${model.name(event)}, round ${event.round}. ${why.words.join(" ")}`);
      stage.said = event.id;
    } catch (problem) {
      if (!signal.aborted && !context.signal.aborted) show(event, { problem });
    }
  }

  function show(event, found = {}) {
    showEvent(parts.panel, { model, event, ...found, go: (arrival) => goTo(arrival) });
  }

  function selected(event) {
    asking?.abort();
    show(event);
    if (event) explain(event);
  }

  async function goTo(arrival) {
    while (!model.events.has(arrival) && feed.hasOlder) await feed.older();
    const event = model.events.get(arrival);
    if (!event) return;
    if (!model.isShown(event)) showUpTo(null);
    stage.select(event);
    parts.canvas.focus({ preventScroll: true });
  }

  function showUpTo(arrival) {
    model.shown = arrival === null || arrival >= model.total ? null : arrival;
    if (stage.selected && !model.isShown(stage.selected)) stage.select(null);
    stage.follow(true);
  }

  connect(parts, { model, stage, feed, showUpTo, context });
  await feed.start();
  if (context.signal.aborted) return;
  replace(root, ...parts.all);
  stage.recolour();
  stage.changed();
  update();
  show(null);
  const words = async () => {
    const now = await context.api.get("v1/consensus", {}, context.signal).catch(() => null);
    if (now && !context.signal.aborted) showWords(parts.words, now);
  };
  context.every(WORDS_MS, words);
  await words();
  if (context.params[0]) await toEvent(context.params[0]);

  /** Go to an event by its id. The cell is asked first: events of former epochs are in the journal only. */
  async function toEvent(id) {
    const found = await context.api.get(`v1/consensus/events/${encodeURIComponent(id)}`, {}, context.signal).catch((error) => error);
    if (context.signal.aborted) return;
    if (found instanceof Error) replace(parts.problem, notice("warn", `${capital(found.message)}.`, "The graph shows the present epoch. Events of all epochs are blocks of the journal “consensus”."));
    else await goTo(found.event.arrival);
  }
}

function build() {
  const parts = {
    canvas: h("canvas", {
      class: "graph-canvas", tabindex: "0", role: "application", "aria-label": "Hashgraph of this epoch", "aria-describedby": "graph-help",
    }),
    panel: h("aside", { class: "graph-panel", "aria-label": "Chosen event", tabindex: "0" }),
    words: h("p", { class: "graph-words", role: "status" }),
    problem: h("div", {}),
    slider: h("input", { type: "range", id: "graph-time", min: "0", max: "1", step: "1", value: "1" }),
    time: h("output", { for: "graph-time", class: "graph-time" }),
    play: button("Play", null, { id: "graph-play" }),
    speed: select("speed", SPEEDS.map((one) => [one, `${one}/s`]), SPEEDS[0]),
    live: button("Live", null, { id: "graph-live", "aria-pressed": "true" }),
    closer: button("+", null, { "aria-label": "Zoom in", kind: "square" }),
    wider: button("−", null, { "aria-label": "Zoom out", kind: "square" }),
  };
  parts.speed.setAttribute("aria-label", "Events a second");
  parts.all = [
    heading("Hashgraph", "Who heard of what from whom. Each column is a member, each dot an event it signed; time goes up, and the bands are rounds."),
    parts.problem,
    parts.words,
    h("div", { class: "graph-layout" },
      h("div", { class: "graph-main" },
        h("div", { class: "graph-frame" }, parts.canvas),
        h("div", { class: "graph-bar" },
          parts.live, parts.play, parts.speed, h("span", { class: "graph-zoom" }, parts.wider, parts.closer),
          h("label", { for: "graph-time", class: "sr-only" }, "Show the epoch as it was after so many events"), parts.slider, parts.time)),
      parts.panel,
      h("div", { class: "graph-foot" }, legend(), h("p", { class: "soft small", id: "graph-help" }, HELP))),
  ];
  return parts;
}

function connect(parts, { model, stage, feed, showUpTo, context }) {
  let playing = null;
  const stop = () => {
    cancelAnimationFrame(playing);
    playing = null;
    parts.play.textContent = "Play";
  };
  context.onLeave(stop);
  parts.closer.addEventListener("click", () => stage.zoom(1.35));
  parts.wider.addEventListener("click", () => stage.zoom(1 / 1.35));
  parts.live.addEventListener("click", () => { stop(); showUpTo(null); });
  parts.slider.addEventListener("input", () => {
    stop();
    const wanted = Number(parts.slider.value);
    showUpTo(wanted);
    if (wanted <= model.lowest + 50) feed.older().catch(() => {});
  });
  parts.play.addEventListener("click", () => {
    if (playing !== null) { stop(); return; }
    if (model.shown === null) showUpTo(Math.max(model.lowest + 1, model.total - 400));
    parts.play.textContent = "Pause";
    let [last, due] = [performance.now(), 0];
    const step = (now) => {
      due += Number(parts.speed.value) * (now - last) / 1000;
      last = now;
      const events = Math.floor(due);
      due -= events;
      if (events > 0) {
        for (let at = model.shown; at < model.shown + events; at += 1) if (model.events.has(at)) model.events.get(at).known = now;
        showUpTo(model.shown + events);
      }
      if (model.shown === null) stop();
      else playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
  });
}

/** What stands beside the graph; each frame asks for it, and few change anything. */
function showState(parts, model, stage) {
  const state = [model.lowest, model.total, model.shown, model.epoch, stage.follows].join();
  if (parts.state === state) return;
  parts.state = state;
  const low = Number.isFinite(model.lowest) ? Math.min(model.lowest + 1, model.total) : 0;
  parts.slider.min = String(low);
  parts.slider.max = String(model.total);
  parts.slider.value = String(model.shown ?? model.total);
  const past = model.shown !== null;
  const words = past ? `As it was after ${number(model.shown)} of ${count(model.total, "event")}` : `${count(model.total, "event")} of epoch ${number(model.epoch ?? 0)}`;
  parts.time.textContent = words;
  parts.slider.setAttribute("aria-valuetext", words);
  parts.live.setAttribute("aria-pressed", String(!past && stage.follows));
}

function showWords(place, now) {
  const [first] = now.undecided;
  replace(place,
    h("strong", {}, now.round_decided ? `Rounds up to ${number(now.round_decided)} are decided.` : "No round is decided yet."), " ",
    now.working && first ? `Round ${number(first.round)}: ${first.words}${first.missing.length ? `; nothing yet from ${first.missing.join(", ")}` : ""}. ` : "",
    now.working ? "" : "Nothing waits, so nobody makes events.");
}

function legend() {
  const item = (shape, words) => h("li", {}, h("span", { class: `mark ${shape}`, "aria-hidden": "true" }), words);
  return h("ul", { class: "graph-legend small", "aria-label": "Legend" },
    item("dot", "event"), item("dot hollow", "not ordered yet"), item("diamond famous", "★ famous witness"),
    item("diamond open", "? fame not decided"), item("diamond plain", "– not famous"), item("ring", "judge of the chosen event"), item("fork", "fork"));
}

/** This page's own styles: loaded when it is first opened. */
function stylesheet() {
  if (document.getElementById("graph-style")) return undefined;
  return new Promise((done) => {
    const link = h("link", { rel: "stylesheet", href: "graph/graph.css", id: "graph-style", onload: done, onerror: done });
    document.head.append(link);
  });
}
