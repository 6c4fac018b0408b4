// Keeps a node's rows in IndexedDB: the tables of `meshwork_base::Table`, and the profile.

import { StoredRows } from "./meshwork_web.js";

const TABLES = ["blocks", "meta", "proofs"];
const PROFILE = "profile";
/** The version of the database's layout. A browser refuses an older one than it has. */
const VERSION = 1;
/** What one transaction takes at most, in bytes and in rows, unless a single write is larger. */
const COMMIT_BYTES_MAX = 8 << 20;
const COMMIT_ROWS_MAX = 256;
/** What is read at a time: about so many bytes, and so many rows at most. */
const BATCH_BYTES = 1 << 20;
const BATCH_ROWS_MAX = 256;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;

/** An `Error` with a code. */
export function coded(code, message) {
  return Object.assign(new Error(message), { code });
}

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function openDatabase(name) {
  if (!globalThis.indexedDB) {
    throw coded("storage-unavailable", "this browser has no IndexedDB: pass `storage: false` to keep nothing");
  }
  const request = indexedDB.open(name, VERSION);
  request.onupgradeneeded = () => {
    for (const store of [...TABLES, PROFILE]) {
      request.result.createObjectStore(store);
    }
  };
  try {
    return await finished(request);
  } catch (error) {
    const newer = error.name === "VersionError";
    throw newer
      ? coded("storage-newer", "the store was written by a newer version: reload the page to get that version")
      : coded("storage-unavailable", `the browser opens no database (${error.message}): pass \`storage: false\` to keep nothing`);
  }
}

/** Reads a whole table a batch at a time, each in a task of its own. */
async function read(table, take) {
  let range;
  for (let count = 1, bytes = 0, rows = 0; ; ) {
    const [keys, values] = await Promise.all([finished(table.getAllKeys(range, count)), finished(table.getAll(range, count))]);
    take(keys, values);
    if (keys.length < count) return;
    range = IDBKeyRange.lowerBound(keys.at(-1), true);
    bytes = values.reduce((sum, { length }) => sum + length, bytes);
    rows += keys.length;
    // How large the next ones are can only be guessed.
    count = Math.min(Math.ceil((BATCH_BYTES * rows) / (bytes + 1)), 4 * count, BATCH_ROWS_MAX);
  }
}

/**
 * Makes writes durable in their order. What waits while a transaction is under way becomes the next ones.
 *
 * A write is answered when its transaction has completed, with strict durability: when the browser has handed it to
 * the disk. A transaction that fails is tried again until it works; nothing is dropped.
 */
export class Store {
  #database;
  /** Waiting writes: `{ write, rows, bytes, count }`, or `{ profile }`. */
  #queue = [];
  #committing = false;
  #retryMs = RETRY_FIRST_MS;
  #stalled = false;
  #lost = null;
  #idle = [];
  /**
   * Told of what happens: `persisted(write)`, `stalled(reason)`, `stalled(undefined)` once it goes on, and `lost(reason)`
   * when the browser or the user has removed what was stored.
   */
  #node = null;

  static async open(name) {
    const store = new Store();
    store.#database = await openDatabase(name);
    store.#database.onclose = () => store.#lose("the browser has removed this site's data");
    store.#database.onversionchange = ({ newVersion }) => {
      // Whoever wants to change the database waits until nobody has it open.
      store.#database.close();
      if (newVersion === null) store.#lose("this site's data was removed");
      else store.#give("another tab has a newer version of this page, and its store: reload this one");
    };
    return store;
  }

  /** `node` is told from now on, and soon of what has happened already. */
  attend(node) {
    this.#node = node;
    queueMicrotask(() => {
      if (this.#stalled) node.stalled(this.#stalled);
      else if (this.#lost) node.lost(this.#lost);
    });
  }

  /** Everything that is kept: `{ profile, rows }`. */
  async load() {
    const transaction = this.#database.transaction([...TABLES, PROFILE], "readonly");
    const profile = await finished(transaction.objectStore(PROFILE).get(PROFILE));
    const rows = new StoredRows();
    for (const [number, table] of TABLES.entries()) {
      await read(transaction.objectStore(table), (keys, values) => rows.take(number, keys, values));
    }
    return { profile, rows };
  }

  /** Makes `rows` durable together. */
  write(write, rows) {
    this.#queue.push({ write, rows, bytes: rows.bytes(), count: rows.count() });
    this.#commitSoon();
  }

  keepProfile(profile) {
    this.#queue.push({ profile, bytes: profile.length, count: 1 });
    this.#commitSoon();
  }

  /** Resolves when nothing waits any more. */
  idle() {
    return this.#committing || this.#queue.length ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve();
  }

  close() {
    this.#commit();
    this.#lost ??= "closed";
    this.#database.close();
  }

  #take() {
    let [taken, bytes, rows] = [0, 0, 0];
    for (const waiting of this.#queue) {
      bytes += waiting.bytes;
      rows += waiting.count;
      if (taken > 0 && (bytes > COMMIT_BYTES_MAX || rows > COMMIT_ROWS_MAX)) break;
      taken += 1;
    }
    return this.#queue.splice(0, taken);
  }

  /** Once the node has handled what it is handling: peers and the page come first, the disk takes longer than both. */
  #commitSoon() {
    queueMicrotask(() => this.#commit());
  }

  #commit() {
    if (this.#committing || this.#lost || !this.#queue.length) return;
    this.#committing = true;
    const batch = this.#take();
    let transaction;
    try {
      transaction = this.#database.transaction([...TABLES, PROFILE], "readwrite", { durability: "strict" });
      for (const { profile, rows } of batch) {
        if (profile) {
          transaction.objectStore(PROFILE).put(profile, PROFILE);
          continue;
        }
        for (const [table, key, value] of rows.list()) {
          const store = transaction.objectStore(TABLES[table]);
          if (value) store.put(value, key);
          else store.delete(key);
        }
      }
      transaction.oncomplete = () => this.#committed(batch);
      transaction.onabort = () => this.#failed(batch, transaction.error);
      // Without waiting for each request's answer: a page that goes away now leaves a whole transaction behind.
      transaction.commit();
    } catch (error) {
      // Not at once: the node that is writing cannot be told before it has finished.
      queueMicrotask(() => this.#failed(batch, error));
    }
  }

  #committed(batch) {
    this.#committing = false;
    this.#retryMs = RETRY_FIRST_MS;
    if (this.#stalled) {
      this.#stalled = false;
      this.#node?.stalled(undefined);
    }
    const last = batch.findLast(({ write }) => write !== undefined);
    // The next transaction begins before the answer is dealt with, which takes the page's time, not the disk's.
    this.#commit();
    // What was written to a store that is gone was not stored.
    if (last && !this.#lost) this.#node?.persisted(last.write);
    batch.forEach(({ rows }) => rows?.free());
    if (!this.#committing && !this.#queue.length) {
      this.#idle.splice(0).forEach((resolve) => resolve());
    }
  }

  async #failed(batch, error) {
    this.#queue.unshift(...batch);
    if (await this.#isGone(error)) this.#lose(`this site's data was removed (${error?.message ?? "a write was aborted"})`);
    this.#committing = false;
    if (this.#lost) return;
    const full = error?.name === "QuotaExceededError";
    const what = full ? "the browser gives this site no more room: free some" : `IndexedDB: ${error?.message ?? "aborted"}`;
    this.#stall(`${what}; it is tried again until it works`);
    setTimeout(() => this.#commit(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
  }

  /** Not every browser tells of it. */
  async #isGone(error) {
    if (error?.name === "InvalidStateError") return true;
    const known = await indexedDB.databases?.().catch(() => undefined);
    return known !== undefined && !known.some(({ name }) => name === this.#database.name);
  }

  #lose(reason) {
    if (this.#lost) return;
    this.#lost = reason;
    this.#database.close();
    this.#node?.lost(reason);
  }

  /** Nothing is written any more. */
  #give(reason) {
    this.#lost ??= reason;
    this.#stall(reason);
  }

  #stall(reason) {
    if (this.#stalled === reason) return;
    this.#stalled = reason;
    this.#node?.stalled(reason);
  }
}

/**
 * Waits for the right to write a store, which one tab has at a time. It ends with the page, or when the function that this
 * resolves with is called.
 */
export function lock(name, signal) {
  return new Promise((resolve, reject) => {
    const held = () => new Promise((release) => resolve(release));
    navigator.locks.request(name, { signal }, held).catch(reject);
  });
}
