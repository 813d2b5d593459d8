// Messages of this cell: conversations, the newest first, and one of them, with a field to answer.

import { h, replace } from "../dom.js";
import { ago, momentMs, number, short } from "../format.js";
import { announce, badge, button, errorState, field, fillWith, form, heading, identifier, input, pager, section, table, to } from "../parts.js";

export const title = "Messages";

const [LOOKED_AT, SIZE] = [200, 40];
const END_PX = 120;

export async function render(root, context) {
  const [kind, id] = context.params;
  if (kind === "cell" || kind === "room") return conversation(root, context, kind, id ?? "");
  const place = h("div", { class: "stack" });
  const open = form("Write to a cell", (fields) => context.go(to("messages", "cell", fields.cell.trim())),
    field("Member’s name or cell id", input("cell", "", { required: true })), button("Write", null, { type: "submit" }));
  open.classList.add("inline");
  replace(root, heading("Messages", "Sealed from this cell to others; only both ends read them. A token needs the scope “message” for this page."), open, place);
  const draw = () => fillWith(place, context, () => inbox(context));
  return follow(context, draw, await draw());
}

/** Draw what is new, unless this token may not see it. */
function follow(context, draw, problem) {
  if (problem?.status === 403) return;
  context.live.on("messages", context, draw);
  context.every(10_000, draw);
}

async function inbox(context) {
  const [page, rooms, names] = await Promise.all([
    context.api.get("v1/messages", { limit: LOOKED_AT }, context.signal),
    context.api.get("v1/rooms", {}, context.signal), namesOf(context),
  ]);
  const titles = new Map(rooms.items.map((room) => [room.id, room.name]));
  const conversations = new Map();
  for (const message of page.messages) {
    const key = message.room ? `room/${message.room}` : `cell/${message.cell}`;
    if (!conversations.has(key)) conversations.set(key, { newest: message, unread: 0 });
    if (message.way === "received" && message.status === "delivered") conversations.get(key).unread += 1;
  }
  for (const room of rooms.items) if (!conversations.has(`room/${room.id}`)) conversations.set(`room/${room.id}`, { newest: null, unread: 0, room });
  return [table("Conversations", [
    { label: "With", cell: ({ newest, room }) => (newest === null || newest.room
      ? h("a", { href: to("messages", "room", newest?.room ?? room.id) }, `room ${titles.get(newest?.room ?? room.id) ?? ""}`)
      : h("a", { href: to("messages", "cell", newest.cell) }, names.get(newest.cell) ?? short(newest.cell))) },
    { label: "Last said", wide: true, cell: ({ newest }) => (newest === null ? "–" : `${newest.way === "sent" ? "You: " : ""}${cut(newest.text ?? `(${newest.type})`)}`) },
    { label: "Unread", numeric: true, cell: ({ unread }) => (unread ? badge(number(unread), "good") : "–") },
    { label: "When", cell: ({ newest }) => (newest === null ? "–" : ago(newest.timestamp_ms)) },
  ], [...conversations.values()], { empty: "No message was sent or received yet." }),
  page.total > LOOKED_AT && h("p", { class: "soft small" }, `From the newest ${LOOKED_AT} of ${number(page.total)} messages.`)];
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
  const offset = Math.max(0, Number(context.query.get("offset")) || 0);
  const names = await namesOf(context).catch(() => new Map());
  const name = kind === "room" ? `Room ${short(id)}` : names.get(id) ?? (id.length > 30 ? short(id) : id);
  const fill = () => fillWith(place, context, async () => {
    const page = await context.api.get("v1/messages", { limit: SIZE, offset, [kind]: id }, context.signal);
    return talk(context, page, kind, id, names, draw);
  });
  // The newest is below, and stays in sight for who is there.
  const draw = async () => {
    const isAtEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - END_PX;
    const problem = await fill();
    if (offset === 0 && isAtEnd && !context.signal.aborted) root.lastElementChild.scrollIntoView({ block: "end" });
    return problem;
  };
  replace(root, heading(name, kind === "cell" && id.length > 30 ? identifier(id, null, { whole: true }) : null, h("a", { href: "#/messages" }, "All messages")), place,
    offset === 0 && writing(context, kind === "room" ? { room: id } : { to: id }, draw));
  const problem = await draw();
  if (offset === 0) follow(context, draw, problem);
}

function talk(context, page, kind, id, names, draw) {
  const here = to("messages", kind, id);
  const messages = [...page.messages].reverse();
  const unread = messages.findLast((one) => one.way === "received" && one.status === "delivered");
  return [
    pager("Pages of messages",
      page.offset > 0 && { label: "Newer", href: `${here}?offset=${Math.max(0, page.offset - SIZE)}` },
      { label: "Older", href: page.offset + SIZE < page.total ? `${here}?offset=${page.offset + SIZE}` : null }),
    messages.length === 0 ? h("p", { class: "soft" }, "Nothing was said yet.") : h("ol", { class: "talk", "aria-label": "Messages, the oldest first" }, messages.map((one) => h("li", { class: one.way },
      h("p", { class: "who" }, one.way === "sent" ? "You" : names.get(one.cell) ?? short(one.cell)),
      h("p", { class: "said" }, one.text ?? `(${one.type}, ${number((one.body_hex ?? "").length / 2)} bytes)`),
      h("p", { class: "when" }, `${momentMs(one.timestamp_ms)}, `, one.status === "failed" ? badge(`failed ${one.why ?? ""}`, "bad") : one.status)))),
    unread && h("div", { class: "row" }, button("Mark as read", () => context.api.post(`v1/messages/${unread.id}/read`, {}, context.signal).then(draw, (error) => announce(error.message)))),
  ];
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
