// Vector clocks side by side: who holds how much of what each replica wrote, and who lags.

import { element, make } from "./dom.js";
import { colourOf, nameOf, noteAuthor } from "./nodes.js";

const REPLICAS_MAX = 12;
const NODES_MAX = 8;

export function showClocks(mesh, { self, peers }) {
  const clocks = mesh.clocks().sort((a, b) => b.timeMs - a.timeMs);
  for (const { replica, author } of clocks) noteAuthor(replica, author);
  const shown = clocks.slice(0, REPLICAS_MAX);
  const columns = columnsOf(clocks, self, peers);
  const head = make("tr", {}, make("th", { scope: "col" }, "replica"), ...columns.map(headOf));
  const body = shown.map((clock) => rowOf(clock, columns));
  if (clocks.length > shown.length) body.push(restOf(clocks.slice(REPLICAS_MAX), columns));
  const foot = make("tr", {}, make("th", { scope: "row" }, "behind by"), ...columns.map((column) => make("td", {}, lagMark(total(clocks, column)))));
  const table = clocks.length ? [make("thead", {}, head), make("tbody", {}, ...body), make("tfoot", {}, foot)] : [make("caption", {}, "No operation yet.")];
  element("clocks").replaceChildren(...table);
}

/** This tab, then the members that are here, then those that are gone and left word. */
function columnsOf(clocks, self, peers) {
  const claimed = new Set(clocks.flatMap(({ claims }) => Object.keys(claims)));
  const here = [...new Set(peers.map(({ node }) => node))].filter((node) => node !== self.node);
  const gone = [...claimed].filter((node) => node !== self.node && !here.includes(node));
  const others = [...here, ...gone].slice(0, NODES_MAX - 1);
  const own = { name: `${self.name} (this tab)`, node: self.node, reads: ({ held }) => held, gone: false, silent: false };
  return [own, ...others.map((node) => ({
    name: nameOf(node),
    node,
    reads: ({ claims }) => claims[node] ?? 0,
    gone: gone.includes(node),
    silent: !claimed.has(node),
  }))];
}

const headOf = ({ name, node, gone }) => {
  const dot = make("span", { className: `dot ${colourOf(node)}` });
  return make("th", { scope: "col", className: gone ? "gone" : "", title: node }, dot, gone ? `${name} (gone)` : name);
};

const highest = ({ held, claims }) => Math.max(held, ...Object.values(claims));
const lag = (clock, column) => highest(clock) - column.reads(clock);
const total = (clocks, column) => (column.silent ? null : clocks.reduce((sum, clock) => sum + lag(clock, column), 0));

function rowOf(clock, columns) {
  const { replica, author } = clock;
  const name = make("th", { scope: "row", title: replica }, make("span", { className: `author ${colourOf(author)}` }, nameOf(author)), make("span", { className: "code" }, replica.slice(0, 4)));
  return make("tr", {}, name, ...columns.map((column) => cell(clock, column)));
}

function cell(clock, column) {
  if (column.silent) return make("td", { className: "gone", title: "It keeps nothing, or has not said yet what it holds" }, "–");
  const held = column.reads(clock);
  const behind = lag(clock, column);
  const made = make("td", { className: behind ? "lags" : "" }, make("span", {}, held.toLocaleString()), behind ? make("b", {}, `−${behind.toLocaleString()}`) : "");
  made.style.setProperty("--part", `${(100 * held) / Math.max(1, highest(clock))}%`);
  return made;
}

function restOf(clocks, columns) {
  const name = make("th", { scope: "row" }, `${clocks.length} older`);
  return make("tr", {}, name, ...columns.map((column) => make("td", {}, lagMark(total(clocks, column)))));
}

function lagMark(behind) {
  if (behind === null) return "–";
  return behind ? make("b", {}, behind.toLocaleString()) : make("span", { className: "good" }, "in step");
}
