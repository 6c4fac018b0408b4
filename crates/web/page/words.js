// Operations in words.

const TEXT_MAX = 60;

export function clipped(text, max = TEXT_MAX) {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}

/** Keys that are ids are as good by their first characters, where there is little room. */
const KEY_MAX = 10;

const briefly = (key) => (key.length > KEY_MAX ? `${key.slice(0, 5)}…` : key);
const value = (json) => clipped(JSON.stringify(json) ?? "");

const SAID = {
  set: (path, json) => `${path} = ${value(json)}`,
  map: (path) => `${path} is a map`,
  delete: (path) => `delete ${path}`,
  increment: (path, by) => `${path} ${by < 0 ? "−" : "+"} ${Math.abs(by)}`,
  add: (path, json) => `add ${value(json)} to ${path}`,
  remove: (path, json) => `remove ${value(json)} from ${path}`,
};

export function changeInWords({ kind, path, value }, brief = false) {
  const keys = brief ? path.map(briefly) : path;
  return SAID[kind](clipped(keys.join("/") || "everything"), value);
}

/** One line for an operation. */
export function inWords({ changes, bytes }) {
  if (!changes) return `${bytes.toLocaleString()} bytes`;
  if (!changes.length) return "nothing: it carries dependencies";
  const [first, ...more] = changes;
  return changeInWords(first, true) + (more.length ? `, and ${more.length.toLocaleString()} more` : "");
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
