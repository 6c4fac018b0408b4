// What is known of nodes and their sessions: their names, their colours, whose replica is whose, and what pages show each other.

import { short } from "./dom.js";

const COLOURS = 8;
/** For how long others are shown what this page says of itself, in milliseconds. */
const SHOWN_MS = 10_000;
const SHOWN_KEY = "page";

const names = new Map();
const sessions = new Map();
const colours = new Map();
const authors = new Map();
const shown = new Map();

/** Takes names from the members that are here. */
export function meet(members) {
  for (const { session, node, name } of members) {
    names.set(node, name);
    sessions.set(session, name);
  }
}

export const nameOfSession = (session) => sessions.get(session) ?? `session ${short(session)}`;

export const nameOf = (node) => names.get(node) ?? short(node);

/** A class that gives a node its colour: one that its key chooses, unless another node of this mesh has it. */
export function colourOf(node) {
  if (!colours.has(node)) {
    const taken = new Set(colours.values());
    const wanted = Number.parseInt(node.slice(0, 4), 16) % COLOURS;
    const free = Array.from({ length: COLOURS }, (_, step) => (wanted + step) % COLOURS).find((slot) => !taken.has(slot));
    colours.set(node, free ?? wanted);
  }
  return `colour-${colours.get(node)}`;
}

export const noteAuthor = (replica, node) => authors.set(replica, node);
export const authorOf = (replica) => authors.get(replica);

/** What this browser calls itself. */
export function browserName({ userAgent } = navigator) {
  const known = [["Firefox", /Firefox\//], ["Edge", /Edg\//], ["Opera", /OPR\//], ["Chromium", /Chrom(e|ium)\//], ["Safari", /Safari\//]];
  return known.find(([, pattern]) => pattern.test(userAgent))?.[0] ?? "browser";
}

/** Shows the other pages this browser's name and its links, which they cannot see. */
export function tell(mesh, { links }) {
  const up = links.filter(({ stage }) => stage === "up").slice(0, 16);
  const page = { browser: browserName(), links: Object.fromEntries(up.map(({ session, rttMs }) => [session, rttMs])) };
  mesh.show(SHOWN_KEY, page, SHOWN_MS);
}

export function hearShown({ type, session, key, value }) {
  if (key !== SHOWN_KEY) return;
  if (type === "ephemeral-gone") shown.delete(session);
  else shown.set(session, value);
}

/** What the page of a session says of itself, as far as it makes sense. */
export function shownBy(session) {
  const page = shown.get(session);
  const browser = typeof page?.browser === "string" ? page.browser.slice(0, 16) : undefined;
  const links = Object.entries(page?.links ?? {}).filter(([, rttMs]) => rttMs === null || typeof rttMs === "number");
  return { browser, links: links.slice(0, 16) };
}

/** Browser and its name, or native. */
export function kindOf({ session, kind }, self) {
  if (kind !== "browser") return kind ?? "unknown";
  return (session === self.session ? browserName() : shownBy(session).browser) ?? "browser";
}
