// Draws what the camera sees. Shapes carry the meaning, colours only repeat it:
// circle: an event; diamond: a witness; filled: ordered; star, bar, question mark: famous, not, not decided.

const NAMES = ["paper", "raised", "sunk", "ink", "soft", "line", "accent", "accent-wash", "warn", "bad", "focus"];
const NEW_MS = 450;

/** The colours of the page's theme, for a canvas. */
export function palette(element) {
  const style = getComputedStyle(element);
  const colours = Object.fromEntries(NAMES.map((name) => [name.replace("-", "_"), style.getPropertyValue(`--${name}`).trim()]));
  return { ...colours, famous: style.getPropertyValue("--famous").trim(), open: style.getPropertyValue("--open").trim(), font: style.fontFamily };
}

/** Paint one frame. `scene`: model, layout, camera, colours, selected, why, now, calm. Return whether something moves. */
export function paint(context, scene) {
  const { camera, layout, colours } = scene;
  context.clearRect(0, 0, camera.width, camera.height);
  const bands = layout.visible(camera.levelAt(camera.height), camera.levelAt(0) + 6);
  paintBands(context, scene, bands);
  context.save();
  context.beginPath();
  context.rect(camera.gutter, camera.head, camera.width - camera.gutter, camera.height - camera.head);
  context.clip();
  paintColumns(context, scene);
  paintEdges(context, scene, bands);
  paintWhy(context, scene);
  const moving = paintEvents(context, scene, bands);
  context.restore();
  paintHeads(context, scene);
  context.fillStyle = colours.line;
  context.fillRect(camera.gutter - 0.5, camera.head, 1, camera.height - camera.head);
  return moving;
}

function paintBands(context, { model, camera, colours }, bands) {
  context.textAlign = "right";
  context.textBaseline = "middle";
  let free = Infinity;
  for (const band of bands) {
    const [low, high] = [camera.y(band.base), camera.y(band.base + band.levels)];
    if (high > camera.height || low < camera.head) continue;
    const top = Math.max(high, camera.head);
    const decided = model.isDecided(band.number);
    if (band.number % 2 === 0) {
      context.fillStyle = colours.sunk;
      context.fillRect(camera.gutter, top, camera.width - camera.gutter, low - top);
    }
    if (!decided) {
      context.fillStyle = colours.open;
      context.fillRect(camera.gutter - 4, top, 3, low - top);
    }
    const middle = (Math.min(low, camera.height) + top) / 2;
    if (free - middle < 16) continue;
    free = middle;
    context.font = `${decided ? 500 : 700} 12px ${colours.font}`;
    context.fillStyle = decided ? colours.soft : colours.ink;
    context.fillText(String(band.number), camera.gutter - 9, middle);
  }
}

function paintColumns(context, { model, camera, colours }) {
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  model.members.forEach((_, at) => {
    const x = Math.round(camera.x(at)) + 0.5;
    context.moveTo(x, camera.head);
    context.lineTo(x, camera.height);
  });
  context.stroke();
}

function paintHeads(context, { model, camera, colours }) {
  context.fillStyle = colours.raised;
  context.fillRect(0, 0, camera.width, camera.head);
  context.fillStyle = colours.line;
  context.fillRect(0, camera.head - 1, camera.width, 1);
  context.save();
  context.beginPath();
  context.rect(camera.gutter, 0, camera.width - camera.gutter, camera.head);
  context.clip();
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `600 13px ${colours.font}`;
  context.fillStyle = colours.ink;
  model.members.forEach((name, at) => {
    context.fillText(fitted(context, name, camera.column - 6), camera.x(at), camera.head / 2);
  });
  context.restore();
  if (camera.gutter < 40) return;
  context.textAlign = "right";
  context.font = `500 11px ${colours.font}`;
  context.fillStyle = colours.soft;
  context.fillText("round", camera.gutter - 6, camera.head / 2);
}

function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  // Names of one network often begin alike, so the end says more.
  for (let kept = text.length - 2; kept > 2; kept -= 1) {
    const cut = `${text.slice(0, Math.floor(kept / 2))}…${text.slice(-Math.ceil(kept / 2))}`;
    if (context.measureText(cut).width <= width) return cut;
  }
  return `…${text.slice(-1)}`;
}

function paintEdges(context, { model, camera, colours, selected, why }, bands) {
  const far = camera.level < 9;
  const dimmed = selected !== null && why !== null;
  const [own, others] = [[], []];
  for (const band of bands) {
    for (const event of band.events) {
      if (!model.isShown(event)) continue;
      const [x, y] = [camera.x(event.column), camera.y(event.y)];
      for (const parent of model.parents(event)) {
        const lines = parent.creator === event.creator ? own : others;
        if (lines === others && far) continue;
        lines.push(x, y, camera.x(parent.column), camera.y(parent.y));
      }
    }
  }
  context.strokeStyle = colours.soft;
  context.globalAlpha = dimmed ? 0.14 : Math.min(0.38, camera.level / 90);
  context.lineWidth = 1;
  strokeLines(context, others);
  context.globalAlpha = dimmed ? 0.4 : 0.75;
  context.lineWidth = Math.min(2.2, 0.8 + camera.level / 30);
  strokeLines(context, own);
  context.globalAlpha = 1;
}

/** One by one: a path of hundreds of lines that cross takes a browser without a graphics card ten times as long. */
function strokeLines(context, lines) {
  for (let at = 0; at < lines.length; at += 4) {
    context.beginPath();
    context.moveTo(lines[at], lines[at + 1]);
    context.lineTo(lines[at + 2], lines[at + 3]);
    context.stroke();
  }
}

/** The ways from the judges down to the selected event, or from it to its parents and children. */
function paintWhy(context, { model, camera, colours, selected, why }) {
  if (selected === null) return;
  const line = (from, to) => {
    context.moveTo(camera.x(from.column), camera.y(from.y));
    context.lineTo(camera.x(to.column), camera.y(to.y));
  };
  context.lineCap = "round";
  context.strokeStyle = colours.focus;
  context.lineWidth = 1.6;
  context.beginPath();
  for (const parent of model.parents(selected)) line(selected, parent);
  for (const child of model.childrenOf(selected)) line(child, selected);
  context.globalAlpha = 0.55;
  context.stroke();
  context.globalAlpha = 1;
  if (!why) return;
  context.strokeStyle = colours.famous;
  context.lineWidth = Math.min(4, 1.5 + camera.level / 16);
  context.beginPath();
  for (const judge of why.judges) {
    const way = judge.path.map((one) => model.events.get(one.arrival)).filter(Boolean);
    way.slice(1).forEach((event, at) => line(way[at], event));
  }
  context.stroke();
  context.setLineDash([2, 5]);
  context.beginPath();
  for (const judge of why.judges) {
    const [from, to] = [model.events.get(judge.judge.arrival), model.events.get(judge.first.arrival)];
    if (from && to && from !== to) line(from, to);
  }
  context.stroke();
  context.setLineDash([]);
  context.lineCap = "butt";
}

function paintEvents(context, scene, bands) {
  const { model, camera, selected, why, now, calm } = scene;
  const judges = new Set((why?.judges ?? []).map((judge) => judge.judge.arrival));
  const firsts = new Set((why?.judges ?? []).map((judge) => judge.first.arrival));
  const lacking = new Set((why && why.received === null ? why.pending : []).flatMap((look) => look.lacking.map((one) => one.arrival)));
  const size = Math.max(1.6, Math.min(8, camera.level * 0.24, camera.column * 0.13));
  let moving = false;
  for (const band of bands) {
    for (const event of band.events) {
      if (!model.isShown(event)) continue;
      const y = camera.y(event.y);
      if (y < camera.head - 20 || y > camera.height + 20) continue;
      let grown = 1;
      if (event.known !== null && !calm) {
        const age = (now - event.known) / NEW_MS;
        if (age < 1) [grown, moving] = [1 + 1.2 * (1 - age) ** 2, true];
        else event.known = null;
      }
      paintEvent(context, scene, event, camera.x(event.column), y, size * grown);
      const ring = event === selected ? 2 : judges.has(event.arrival) ? 1 : firsts.has(event.arrival) || lacking.has(event.arrival) ? 0 : -1;
      if (ring >= 0) paintRing(context, scene, camera.x(event.column), y, size, ring);
    }
  }
  return moving;
}

function paintEvent(context, { model, colours }, event, x, y, size) {
  const fame = model.fame(event);
  const ordered = model.isOrdered(event);
  const colour = !event.witness ? (ordered ? colours.accent : colours.ink) : fame === true ? colours.famous : fame === false ? colours.soft : colours.open;
  const radius = event.witness ? size * 1.45 : size;
  context.beginPath();
  if (event.witness) {
    context.moveTo(x, y - radius);
    context.lineTo(x + radius, y);
    context.lineTo(x, y + radius);
    context.lineTo(x - radius, y);
    context.closePath();
  } else {
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }
  context.fillStyle = ordered ? colour : colours.paper;
  context.fill();
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1, size / 3.6);
  context.stroke();
  if (event.witness && size > 3) paintFame(context, colours, fame, ordered ? colours.paper : colour, x, y, radius);
  if (event.transactions > 0 && !event.witness && size > 4) {
    context.fillStyle = ordered ? colours.paper : colour;
    context.beginPath();
    context.arc(x, y, size * 0.34, 0, 2 * Math.PI);
    context.fill();
  }
  if (model.isFork(event)) paintFork(context, colours, x, y, radius);
}

function paintFame(context, colours, fame, colour, x, y, radius) {
  context.fillStyle = context.strokeStyle = colour;
  if (fame === true) {
    context.beginPath();
    for (let at = 0; at < 10; at += 1) {
      const far = radius * (at % 2 ? 0.24 : 0.56);
      const angle = -Math.PI / 2 + at * Math.PI / 5;
      context.lineTo(x + far * Math.cos(angle), y + far * Math.sin(angle));
    }
    context.fill();
  } else if (fame === false) {
    context.fillRect(x - radius * 0.42, y - radius * 0.11, radius * 0.84, radius * 0.22);
  } else {
    context.font = `700 ${Math.round(radius * 1.05)}px ${colours.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText("?", x, y + radius * 0.06);
  }
}

/** A forked event has a flash beside it, and a ring of its own. */
function paintFork(context, colours, x, y, radius) {
  context.strokeStyle = colours.bad;
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, radius + 3, 0, 2 * Math.PI);
  context.stroke();
  context.beginPath();
  context.moveTo(x + radius + 10, y - 7);
  context.lineTo(x + radius + 5, y + 1);
  context.lineTo(x + radius + 10, y);
  context.lineTo(x + radius + 5, y + 8);
  context.stroke();
}

function paintRing(context, { colours }, x, y, size, kind) {
  context.strokeStyle = kind === 2 ? colours.focus : colours.famous;
  context.lineWidth = kind === 2 ? 3 : kind === 1 ? 2.5 : 1.5;
  context.beginPath();
  context.arc(x, y, size * (kind === 1 ? 2.1 : 1.9) + 3, 0, 2 * Math.PI);
  context.stroke();
}
