// Keeps a node's rows in IndexedDB: the tables of `meshwork_base::Table`, and the profile.

const TABLES = ["blocks", "meta", "proofs"];
const PROFILE = "profile";
/** The version of the database's layout. A browser refuses an older one than it has. */
const VERSION = 1;
/** What one transaction takes at most, in bytes, unless a single write is larger. */
const COMMIT_BYTES_MAX = 8 << 20;
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

/**
 * Makes writes durable in their order. What waits while a transaction is under way becomes the next one.
 *
 * A write is answered when its transaction has completed, with strict durability: when the browser has handed it to
 * the disk. A transaction that fails is tried again until it works; nothing is dropped.
 */
export class Store {
  #database;
  /** Waiting writes: `{ write, rows, bytes }`, or `{ profile }`. */
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
  node = null;

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

  /** Everything that is kept: `{ profile, rows }`. */
  async load() {
    const transaction = this.#database.transaction([...TABLES, PROFILE], "readonly");
    const profile = finished(transaction.objectStore(PROFILE).get(PROFILE));
    const tables = TABLES.map((table) => {
      const store = transaction.objectStore(table);
      return Promise.all([finished(store.getAllKeys()), finished(store.getAll())]);
    });
    const rows = [];
    for (const [table, read] of tables.entries()) {
      const [keys, values] = await read;
      keys.forEach((key, at) => rows.push([table, new Uint8Array(key), values[at]]));
    }
    return { profile: await profile, rows };
  }

  /** Makes `rows` durable together: `[table, key, value or null]` each. */
  write(write, rows) {
    const bytes = rows.reduce((sum, [, key, value]) => sum + key.length + (value?.length ?? 0), 0);
    this.#queue.push({ write, rows, bytes });
    this.#commitSoon();
  }

  keepProfile(profile) {
    this.#queue.push({ profile, bytes: profile.length });
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
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || bytes + this.#queue[count].bytes <= COMMIT_BYTES_MAX)) {
      bytes += this.#queue[count].bytes;
      count += 1;
    }
    return this.#queue.splice(0, count);
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
        for (const [table, key, value] of rows) {
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
      this.node?.stalled(undefined);
    }
    const last = batch.findLast(({ write }) => write !== undefined);
    // The next transaction begins before the answer is dealt with, which takes the page's time, not the disk's.
    this.#commit();
    // What was written to a store that is gone was not stored.
    if (last && !this.#lost) this.node?.persisted(last.write);
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
    this.node?.lost(reason);
  }

  /** Nothing is written any more. */
  #give(reason) {
    this.#lost ??= reason;
    this.#stall(reason);
  }

  #stall(reason) {
    if (this.#stalled === reason) return;
    this.#stalled = reason;
    this.node?.stalled(reason);
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
