// What is shared, as it is now: a document as JSON, and the hash of all of them.

import { element, make, offer, short, write } from "./dom.js";
import { manyInWords } from "./words.js";

/** So many entries are shown of a document: more is for no eye. */
const ENTRIES_MAX = 300;
/** The hash visits all documents, and grows by leaps while much comes in: of more, it is worked out when a person asks. */
const HASHED_OPERATIONS_MAX = 5_000;
/** After working it out the page rests for so many times as long as that took. */
const REST = 20;

export function showState(mesh) {
  const documents = element("documents");
  const names = new Set(["app", ...mesh.documents()]);
  offer(documents, [...names].map((name) => [name, name]));
  const { value, left } = mesh.document(documents.value).excerpt([], ENTRIES_MAX) ?? { value: {}, left: 0 };
  const more = left ? `\n… and ${manyInWords(left)} entries more` : "";
  write(element("json"), JSON.stringify(value, null, 2) + more);
}

/** Of what the hash is that is shown, and until when the page rests. */
let workedOut = null;
let restUntil = 0;

export function beginState(mesh, soon) {
  element("documents").addEventListener("change", soon);
  element("hash").addEventListener("click", () => workOut(mesh));
}

const present = ({ shown, clock }) => JSON.stringify([shown, clock]);

export function showHash(mesh) {
  const status = mesh.status();
  if (present(status) === workedOut) return;
  if (status.shown <= HASHED_OPERATIONS_MAX && performance.now() >= restUntil) return workOut(mesh);
  const button = element("hash");
  write(button, "work out");
  button.title = "";
}

function workOut(mesh) {
  const began = performance.now();
  const hash = mesh.stateHash();
  restUntil = performance.now() + REST * (performance.now() - began);
  workedOut = present(mesh.status());
  const button = element("hash");
  write(button, short(hash));
  button.title = hash;
}

export function showFigures({ operations, confirmed, pending, clock, sentBytes, receivedBytes, storageStalled }) {
  const kibibytes = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
  const figures = {
    "operations held": operations.toLocaleString(),
    "stored on enough nodes": confirmed.toLocaleString(),
    waiting: pending.toLocaleString(),
    replicas: Object.keys(clock).length,
    sent: kibibytes(sentBytes),
    received: kibibytes(receivedBytes),
    ...(storageStalled ? { storage: storageStalled } : {}),
  };
  const rows = Object.entries(figures).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]);
  element("figures").replaceChildren(...rows);
}
