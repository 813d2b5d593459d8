// The parts that pages are made of: headings, tables, lists of facts, states, forms.

import { h, replace } from "./dom.js";
import { capital, short } from "./format.js";
import { memberNames, nameOf } from "./names.js";

const FOCUSABLE = "a[href], button, input, select, textarea, [tabindex]";
let numbers = 0;

/** A new id for an element that a label or description refers to. */
export function newId(prefix) {
  numbers += 1;
  return `${prefix}-${numbers}`;
}

/** The heading of a page, with a line that says what it is for. */
export function heading(text, lead, ...actions) {
  return h("header", { class: "page" },
    h("div", {}, h("h1", {}, text), lead && h("p", { class: "lead" }, lead)),
    actions.length > 0 && h("div", { class: "actions" }, ...actions));
}

/** A part of a page under its own heading. */
export function section(title, ...children) {
  const id = newId("section");
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
}

/**
 * A table. `columns`: [{label, cell(row), numeric, wide, minor, unbroken}]. On a small screen each row is a card,
 * without what is minor or has nothing in it.
 * Roles are written out, because cards are not displayed as a table.
 */
export function table(caption, columns, rows, { empty = "Nothing here yet.", hideCaption = true } = {}) {
  if (rows.length === 0) return emptyState(empty);
  return h("div", { class: "scroll" }, h("table", { role: "table" },
    h("caption", { class: hideCaption ? "sr-only" : undefined }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((column) =>
      h("th", { role: "columnheader", scope: "col", class: classOf(column) }, column.label)))),
    h("tbody", { role: "rowgroup" }, rows.map((row) => h("tr", { role: "row" }, columns.map((column) => {
      const shown = column.cell(row);
      return h("td", { role: "cell", "data-label": column.label, class: classOf(column, shown === "–") }, h("span", { class: "held" }, shown));
    }))))));
}

function classOf({ numeric, wide, minor, unbroken }, isEmpty = false) {
  return [numeric && "numeric", unbroken && "unbroken", wide && "wide", (minor || isEmpty) && "minor"].filter(Boolean).join(" ") || undefined;
}

/** A list of facts: [[name, value], …]; what is null is left out. */
export function facts(...pairs) {
  return h("dl", { class: "facts" }, pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined)
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A large number with its name. */
export function figure(name, value, note) {
  return h("div", { class: "figure" }, h("p", { class: "name" }, name), h("p", { class: "value" }, value), note && h("p", { class: "note" }, note));
}

/** A word with a colour: tone is good, warn, bad or plain. The word alone says everything. */
export function badge(word, tone = "plain") {
  return h("span", { class: `badge ${tone}` }, word);
}

/** A long id: shortened, whole for screen readers and in the title, and copied by its button. */
export function identifier(id, href, { whole = false } = {}) {
  if (!id) return "–";
  const text = h("code", { title: id, class: whole ? "whole" : undefined }, whole ? id : short(id));
  return h("span", { class: "id" }, href ? h("a", { href, "aria-label": whole ? undefined : id }, text) : text,
    h("button", { type: "button", class: "copy", "aria-label": `Copy ${short(id)}`, onclick: (event) => copy(event.currentTarget, id) }));
}

/** A cell id or key with the name of its member, if it is one's. */
export function person(id, href, { whole = false } = {}) {
  const name = id ? nameOf(id) : null;
  return name === null ? identifier(id, href, { whole }) : h("span", { class: "person" }, `${name} `, identifier(id, href, { whole }));
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.classList.add("done");
    announce("Copied.");
    setTimeout(() => button.classList.remove("done"), 1200);
  } catch {
    announce("The browser does not let this page copy.");
  }
}

/** Say something to screen readers. */
export function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** A button. */
export function button(label, onclick, { kind = "plain", type = "button", ...attributes } = {}) {
  return h("button", { type, class: kind, onclick, ...attributes }, label);
}

/** What is shown until something comes. */
export function loading(what = "Asking the cell") {
  return h("p", { class: "loading", role: "status" }, `${what} …`);
}

/** What is shown where there is nothing. */
export function emptyState(text) {
  return h("div", { class: "empty" }, h("p", {}, prose(text)));
}

/** Text in which commands stand between backticks, as the cell's remedies have them. */
export function prose(text) {
  return text.split("`").map((part, at) => (at % 2 === 1 ? h("code", {}, part) : part));
}

/** What went wrong: the message, what to do, the stable code, and a way to try again. */
export function errorState(error, again) {
  return h("div", { class: "notice bad", role: "alert", "data-unreached": error.status === 0 },
    h("p", { class: "what" }, prose(sentence(error.message || "Something went wrong in this page."))),
    error.remedy && h("p", {}, prose(error.remedy)),
    error.code && h("p", { class: "code" }, h("code", {}, error.code)),
    again && button("Try again", again));
}

function sentence(text) {
  return /[.!?]$/.test(text) ? capital(text) : `${capital(text)}.`;
}

/** Say in `place` what goes wrong again and again, once; null: nothing any more. */
export function lastingProblem(place, error) {
  const said = error ? error.message : "";
  if ((place.dataset.said ?? "") === said) return;
  place.dataset.said = said;
  replace(place, error && errorState(error));
}

/** Ask again for what the cell did not answer, as it answers now. */
export function askAgain() {
  for (const again of document.querySelectorAll("main [data-unreached] button")) again.click();
}

/** A remark. */
export function notice(tone, ...children) {
  return h("div", { class: `notice ${tone}` }, ...children.map((child) => (typeof child === "string" ? h("p", {}, prose(child)) : child)));
}

/** Fill `place` with what `work` comes to, or with what went wrong: that is returned too. */
export async function fillWith(place, context, work) {
  if (place.childElementCount === 0) replace(place, loading());
  place.setAttribute("aria-busy", "true");
  try {
    const content = await work();
    if (!context.signal.aborted) renew(place, content);
    return null;
  } catch (error) {
    if (!context.signal.aborted) replace(place, errorState(error, () => fillWith(place, context, work)));
    return error;
  } finally {
    place.removeAttribute("aria-busy");
  }
}

/**
 * Put content in place of what is there, which mostly says the same: then nothing is touched. The focus
 * stays on what is as it was, or else in the place: who goes by the keyboard is not sent to the top.
 */
function renew(place, content) {
  const fresh = replace(h("div", {}), content);
  if (fresh.childNodes.length === place.childNodes.length && [...fresh.childNodes].every((node, at) => node.isEqualNode(place.childNodes[at]))) return;
  const focused = document.activeElement;
  const isInside = focused !== place && place.contains(focused);
  const twins = () => [...place.querySelectorAll(FOCUSABLE)].filter((one) => signOf(one) === signOf(focused));
  const at = isInside ? twins().indexOf(focused) : -1;
  replace(place, [...fresh.childNodes]);
  if (!isInside) return;
  const twin = twins().at(at) ?? twins().at(-1);
  if (!twin) place.tabIndex = -1;
  (twin ?? place).focus({ preventScroll: true });
}

function signOf(element) {
  return [element.tagName, element.getAttribute("href"), element.getAttribute("name"), element.getAttribute("aria-label") ?? element.textContent].join("\n");
}

/**
 * Where a page lies in a list that is asked for from its beginning, and shown from its end. `end` is behind
 * the newest, `first` the oldest that can be; `before` in the address is the end of the page.
 */
export function newestFirst(end, query, size, first) {
  const asked = Number(query.get("before"));
  const until = Number.isSafeInteger(asked) && asked > first ? Math.min(asked, end) : end;
  const start = Math.max(first, until - size);
  return {
    start,
    limit: Math.max(0, until - start),
    ways: (...place) => [
      { label: "Newest", href: until < end ? to(...place) : null },
      { label: "Newer", href: until < end ? `${to(...place)}?before=${Math.min(end, until + size)}` : null },
      { label: "Older", href: start > first ? `${to(...place)}?before=${start}` : null },
    ],
  };
}

/** How many rows a page of a list has: fewer on a small screen, where each is a card. */
export function pageSize() {
  return matchMedia("(min-width: 44rem)").matches ? 25 : 12;
}

/** Ways to the pages before and after: [{label, href}], those without href can not be taken. Nothing if there is one page. */
export function pager(label, ...ways) {
  if (!ways.some((way) => way?.href)) return null;
  return h("nav", { class: "pager", "aria-label": label }, ways.filter(Boolean).map((way) =>
    way.href ? h("a", { class: "button", href: way.href }, way.label) : h("span", { class: "button off", "aria-disabled": "true" }, way.label)));
}

/** A labelled field: an input, or a textarea or select given as `control`. */
export function field(label, control, hint) {
  const id = control.id || newId("field");
  control.id = id;
  const hintId = hint ? newId("hint") : null;
  if (hintId) control.setAttribute("aria-describedby", hintId);
  return h("div", { class: "field" }, h("label", { for: id }, label), control, hint && h("p", { class: "hint", id: hintId }, prose(hint)));
}

/** A text input. */
export function input(name, value = "", attributes = {}) {
  return h("input", { name, type: "text", autocomplete: "off", spellcheck: "false", ...attributes, value });
}

/** A field for a cell, which has to be given: the members’ names are offered, anything else can be typed. */
export function memberField(label, name, value = "") {
  const names = h("datalist", { id: newId("names") }, memberNames().map((one) => h("option", { value: one })));
  const made = field(label, input(name, value, { required: true, list: names.id }));
  made.append(names);
  return made;
}

/** A choice of one: `options` are [[value, words], …]. */
export function select(name, options, value) {
  return h("select", { name, autocomplete: "off" }, options.map(([one, words]) => h("option", { value: one, selected: one === value }, words)));
}

/** A form that calls `submitted` with its fields, in place of leaving the page. */
export function form(label, submitted, ...children) {
  return h("form", {
    "aria-label": label,
    onsubmit: (event) => {
      event.preventDefault();
      submitted(Object.fromEntries(new FormData(event.currentTarget)), event.currentTarget);
    },
  }, ...children);
}

/** Have the browser save a text as a file. */
export function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Text that may be long, in a box of its own that the keyboard can scroll. */
export function box(label, text) {
  return h("pre", { class: "box", tabindex: "0", role: "region", "aria-label": label }, text);
}

/** A link within the explorer: link("rounds", 12) -> "#/rounds/12". */
export function to(page, ...parts) {
  return `#/${[page, ...parts.map((part) => encodeURIComponent(part))].join("/")}`;
}
