// meshwork for web developers: a node in this tab. `meshwork.d.ts` documents every name; docs/web.md shows how to begin.

import initialise, { WebNode } from "./meshwork_web.js";
import { Store, coded, lock } from "./store.js";

/** How long to wait for a page that holds the store and is on its way out, in milliseconds. */
const LOCK_WAIT_MS = 3_000;
/** How long `leave` waits for the last write, in milliseconds. */
const LEAVE_WAIT_MS = 10_000;
const JOIN_TIMEOUT_MS = 30_000;
/** A tab that is hidden for so long is away, in milliseconds. One that is closed is hidden just before. */
const AWAY_AFTER_MS = 1_000;
/** What waits for a sequence of a replica to be reached. Sequences grow, so the first that waits is looked at alone. */
class Waiting {
  #entries = [];

  /** `reached` is asked at once, and again whenever `check` is called. */
  until(operation, reached) {
    if (reached(operation)) return Promise.resolve();
    return new Promise((resolve, reject) => this.#entries.push({ operation, reached, resolve, reject }));
  }

  get size() {
    return this.#entries.length;
  }

  check() {
    while (this.#entries.length && this.#entries[0].reached(this.#entries[0].operation)) {
      this.#entries.shift().resolve();
    }
  }

  /** Those after `kept` of a replica will never be reached. */
  fail(matches, error) {
    const failing = this.#entries.filter(({ operation }) => matches(operation));
    this.#entries = this.#entries.filter(({ operation }) => !matches(operation));
    for (const { operation, reject } of failing) reject(error(operation));
  }
}

/** One transaction of ours: visible already, durable and confirmed later. */
class Edit {
  #mesh;

  constructor(mesh, operation) {
    this.#mesh = mesh;
    this.operation = Object.freeze(operation);
  }

  stored() {
    return this.#mesh._stored(this.operation);
  }

  confirmed(options = {}) {
    return this.#mesh._confirmed(this.operation, options.count);
  }
}

/** A document of the mesh: a tree of maps, values, counters and sets. */
class MeshDocument {
  #mesh;

  constructor(mesh, name) {
    this.#mesh = mesh;
    this.name = name;
  }

  set(path, value) {
    return this.edit([{ set: { path, value: plain(value) } }]);
  }

  merge(path, value) {
    return this.edit([{ merge: { path, value: plain(value) } }]);
  }

  delete(path) {
    return this.edit([{ delete: { path } }]);
  }

  increment(path, by = 1) {
    return this.edit([{ increment: { path, by } }]);
  }

  add(path, value) {
    return this.edit([{ add: { path, value: plain(value) } }]);
  }

  remove(path, value) {
    return this.edit([{ remove: { path, value: plain(value) } }]);
  }

  edit(changes) {
    return this.#mesh._edit(this.name, changes);
  }

  get(path) {
    const json = this.#mesh._node.get(this.name, JSON.stringify(path));
    return json === undefined ? undefined : JSON.parse(json);
  }

  json() {
    return this.get([]) ?? {};
  }

  excerpt(path, entries = 100) {
    const json = this.#mesh._node.excerpt(this.name, JSON.stringify(path), entries);
    return json === undefined ? undefined : JSON.parse(json);
  }

  subscribe(callback) {
    return this.#mesh._subscribe(this.name, callback);
  }
}

/** JSON has no `undefined`. */
function plain(value) {
  return value === undefined ? null : value;
}

export class Mesh {
  #listeners = new Map();
  #subscribers = new Map();
  #documents = new Map();
  #store = null;
  #release = () => {};
  #storedUpTo = new Map();
  #confirmedUpTo = new Map();
  #storing = new Waiting();
  #confirming = new Map();
  #left = resolvers();
  #hasLeft = false;
  #ready = resolvers();
  #awayTimer;
  #onVisibility = () => {
    clearTimeout(this.#awayTimer);
    if (document.hidden) this.#awayTimer = setTimeout(() => this._node.setAway(true), AWAY_AFTER_MS);
    else this._node.setAway(false);
  };
  #onPageHide = () => this.#depart();

  /** Becomes a member, which takes a hub the first time and nothing but the store later. */
  static async join(options = {}) {
    const { hub, hubs, room, name, password, invitation, storage, confirmations, iceServers, joinTimeoutMs, wasm, on } =
      options;
    await initialise(wasm === undefined ? undefined : { module_or_path: wasm });
    const mesh = new Mesh();
    for (const [type, listener] of Object.entries(on ?? {})) mesh.on(type, listener);
    const defaultHub = !invitation && room && globalThis.location?.origin;
    const given = hubs ?? (hub ?? defaultHub ? [hub ?? defaultHub] : []);
    const durable = storage !== false;
    const settings = {
      name: name ?? "browser",
      hubs: given.map(String),
      room,
      password,
      invitation,
      durable,
      confirmations,
      iceServers,
    };
    try {
      await mesh.#begin(settings, durable ? `meshwork/${storageName(storage, room, invitation)}` : null);
      await mesh.#untilReady(joinTimeoutMs ?? JOIN_TIMEOUT_MS);
    } catch (error) {
      mesh.#end();
      throw error;
    }
    return mesh;
  }

  async #begin(settings, storeName) {
    let kept = { profile: undefined, rows: [] };
    if (storeName) {
      this.#release = await lock(storeName, LOCK_WAIT_MS);
      this.#store = await Store.open(storeName);
      kept = await this.#store.load();
    }
    const hear = (batch) => this.#hear(JSON.parse(batch));
    this._node = new WebNode(JSON.stringify(settings), kept.profile, kept.rows, this.#store, hear);
    if (this.#store) this.#store.node = this._node;
    if (globalThis.document) {
      document.addEventListener("visibilitychange", this.#onVisibility);
      addEventListener("pagehide", this.#onPageHide);
    }
    this._node.listen();
  }

  async #untilReady(timeoutMs) {
    const late = setTimeout(() => {
      const why = this.#lastHubFailure ? `: ${this.#lastHubFailure}` : "";
      this.#ready.reject(coded("hub-unreachable", `no hub has let us in within ${timeoutMs} ms${why}`));
    }, timeoutMs);
    await this.#ready.promise.finally(() => clearTimeout(late));
    if (globalThis.document?.hidden) this.#onVisibility();
  }

  #lastHubFailure = null;

  document(name) {
    if (!this.#documents.has(name)) this.#documents.set(name, new MeshDocument(this, name));
    return this.#documents.get(name);
  }

  documents() {
    return JSON.parse(this._node.documents());
  }

  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  status() {
    return JSON.parse(this._node.status());
  }

  stateHash() {
    return this._node.stateHash();
  }

  setStatus(status) {
    this._node.setStatus(status);
  }

  show(key, value, ttlMs = 10_000) {
    this._node.setEphemeral(key, JSON.stringify(plain(value)), ttlMs);
  }

  hide(key) {
    this._node.clearEphemeral(key);
  }

  sync() {
    this._node.sync();
  }

  operations(wanted = {}) {
    return JSON.parse(this._node.operations(JSON.stringify({ count: 100, ...wanted })));
  }

  operation({ replica, sequence }) {
    const json = this._node.operation(replica, sequence);
    return json === undefined ? undefined : JSON.parse(json);
  }

  clocks() {
    return JSON.parse(this._node.clocks());
  }

  disconnect() {
    this._node.disconnect();
  }

  reconnect() {
    this._node.reconnect();
  }

  invitation(hub, room) {
    return this._node.invitation(String(hub), room);
  }

  async leave() {
    if (this.#hasLeft) return;
    this._node.leave();
    const late = new Promise((_, reject) => {
      setTimeout(() => reject(coded("storage-stalled", "the last writes were not stored in time; what was acknowledged is safe")), LEAVE_WAIT_MS);
    });
    try {
      await Promise.race([this.#left.promise, late]);
      await this.#store?.idle();
    } finally {
      this.#end();
    }
  }

  /** The page goes away: say goodbye while there is time. */
  #depart() {
    if (this.#hasLeft) return;
    this._node.depart();
    this.#hasLeft = true;
  }

  #end() {
    this.#hasLeft = true;
    if (globalThis.document) {
      document.removeEventListener("visibilitychange", this.#onVisibility);
      removeEventListener("pagehide", this.#onPageHide);
    }
    clearTimeout(this.#awayTimer);
    this._node?.stop();
    this.#store?.close();
    this.#release();
    const gone = () => coded("left", "the mesh was left");
    this.#storing.fail(() => true, gone);
    for (const waiting of this.#confirming.values()) waiting.fail(() => true, gone);
  }

  // Called by documents and edits.

  _edit(document, changes) {
    const operation = JSON.parse(this._node.edit(document, JSON.stringify(changes)));
    return new Edit(this, operation);
  }

  _subscribe(name, callback) {
    if (!this.#subscribers.has(name)) this.#subscribers.set(name, new Set());
    this.#subscribers.get(name).add(callback);
    return () => this.#subscribers.get(name).delete(callback);
  }

  _stored(operation) {
    return this.#storing.until(operation, ({ replica, sequence }) => (this.#storedUpTo.get(replica) ?? 0) >= sequence);
  }

  /** Without a count: by the policy of the mesh. */
  _confirmed(operation, count) {
    if (!this.#confirming.has(count)) this.#confirming.set(count, new Waiting());
    const reached =
      count === undefined
        ? ({ replica, sequence }) => (this.#confirmedUpTo.get(replica) ?? 0) >= sequence
        : ({ replica, sequence }) => this._node.holders(replica, sequence) >= count;
    const confirmed = this.#confirming.get(count).until(operation, reached);
    this.#watch();
    return confirmed;
  }

  /** The node tells of receipts only while somebody waits for a number of them. */
  #watch() {
    const waits = [...this.#confirming].some(([count, waiting]) => count !== undefined && waiting.size > 0);
    this._node.watchReceipts(waits);
  }

  // Called by the node.

  #hear(events) {
    const changed = new Map();
    for (const event of events) {
      this.#note(event, changed);
      this.#emit(event.type, event);
    }
    for (const [document, change] of changed) {
      for (const callback of this.#subscribers.get(document) ?? []) guarded(callback, change);
    }
  }

  #note(event, changed) {
    switch (event.type) {
      case "ready":
        this.#ready.resolve();
        break;
      case "failed":
        this.#ready.reject(coded("storage-unusable", event.reason));
        break;
      case "hub-refused":
        this.#ready.reject(coded("hub-refused", event.reason));
        break;
      case "hub-unreachable":
        this.#lastHubFailure = event.reason;
        break;
      case "operation": {
        const change = changed.get(event.document) ?? { document: event.document, operations: [], local: true };
        change.operations.push(...event.operations);
        change.local &&= event.local;
        changed.set(event.document, change);
        break;
      }
      case "stored":
        this.#storedUpTo.set(event.replica, event.upTo);
        this.#storing.check();
        this.#confirming.forEach((waiting) => waiting.check());
        break;
      case "confirmed":
        this.#confirmedUpTo.set(event.replica, event.upTo);
        this.#confirming.get(undefined)?.check();
        break;
      case "receipts":
        this.#confirming.forEach((waiting, count) => count !== undefined && waiting.check());
        this.#watch();
        break;
      case "replica-retired": {
        const lost = ({ replica, sequence }) => replica === event.replica && sequence > event.kept;
        const error = () => coded("retired", `the operation does not stand under this id: ${event.reason}`);
        this.#storing.fail(lost, error);
        this.#confirming.forEach((waiting) => waiting.fail(lost, error));
        break;
      }
      case "left":
        this.#left.resolve();
        break;
    }
  }

  #emit(type, event) {
    for (const listener of this.#listeners.get(type) ?? []) guarded(listener, event);
    for (const listener of this.#listeners.get("*") ?? []) guarded(listener, event);
  }
}

/** A listener that throws costs itself its event, and nobody else anything. */
function guarded(callback, argument) {
  try {
    callback(argument);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function resolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  // Whoever joins hears of it; nobody else has to.
  made.promise.catch(() => {});
  return made;
}

function storageName(storage, room, invitation) {
  if (typeof storage === "string" && storage) return storage;
  const invited = invitation?.match(/\/join\/([0-9A-Za-z]{6})(#|$)/)?.[1];
  return (invited ?? room ?? "local").toUpperCase();
}
