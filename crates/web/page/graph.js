// The mesh as a graph: members in a ring, links between them, operations that travel along these.

import { drawn, element, make } from "./dom.js";
import { colourOf, kindOf, shownBy } from "./nodes.js";

const RADIUS = 21;
const MARGIN = { x: 74, y: 48 };
/** How long an operation takes to cross a link of the drawing, in milliseconds: slow enough to be seen. */
const TRAVEL_MS = 700;
const TRAVELLERS_MAX = 24;
/** Ways of which it is known when the last one left: to everybody, and back. */
const WAYS_MAX = 48;
/** On a way on which many travel, one leaves so often, in milliseconds. */
const DEPARTURES_MS = 150;
const MEMBERS_MAX = 24;
const FAIR_RTT_MS = 50;
const POOR_RTT_MS = 200;

const ICONS = {
  browser: "M-9-7.5H9V7.5H-9ZM-9-3H9M-6.2-5.3h.01M-3.4-5.3h.01",
  native: "M-9-7.5H9V7.5H-9ZM-5.5-2.5-2.5 0-5.5 2.5M.5 3H5",
};

const links = drawn("g");
const members = drawn("g");
let places = new Map();
/** When the last one left, by its way. */
const departures = new Map();

export function showGraph({ self, peers, links: own }) {
  const graph = element("graph");
  if (!links.isConnected) graph.append(links, members);
  const { clientWidth: width, clientHeight: height } = graph;
  graph.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const all = [self, ...peers].slice(0, MEMBERS_MAX);
  places = new Map(all.map(({ session }, at) => [session, place(at, all.length, width, height)]));
  links.replaceChildren(...othersLinks(peers), ...own.map(ownLink(self)).filter(Boolean));
  members.replaceChildren(...all.map((member) => node(member, self)));
}

function place(at, count, width, height) {
  const [x, y] = [width / 2, height / 2 - 8];
  if (count === 1) return [x, y];
  const angle = Math.PI + (2 * Math.PI * at) / count;
  return [x + (x - MARGIN.x) * Math.cos(angle), y + (y - MARGIN.y + 8) * Math.sin(angle)];
}

function line(from, to, className) {
  const [[x1, y1], [x2, y2]] = [from, to];
  return drawn("line", { x1, y1, x2, y2, class: className });
}

/** Nearer to the other end: below this one is its name. */
function label(from, to, text) {
  const [x, y] = [0, 1].map((axis) => from[axis] + 0.56 * (to[axis] - from[axis]));
  return drawn("text", { x, y: y - 6, class: "rtt" }, text);
}

export function quality(rttMs) {
  if (rttMs === null || rttMs === undefined) return "unmeasured";
  if (rttMs < FAIR_RTT_MS) return "good";
  return rttMs < POOR_RTT_MS ? "fair" : "poor";
}

export const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;

const ownLink =
  (self) =>
  ({ session, stage, rttMs }) => {
    const [from, to] = [places.get(self.session), places.get(session)];
    if (!from || !to) return null;
    const up = stage === "up";
    const group = drawn("g", { class: `link ${up ? quality(rttMs) : "down"}` }, line(from, to, "link-line"));
    if (!up) group.append(label(from, to, stage));
    else if (rttMs) group.append(label(from, to, milliseconds(rttMs)));
    return group;
  };

/** Links between others, as their pages tell. Each is told from both ends. */
function othersLinks(peers) {
  const told = new Map();
  for (const { session } of peers) {
    for (const [other, rttMs] of shownBy(session).links) {
      const [from, to] = [places.get(session), places.get(other)];
      if (!from || !to || !peers.some((peer) => peer.session === other)) continue;
      told.set([session, other].sort().join(), drawn("g", { class: `link others ${quality(rttMs)}` }, line(from, to, "link-line")));
    }
  }
  return told.values();
}

function node(member, self) {
  const [x, y] = places.get(member.session);
  const own = member.session === self.session;
  const group = drawn("g", {
    class: `node ${colourOf(member.node)} ${own ? "self" : ""} ${member.away ? "away" : ""}`,
    transform: `translate(${x} ${y})`,
  });
  const kind = kindOf(member, self);
  group.append(
    drawn("title", {}, `${member.name}: ${kind}`),
    drawn("circle", { r: RADIUS }),
    drawn("path", { d: member.kind === "browser" ? ICONS.browser : ICONS.native, class: "icon" }),
    drawn("text", { y: RADIUS + 16, class: "name" }, clipped(own ? `${member.name} (you)` : member.name)),
    drawn("text", { y: RADIUS + 31, class: "kind" }, member.away ? `${kind}, away` : kind),
  );
  return group;
}

const clipped = (text) => (text.length > 18 ? `${text.slice(0, 17)}…` : text);

/** An operation travels: to all that are linked when it was made here, else from its author. */
export function travel({ self, peers, links: own }, local, author) {
  const up = own.filter(({ stage }) => stage === "up").map(({ session }) => session);
  const here = self.session;
  if (local) return up.forEach((session) => send(here, session, self.node));
  const from = peers.find(({ node, session }) => node === author && up.includes(session));
  if (from) send(from.session, here, author);
}

function send(from, to, author) {
  const [start, end] = [places.get(from), places.get(to)];
  const travellers = element("travellers");
  if (!start || !end || travellers.childElementCount >= TRAVELLERS_MAX || !departs(from + to + author)) return;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  // Not a part of the drawing: browsers move an element of its own without the page's time.
  const dot = make("span", { className: `traveller ${colourOf(author)}` });
  travellers.append(dot);
  const at = ([x, y], opacity) => ({ transform: `translate(${x}px, ${y}px)`, opacity });
  const between = (part) => [0, 1].map((axis) => start[axis] + part * (end[axis] - start[axis]));
  const way = [at(start, 0), at(between(0.2), 1), at(between(0.8), 1), at(end, 0)];
  dot.animate(way, { duration: TRAVEL_MS }).finished.then(
    () => dot.remove(),
    () => dot.remove(),
  );
}

function departs(way) {
  const now = performance.now();
  if (now - (departures.get(way) ?? -Infinity) < DEPARTURES_MS) return false;
  if (departures.size >= WAYS_MAX) departures.clear();
  departures.set(way, now);
  return true;
}
