// Operations in words.

const TEXT_MAX = 60;

export function clipped(text, max = TEXT_MAX) {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}

const path = (keys) => clipped(keys.join("/") || "everything");
const value = (json) => clipped(JSON.stringify(json) ?? "");

const SAID = {
  set: (change) => `${path(change.path)} = ${value(change.value)}`,
  map: (change) => `${path(change.path)} is a map`,
  delete: (change) => `delete ${path(change.path)}`,
  increment: (change) => `${path(change.path)} ${change.value < 0 ? "−" : "+"} ${Math.abs(change.value)}`,
  add: (change) => `add ${value(change.value)} to ${path(change.path)}`,
  remove: (change) => `remove ${value(change.value)} from ${path(change.path)}`,
};

export const changeInWords = (change) => SAID[change.kind](change);

/** One line for an operation. */
export function inWords({ changes, bytes }) {
  if (!changes) return `${bytes.toLocaleString()} bytes`;
  if (!changes.length) return "nothing: it carries dependencies";
  const [first, ...more] = changes;
  return changeInWords(first) + (more.length ? `, and ${more.length.toLocaleString()} more` : "");
}

/** An excerpt counts no further than this. */
const COUNTED_MAX = 10_000;

export const manyInWords = (count) => (count >= COUNTED_MAX ? `${COUNTED_MAX.toLocaleString()} or more` : count.toLocaleString());

/** A time of today as such, an older one with its day. */
export function timeOf(ms) {
  const time = new Date(ms);
  const today = time.toDateString() === new Date().toDateString();
  return today ? time.toLocaleTimeString() : `${time.toLocaleDateString()} ${time.toLocaleTimeString()}`;
}
