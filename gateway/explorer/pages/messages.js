// Messages of this cell: conversations, the newest first, and one of them, with a field to answer.

import { h, replace } from "../dom.js";
import { ago, momentMs, number, short } from "../format.js";
import { announce, badge, button, errorState, field, fillWith, form, heading, identifier, memberField, pager, pageSize, section, table, to } from "../parts.js";

export const title = "Messages";

const [SIZE, MARKED_AT_ONCE] = [40, 1000];
const END_PX = 120;

export async function render(root, context) {
  const [kind, id] = context.params;
  if (kind === "cell" || kind === "room") return conversation(root, context, kind, id ?? "");
  const place = h("div", { class: "stack" });
  const open = form("Write to a cell", (fields) => context.go(to("messages", "cell", fields.cell.trim())),
    memberField("Member’s name or cell id", "cell"), button("Write", null, { type: "submit" }));
  open.classList.add("inline");
  replace(root, heading("Messages", "Sealed from this cell to others; only both ends read them. A token needs the scope “message” for this page."), open, place);
  const draw = () => fillWith(place, context, () => inbox(context, offsetOf(context)));
  return follow(context, draw, await draw());
}

function offsetOf(context) {
  return Math.max(0, Math.trunc(Number(context.query.get("offset"))) || 0);
}

/** Draw what is new, unless this token may not see it. */
function follow(context, draw, problem) {
  if (problem?.status === 403) return;
  context.live.on("messages", context, draw);
  context.every(10_000, draw);
}

async function inbox(context, offset) {
  const size = pageSize();
  const [page, names] = await Promise.all([context.api.get("v1/conversations", { limit: size, offset }, context.signal), namesOf(context)]);
  return [table("Conversations", [
    { label: "With", cell: ({ cell, room, name }) => (room === null
      ? h("a", { href: to("messages", "cell", cell) }, names.get(cell) ?? short(cell))
      : h("a", { href: to("messages", "room", room) }, `room ${name ?? short(room)}`)) },
    { label: "Last said", wide: true, cell: ({ newest }) => (newest === null ? "–" : `${newest.way === "sent" ? "You: " : ""}${cut(wordsOf(newest))}`) },
    { label: "Unread", numeric: true, cell: ({ unread }) => (unread ? badge(number(unread), "good") : "–") },
    { label: "When", unbroken: true, cell: ({ newest }) => (newest === null ? "–" : ago(newest.timestamp_ms)) },
  ], page.items, { empty: offset === 0 ? "No message was sent or received yet." : "There are no more conversations." }),
  pager("Pages of conversations", { label: "Newer", href: offset > 0 ? `#/messages?offset=${Math.max(0, offset - size)}` : null },
    { label: "Older", href: page.next === null ? null : `#/messages?offset=${page.next}` })];
}

/** What a message says, or what it is. A chat without a text says who is in its room. */
function wordsOf(message) {
  if (message.text === "" && message.room !== null) return "(who is in the room)";
  return message.text ?? `(${message.type}, ${number((message.body_hex ?? "").length / 2)} bytes)`;
}

function cut(text) {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

async function namesOf(context) {
  const members = await context.api.get("v1/members", {}, context.signal);
  return new Map(members.members.map((member) => [member.cell_id, member.name]));
}

async function conversation(root, context, kind, id) {
  const place = h("div", { class: "stack" });
  const offset = offsetOf(context);
  const which = kind === "room" ? { room: id } : { cell: id, direct: 1 };
  const [names, room] = await Promise.all([namesOf(context).catch(() => new Map()), kind === "room" ? roomOf(context, id).catch(() => null) : null]);
  const name = kind === "room" ? `Room ${room?.name ?? short(id)}` : names.get(id) ?? (id.length > 30 ? short(id) : id);
  const lead = kind === "room" ? room && membersOf(room, names, context.info.cell_id) : id.length > 30 ? identifier(id, null, { whole: true }) : null;
  const fill = () => fillWith(place, context, async () => {
    const [page, about] = await Promise.all([
      context.api.get("v1/messages", { limit: SIZE, offset, ...which }, context.signal), aboutOf(context, kind, id),
    ]);
    return talk(context, page, to("messages", kind, id), names, about?.unread ? readButton(context, about.unread, which, draw) : null);
  });
  // The newest is below, and stays in sight for who is there.
  const draw = async () => {
    const isAtEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - END_PX;
    const problem = await fill();
    if (offset === 0 && isAtEnd && !context.signal.aborted) root.lastElementChild.scrollIntoView({ block: "end" });
    return problem;
  };
  const answer = h("div", {});
  replace(root, heading(name, lead, h("a", { href: "#/messages" }, "All messages")), place, answer);
  const problem = await draw();
  if (context.signal.aborted || offset > 0 || problem?.status === 404) return;
  if (room?.left) replace(answer, h("p", { class: "soft" }, "This cell has left the room."));
  else replace(answer, writing(context, kind === "room" ? { room: id } : { to: id }, draw));
  root.lastElementChild.scrollIntoView({ block: "end" });
  follow(context, draw, problem);
}

async function roomOf(context, id) {
  return (await context.api.get("v1/rooms", {}, context.signal)).items.find((room) => room.id === id) ?? null;
}

/** Who is in a room: this cell first. */
function membersOf(room, names, ownId) {
  const others = room.members.filter((id) => id !== ownId).map((id) => names.get(id) ?? short(id)).sort();
  return `${room.left ? "" : "You and "}${others.join(", ") || "nobody else"}.`;
}

/** What the cell knows of one conversation; undefined before there is one. */
async function aboutOf(context, kind, id) {
  return (await context.api.get("v1/conversations", { [kind]: id }, context.signal)).items[0];
}

function readButton(context, unread, which, draw) {
  const act = () => markRead(context, which).then(draw, (error) => announce(error.message));
  return h("div", { class: "row" }, button(`Mark ${unread === 1 ? "one message" : `${number(unread)} messages`} as read`, act));
}

/** Mark all of a conversation: the newest of each sender stands for those before it. */
async function markRead(context, which) {
  for (;;) {
    const page = await context.api.get("v1/messages", { ...which, way: "received", status: "delivered", limit: MARKED_AT_ONCE }, context.signal);
    const newest = new Map([...page.messages].reverse().map((one) => [one.cell, one.id]));
    for (const id of newest.values()) await context.api.post(`v1/messages/${id}/read`, {}, context.signal);
    if (page.messages.length === page.total) return;
  }
}

function talk(context, page, here, names, read) {
  const messages = sayings([...page.messages].reverse());
  return [
    pager("Pages of messages",
      page.offset > 0 && { label: "Newer", href: `${here}?offset=${Math.max(0, page.offset - SIZE)}` },
      { label: "Older", href: page.offset + SIZE < page.total ? `${here}?offset=${page.offset + SIZE}` : null }),
    messages.length === 0 ? h("p", { class: "soft" }, "Nothing was said yet.") : h("ol", { class: "talk", "aria-label": "Messages, the oldest first" }, messages.map((one) => h("li", { class: one[0].way },
      h("p", { class: "who" }, one[0].way === "sent" ? "You" : names.get(one[0].cell) ?? short(one[0].cell)),
      h("p", { class: "said" }, wordsOf(one[0])),
      h("p", { class: "when" }, `${momentMs(one[0].timestamp_ms)}, `, howFar(one))))),
    read,
  ];
}

/** Messages by what was said: what is said to a room goes to each of its cells as a message of its own. */
function sayings(messages) {
  const found = [];
  for (const one of messages) {
    const last = found.at(-1);
    const isSame = last && one.way === "sent" && one.room !== null && last[0].way === "sent" && last[0].text === one.text && !last.some((other) => other.cell === one.cell);
    if (isSame) last.push(one);
    else found.push([one]);
  }
  return found;
}

function howFar(messages) {
  const counts = Map.groupBy(messages, (one) => (one.status === "failed" ? `failed ${one.why ?? ""}`.trim() : one.status));
  return [...counts].map(([status, those], at) => [at > 0 && ", ",
    status.startsWith("failed") ? badge(status, "bad") : status, messages.length > 1 && ` ${number(those.length)} of ${number(messages.length)}`]);
}

function writing(context, receiver, draw) {
  const said = h("div", { "aria-live": "polite" });
  const text = h("textarea", { name: "text", required: true, maxlength: 20_000, class: "words" });
  const writer = form("Write", async (fields) => {
    try {
      await context.api.post("v1/messages", { ...receiver, text: fields.text }, context.signal);
      text.value = "";
      replace(said);
      announce("Sent.");
      await draw();
    } catch (error) {
      if (!context.signal.aborted) replace(said, errorState(error));
    }
  }, field("Message", text), h("div", { class: "row" }, button("Send", null, { type: "submit", kind: "primary" })), said);
  return section("Answer", writer);
}
