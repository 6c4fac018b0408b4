// What is shared, as it is now: a document as JSON, and the hash of all of them.

import { element, make, offer, short, write } from "./dom.js";

/** So many entries are shown of a document: more is for no eye. */
const ENTRIES_MAX = 300;

export function showState(mesh) {
  const documents = element("documents");
  const names = new Set(["app", ...mesh.documents()]);
  offer(documents, [...names].map((name) => [name, name]));
  const { value, left } = mesh.document(documents.value).excerpt([], ENTRIES_MAX) ?? { value: {}, left: 0 };
  const more = left ? `\n… and ${left.toLocaleString()} entries more` : "";
  write(element("json"), JSON.stringify(value, null, 2) + more);
}

/** Visits every document: apart from the rest, so that it rests by itself. */
export function showHash(mesh) {
  const hash = mesh.stateHash();
  write(element("hash"), short(hash));
  element("hash").title = hash;
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
