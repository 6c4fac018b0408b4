// What happens, told in lines: the newest on top.

import { element, make } from "./dom.js";
import { authorOf, nameOf, nameOfSession } from "./nodes.js";

const LINES_MAX = 60;

const STORIES = {
  "peer-joined": ({ peer }) => `${peer.name} joined`,
  "peer-left": ({ peer, gracefully }) => `${peer.name} ${gracefully ? "left" : "has fallen silent"}`,
  "link-up": ({ session, connectMs }) => `linked with ${nameOfSession(session)} after ${connectMs.toFixed(0)} ms`,
  "link-down": ({ session, reason }) => `no link with ${nameOfSession(session)} any more: ${reason}`,
  "link-failed": ({ session, stage, reason }) => `no link with ${nameOfSession(session)}, at ${stage}: ${reason}`,
  "hub-joined": () => "in the hub's room",
  "hub-unreachable": ({ reason }) => `without the hub: ${reason}`,
  "hub-refused": ({ reason }) => `the hub refuses: ${reason}`,
  operation: ({ operations: [first, ...more], local }) =>
    `${local ? "own operation" : "operation of"} ${dotInWords(first)}` +
    (more.length ? ` and ${more.length} more` : ""),
  confirmed: ({ replica, upTo }) => `confirmed up to ${dotInWords({ replica, sequence: upTo })}`,
  synced: ({ session }) => `in step with ${nameOfSession(session)}`,
  "storage-stalled": ({ reason }) => `storage: ${reason}`,
  "storage-recovered": () => "storage takes writes again",
  "storage-lost": ({ reason }) => `what was stored is gone, and is stored anew: ${reason}`,
  role: ({ role }) => (role === "writer" ? "this tab keeps the store now" : "another tab keeps the store now"),
  "replica-retired": ({ reason }) => `a new incarnation begins: ${reason}`,
  "operation-invalid": ({ reason }) => `an operation makes no sense: ${reason}`,
  "operations-waiting": ({ count }) => `${count} operations wait for others that nobody here has`,
  equivocation: () => "somebody signed two operations under one number",
  misbehaved: ({ session, reason }) => `${nameOfSession(session)} breaks the rules: ${reason}`,
  "cut-off": () => "this tab is cut off",
  "brought-back": () => "this tab is brought back",
};

function dotInWords({ replica, sequence }) {
  const author = authorOf(replica);
  return `${author ? `${nameOf(author)} ` : ""}${replica.slice(0, 4)}:${sequence}`;
}

const waiting = [];

/** Takes an event. It is told when it is shown: names are known by then. */
export function note(event) {
  if (!STORIES[event.type]) return;
  waiting.push([new Date().toLocaleTimeString(), event]);
  // Of very many, the last.
  if (waiting.length > 2 * LINES_MAX) waiting.splice(0, LINES_MAX);
}

export function showHappenings() {
  const lines = element("happenings");
  for (const [when, event] of waiting.splice(0).slice(-LINES_MAX)) {
    lines.prepend(make("li", {}, make("span", { className: "when" }, when), STORIES[event.type](event)));
  }
  while (lines.childElementCount > LINES_MAX) lines.lastChild.remove();
}
