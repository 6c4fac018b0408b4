// The operation log: the last few hundred, newest on top, with the causal graph beside them. Each replica has a lane; a
// line leads from an operation to its author's previous one, and to each of others that it depends on.

import { arrange, drawn, element, make, offer, write } from "./dom.js";
import { colourOf, nameOf, noteAuthor } from "./nodes.js";
import { inWords, timeOf } from "./words.js";

const SHOWN_MAX = 300;
const ROW = 32;
const LANE = 18;
/** Replicas beyond so many share the last lane. */
const LANES_MAX = 10;

/** Rows that are drawn above and below those that are seen. */
const OVERSCAN = 6;

/** By id, those that are drawn. */
const rows = new Map();
let listed = [];
let chosen = null;
const idOf = ({ replica, sequence }) => `${replica}:${sequence}`;

/** `choose` is told which operation a person wants to see. */
export function beginLog(choose, soon) {
  element("rows").addEventListener("click", ({ target }) => {
    const row = target.closest("button");
    if (row) choose({ replica: row.dataset.replica, sequence: Number(row.dataset.sequence) });
  });
  for (const filter of ["filter-author", "filter-document"]) element(filter).addEventListener("change", soon);
  element("operations").addEventListener("scroll", drawSeen);
}

export function showLog(mesh, choice) {
  chosen = choice;
  showFilters(mesh);
  const author = element("filter-author").value || undefined;
  const document = element("filter-document").value || undefined;
  const operations = mesh.operations({ count: SHOWN_MAX, author, document });
  for (const operation of operations) noteAuthor(operation.replica, operation.author);
  keepInSight(operations);
  listed = operations;
  drawSeen();
  element("no-operations").hidden = operations.length > 0;
  const held = mesh.status().operations;
  const shown = operations.length < held ? `${operations.length.toLocaleString()} of ` : "";
  write(element("log-count"), held ? shown + held.toLocaleString() : "");
}

/** Whoever has scrolled down goes on seeing what is seen, though more comes on top. */
function keepInSight(operations) {
  const view = element("operations");
  const first = listed[Math.floor(view.scrollTop / ROW)];
  const at = first && view.scrollTop > 0 ? operations.findIndex((operation) => idOf(operation) === idOf(first)) : -1;
  element("rows").style.height = `${operations.length * ROW}px`;
  if (at >= 0) view.scrollTop = at * ROW + (view.scrollTop % ROW);
}

/** Draws the rows that are seen, and those near them. */
function drawSeen() {
  const { scrollTop, clientHeight } = element("operations");
  const from = Math.max(0, Math.floor(scrollTop / ROW) - OVERSCAN);
  const to = Math.ceil((scrollTop + clientHeight) / ROW) + OVERSCAN;
  const lanes = assignLanes(listed);
  element("operations").style.setProperty("--lanes", `${(Math.min(lanes.size, LANES_MAX) + 0.5) * LANE}px`);
  drawGraph(listed, lanes, [from, to]);
  const seen = listed.slice(from, to);
  const current = new Set(seen.map(idOf));
  for (const id of rows.keys()) if (!current.has(id)) rows.delete(id);
  element("rows").style.paddingTop = `${from * ROW}px`;
  arrange(element("rows"), seen.map(rowOf));
}

function showFilters(mesh) {
  const authors = [...new Set(mesh.clocks().map(({ author }) => author))];
  offer(element("filter-author"), [["", "all authors"], ...authors.map((author) => [author, nameOf(author)])]);
  offer(element("filter-document"), [["", "all documents"], ...mesh.documents().map((name) => [name, name])]);
}

/** Lanes by author and replica, so that they stay where they are. */
function assignLanes(operations) {
  const replicas = new Map(operations.map(({ replica, author }) => [replica, author + replica]));
  const sorted = [...replicas].sort(([, a], [, b]) => (a < b ? -1 : 1));
  return new Map(sorted.map(([replica], at) => [replica, Math.min(at, LANES_MAX - 1)]));
}

function rowOf(operation) {
  const id = idOf(operation);
  if (!rows.has(id)) rows.set(id, newRow(operation));
  const { item, stored, button, author } = rows.get(id);
  write(stored, operation.stored ? `${operation.confirmed ? "✓ " : ""}${operation.stored}` : "…");
  write(author, nameOf(operation.author));
  button.setAttribute("aria-pressed", chosen !== null && idOf(chosen) === id);
  return item;
}

function newRow(operation) {
  const { replica, sequence } = operation;
  const stored = make("span", { className: "stored", title: "On how many nodes it is known to be stored" });
  const author = make("span", { className: `author ${colourOf(operation.author)}` });
  const button = make(
    "button",
    { className: "operation", type: "button", dataset: { replica, sequence } },
    make("span", { className: "code id" }, `${replica.slice(0, 4)}:${sequence}`),
    author,
    make("span", { className: "what" }, inWords(operation)),
    make("span", { className: "document" }, operation.document),
    make("span", { className: "when" }, timeOf(operation.timeMs)),
    stored,
  );
  return { item: make("li", {}, button), button, stored, author };
}

function drawGraph(operations, lanes, [first, end]) {
  const svg = element("lanes");
  const [width, height] = [(Math.min(lanes.size, LANES_MAX) + 0.5) * LANE, operations.length * ROW];
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) svg.setAttribute(name, value);
  const places = new Map(operations.map((operation, at) => [idOf(operation), [(lanes.get(operation.replica) + 0.75) * LANE, (at + 0.5) * ROW]]));
  const edges = [];
  const dots = [];
  const isSeen = (from, to) => Math.min(from[1], to?.[1] ?? from[1]) < end * ROW && Math.max(from[1], to?.[1] ?? from[1]) > first * ROW;
  for (const operation of operations) {
    const { replica, sequence, author, dependencies } = operation;
    const from = places.get(idOf(operation));
    const draw = (to, className) => isSeen(from, to) && edges.push(edge(from, to, author, className, height));
    if (sequence > 1) draw(places.get(idOf({ replica, sequence: sequence - 1 })), "previous");
    for (const dependency of dependencies) {
      const to = places.get(idOf(dependency));
      // One that is not shown lies further down, or is filtered out.
      if (to) draw(to, "dependency");
    }
    if (isSeen(from)) dots.push(drawn("circle", { cx: from[0], cy: from[1], r: operation.confirmed ? 5 : 4, class: `${colourOf(author)} ${operation.confirmed ? "" : "hollow"}` }));
  }
  svg.replaceChildren(...edges, ...dots);
}

function edge([x1, y1], to, author, className, height) {
  const [x2, y2] = to ?? [x1, Math.min(y1 + ROW, height)];
  const bend = Math.min(Math.abs(y2 - y1), ROW) * 0.6 * Math.sign(y2 - y1);
  const d = x1 === x2 ? `M${x1} ${y1}V${y2}` : `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  return drawn("path", { d, class: `${className} ${to ? "" : "further"} ${colourOf(author)}` });
}
