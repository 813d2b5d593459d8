// The frame around the pages: which page, which theme, which token. A page is a module in pages/:
//   export const title = "Rounds";
//   export async function render(root, context) { … }
// `root` is an empty element. `context` has: api, live, info (of /api/public/info), params (the parts
// of the address behind the page's name), query (URLSearchParams), signal (aborted when the reader
// leaves), every(ms, work), onLeave(work), go(address).

import { Api } from "./api.js";
import { h, replace } from "./dom.js";
import { Live } from "./live.js";
import { learnNames } from "./names.js";
import { trust } from "./network.js";
import { announce, askAgain, button, errorState, field, form, heading, input, loading, notice } from "./parts.js";
import { short } from "./format.js";

const GROUPS = [
  ["Network", [["overview", "Overview"], ["hashgraph", "Hashgraph"], ["rounds", "Rounds"], ["transactions", "Transactions"], ["state", "State"], ["governance", "Governance"]]],
  ["Cells", [["peers", "Members and peers"], ["trust", "Trust"], ["accounts", "Accounts"]]],
  ["This cell", [["messages", "Messages"], ["journals", "Journals"], ["services", "Services"], ["logs", "Log"]]],
  ["Proofs", [["verify", "Verify a proof"]]],
];
const PAGES = new Map(GROUPS.flatMap(([, pages]) => pages));
const SCROLL_MS = 150;
const THEME = "myceld-theme";
const THEMES = ["auto", "light", "dark"];

const main = document.getElementById("main");
const api = new Api(() => askForToken("The cell does not take this token (any more)."), () => live.look());
const live = new Live(api);
let info = null;
let leaving = new AbortController();
let asking = false;
let moved = false;

function start() {
  takeFragment();
  setUpTheme();
  setUpFrame();
  addEventListener("hashchange", () => { if (!takeFragment()) show(); });
  rememberPlaces();
  show();
}

/** Who goes back finds the place on the page where it was left. */
function rememberPlaces() {
  history.scrollRestoration = "manual";
  let timer = null;
  addEventListener("scroll", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { if (!main.querySelector(".view[aria-busy]")) history.replaceState({ scroll: scrollY }, ""); }, SCROLL_MS);
  }, { passive: true });
}

/** Take token and network out of the address, and out of the history. Return whether it had one. */
function takeFragment() {
  if (!location.hash.startsWith("#token=")) return false;
  const given = new URLSearchParams(location.hash.slice(1));
  api.token = given.get("token");
  if (given.get("network")) trust(given.get("network"));
  history.replaceState(null, "", `${location.pathname}#/${given.get("page") ?? ""}`);
  asking = false;
  queueMicrotask(show);
  return true;
}

function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...params] = path.split("/").filter(Boolean).map(decoded);
  return { name: name || "overview", params, query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function show() {
  leaving.abort(new DOMException("The reader went on.", "AbortError"));
  leaving = new AbortController();
  const { signal } = leaving;
  const { name, params, query } = address();
  const seen = history.state?.scroll ?? 0;
  closeMenu();
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!api.token) return askForToken();
  const root = h("div", { class: `view ${name}`, "aria-busy": "true" }, loading("Opening"));
  replace(main, root);
  let headline = "No such page";
  try {
    if (!PAGES.has(name)) throw Object.assign(new Error(`Nothing is called “${name}” here.`), { remedy: "Choose a page from the list." });
    headline = PAGES.get(name);
    const [page] = await Promise.all([import(`./pages/${name}.js`), loadInfo(signal), learnNames(api, signal)]);
    if (signal.aborted) return undefined;
    document.title = `${page.title} · myceld`;
    announce(page.title);
    if (moved) main.focus({ preventScroll: true });
    if (moved) scrollTo(0, 0);
    moved = true;
    replace(root);
    await page.render(root, contextFor(signal, params, query));
    if (!signal.aborted && seen) scrollTo(0, seen);
  } catch (error) {
    if (!signal.aborted && !asking) replace(root, heading(headline), errorState(error, PAGES.has(name) ? show : null));
  } finally {
    root.removeAttribute("aria-busy");
  }
  return undefined;
}

async function loadInfo(signal) {
  info ??= await api.get("public/info", {}, signal);
  replace(document.getElementById("where"), h("strong", {}, info.network_name), ` · ${short(info.cell_id)}`);
}

function contextFor(signal, params, query) {
  const onLeave = (work) => signal.addEventListener("abort", work, { once: true });
  return {
    api, live, info, params, query, signal, onLeave,
    go: (to) => { location.hash = to; },
    every(ms, work) {
      const timer = setInterval(() => { if (!document.hidden) work(); }, ms);
      onLeave(() => clearInterval(timer));
    },
  };
}

function askForToken(problem) {
  if (asking && !problem) return;
  leaving.abort(new DOMException("A token is needed.", "AbortError"));
  asking = true;
  api.token = null;
  live.stop();
  document.title = "Sign in · myceld";
  document.getElementById("leave").hidden = true;
  const token = input("token", "", { type: "password", required: true, autocomplete: "off" });
  replace(main, h("div", { class: "view login" },
    heading("Open this cell", "The explorer shows what one cell knows of its network. It needs a token of that cell."),
    problem && notice("bad", problem),
    form("Sign in", (fields) => {
      api.token = fields.token.trim();
      asking = false;
      show();
      welcome();
    },
    field("Token", token, "Kept in this tab only, and forgotten when you close it. A token with the scope “read” is enough for all but sending."),
    button("Open", null, { type: "submit", kind: "primary" })),
    h("h2", {}, "Where to find one"),
    h("p", {}, "On the machine of the cell, ", h("code", {}, "myceld explorer"), " opens this page with a token. The file ",
      h("code", {}, "gateway.token"), " in the cell’s directory holds the same.")));
  token.focus();
}

function welcome() {
  document.getElementById("leave").hidden = !api.token;
  if (api.token) live.start();
}

function setUpFrame() {
  replace(document.getElementById("nav"), GROUPS.map(([title, pages]) => h("section", {}, h("h2", {}, title),
    h("ul", {}, pages.map(([name, label]) => h("li", {}, h("a", { href: `#/${name}`, "data-page": name }, label)))))));
  const menu = document.getElementById("menu");
  menu.addEventListener("click", () => {
    const open = document.body.classList.toggle("menu-open");
    menu.setAttribute("aria-expanded", String(open));
  });
  document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  document.getElementById("leave").addEventListener("click", () => { api.token = null; asking = false; askForToken(); });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !document.body.classList.contains("menu-open")) return;
    closeMenu();
    menu.focus();
  });
  const pulse = document.getElementById("pulse");
  let last = "";
  live.onState((words, tone) => {
    replace(pulse, h("span", { class: `dot ${tone}`, "aria-hidden": "true" }), words);
    if (last === "bad" && tone === "good") askAgain();
    last = tone;
  });
  welcome();
}

function closeMenu() {
  document.body.classList.remove("menu-open");
  document.getElementById("menu").setAttribute("aria-expanded", "false");
}

function setUpTheme() {
  const control = document.getElementById("theme");
  const set = (theme) => {
    if (theme === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.dataset.theme = theme;
    control.textContent = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" }[theme];
  };
  let theme = THEMES.includes(localStorage.getItem(THEME)) ? localStorage.getItem(THEME) : "auto";
  set(theme);
  control.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem(THEME, theme);
    set(theme);
  });
}

start();
