// One operation with all that is known of it.

import { element, make, short } from "./dom.js";
import { colourOf, nameOf } from "./nodes.js";
import { changeInWords, timeOf } from "./words.js";

const CHANGES_MAX = 50;

const person = (node) => make("span", { className: `author ${colourOf(node)}`, title: node }, nameOf(node));

export function showDetail(mesh, chosen, choose) {
  const operation = chosen && mesh.operation(chosen);
  element("no-detail").hidden = Boolean(operation);
  const list = element("detail");
  list.hidden = !operation;
  // A person may be selecting an id.
  if (!operation || list.contains(getSelection()?.anchorNode)) return;
  const previous = operation.sequence > 1 ? [{ replica: operation.replica, sequence: operation.sequence - 1 }] : [];
  const rows = {
    id: [code(`${operation.replica}:${operation.sequence}`)],
    "signed by": [person(operation.author), code(operation.author)],
    signature: [operation.signed ? make("span", { className: "good" }, "✓ checked again just now") : make("span", { className: "bad" }, "✗ does not verify")],
    "stored on": stored(operation),
    "depends on": links([...previous, ...operation.dependencies], choose),
    document: [operation.document],
    says: says(operation),
    made: [`${timeOf(operation.timeMs)}, ${operation.bytes.toLocaleString()} bytes`],
    hash: [code(operation.hash)],
  };
  list.replaceChildren(...Object.entries(rows).flatMap(([name, content]) => [make("dt", {}, name), make("dd", {}, ...content)]));
}

const code = (text) => make("code", { className: "code long" }, text);

function stored({ holders, confirmed }) {
  if (!holders.length) return ["not stored yet"];
  const count = `${holders.length} node${holders.length === 1 ? "" : "s"}${confirmed ? ", enough: confirmed" : ""}`;
  return [make("div", {}, count), ...holders.map(person)];
}

function links(operations, choose) {
  if (!operations.length) return ["nothing: the first of its replica"];
  return operations.map((operation) => {
    const link = make("button", { className: "plain code", type: "button" }, `${short(operation.replica)}:${operation.sequence}`);
    link.addEventListener("click", () => choose(operation));
    return link;
  });
}

function says({ changes, bytes }) {
  if (!changes) return [`${bytes.toLocaleString()} bytes that this version cannot read`];
  const lines = changes.slice(0, CHANGES_MAX).map((change) => make("div", {}, changeInWords(change)));
  const more = changes.length - lines.length;
  return more > 0 ? [...lines, make("div", {}, `and ${more.toLocaleString()} more`)] : lines.length ? lines : ["nothing"];
}
