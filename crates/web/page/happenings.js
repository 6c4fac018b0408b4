// What happens, told in lines: the newest on top.

import { element, make, short } from "./dom.js";

const LINES_MAX = 60;

const STORIES = {
  "peer-joined": ({ peer }) => `${peer.name} joined`,
  "peer-left": ({ peer, gracefully }) => `${peer.name} ${gracefully ? "left" : "has fallen silent"}`,
  "link-up": ({ connectMs }) => `a link is up after ${connectMs.toFixed(0)} ms`,
  "link-down": ({ reason }) => `a link is down: ${reason}`,
  "link-failed": ({ stage, reason }) => `no link, at ${stage}: ${reason}`,
  "hub-joined": () => "in the hub's room",
  "hub-unreachable": ({ reason }) => `without the hub: ${reason}`,
  "hub-refused": ({ reason }) => `the hub refuses: ${reason}`,
  operation: ({ operations: [first, ...more], local }) =>
    `${local ? "own" : "received"} operation ${short(first.replica)}:${first.sequence}` +
    (more.length ? ` and ${more.length} more` : ""),
  confirmed: ({ replica, upTo }) => `confirmed up to ${short(replica)}:${upTo}`,
  synced: () => "in step with a peer",
  "storage-stalled": ({ reason }) => `storage: ${reason}`,
  "storage-recovered": () => "storage takes writes again",
  "replica-retired": ({ reason }) => `a new incarnation begins: ${reason}`,
  "operation-invalid": ({ reason }) => `an operation makes no sense: ${reason}`,
  "operations-waiting": ({ count }) => `${count} operations wait for others that nobody here has`,
  equivocation: () => "somebody signed two operations under one number",
  misbehaved: ({ reason }) => `a peer breaks the rules: ${reason}`,
  "cut-off": () => "this tab is cut off",
  "brought-back": () => "this tab is brought back",
};

const waiting = [];

/** Takes an event; true if it is told of. */
export function note(event) {
  const story = STORIES[event.type]?.(event);
  if (!story) return false;
  waiting.push([new Date().toLocaleTimeString(), story]);
  // Of very many, the last.
  if (waiting.length > 2 * LINES_MAX) waiting.splice(0, LINES_MAX);
  return true;
}

export function showHappenings() {
  const lines = element("happenings");
  for (const [when, story] of waiting.splice(0).slice(-LINES_MAX)) {
    lines.prepend(make("li", {}, make("span", { className: "when" }, when), story));
  }
  while (lines.childElementCount > LINES_MAX) lines.lastChild.remove();
}
