// What is shared, as it is now: a document as JSON, and the hash of all of them.

import { element, make, offer, short, write } from "./dom.js";
import { manyInWords } from "./words.js";

/** So many entries are shown of a document: more is for no eye. */
const ENTRIES_MAX = 300;
const HASH_MS_MAX = 8;
/** It grows by leaps while much comes in. */
const HASHED_OPERATIONS_MAX = 5_000;

export function showState(mesh) {
  const documents = element("documents");
  const names = new Set(["app", ...mesh.documents()]);
  offer(documents, [...names].map((name) => [name, name]));
  const { value, left } = mesh.document(documents.value).excerpt([], ENTRIES_MAX) ?? { value: {}, left: 0 };
  const more = left ? `\n… and ${manyInWords(left)} entries more` : "";
  write(element("json"), JSON.stringify(value, null, 2) + more);
}

/** How long the last hash took. It visits all documents: of large ones it is worked out when a person asks for it. */
let hashMs = 0;
/** What was shown when a person last asked. */
let workedOut = null;

export function beginState(mesh, soon) {
  element("documents").addEventListener("change", soon);
  element("hash").addEventListener("click", () => {
    hashMs = 0;
    workOut(mesh);
  });
}

export function showHash(mesh) {
  const { shown } = mesh.status();
  if (hashMs <= HASH_MS_MAX && shown <= HASHED_OPERATIONS_MAX) return workOut(mesh);
  if (shown === workedOut) return;
  const button = element("hash");
  write(button, "work out");
  button.title = "";
}

function workOut(mesh) {
  const button = element("hash");
  workedOut = mesh.status().shown;
  const began = performance.now();
  const hash = mesh.stateHash();
  hashMs = performance.now() - began;
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
