// meshwork for web developers: a node in this tab. `meshwork.d.ts` documents every name; docs/web.md shows how to begin.

import { Edit, MeshDocument, Waiting, plain } from "./documents.js";
import { Life } from "./life.js";
import initialise from "./meshwork_web.js";
import { coded } from "./store.js";

/** How long `leave` waits for the last write, in milliseconds. */
const LEAVE_WAIT_MS = 10_000;
const JOIN_TIMEOUT_MS = 30_000;
/** A tab that is hidden for so long is away, in milliseconds. One that is closed is hidden just before. */
const AWAY_AFTER_MS = 1_000;

export class Mesh {
  #listeners = new Map();
  #subscribers = new Map();
  #documents = new Map();
  #life = null;
  #storedUpTo = new Map();
  #confirmedUpTo = new Map();
  #storing = new Waiting();
  #confirming = new Map();
  #left = resolvers();
  #hasLeft = false;
  #ready = resolvers();
  /** What another node is to show, should it take this one's place. */
  #status = null;
  #shown = new Map();
  #lastEdit = null;
  #awayTimer;
  #onVisibility = () => {
    clearTimeout(this.#awayTimer);
    if (document.hidden) this.#awayTimer = setTimeout(() => this._node?.setAway(true), AWAY_AFTER_MS);
    else this._node?.setAway(false);
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
      hubs: given.map(inAscii),
      room,
      password,
      invitation: invitation && inAscii(invitation),
      durable,
      confirmations,
      iceServers,
    };
    try {
      const store = durable ? `meshwork/${storageName(storage, room, invitation)}` : null;
      await mesh.#begin(settings, store, joinTimeoutMs ?? JOIN_TIMEOUT_MS);
      await mesh.#untilReady(joinTimeoutMs ?? JOIN_TIMEOUT_MS);
    } catch (error) {
      mesh.#end();
      throw error;
    }
    return mesh;
  }

  /** Documents, edits and everything else here are of this node. */
  get _node() {
    return this.#life.node;
  }

  async #begin(settings, store, timeoutMs) {
    const hear = (events) => this.#hear(events);
    this.#life = new Life(settings, store, hear, (node) => this.#replaced(node));
    if (globalThis.document) {
      document.addEventListener("visibilitychange", this.#onVisibility);
      addEventListener("pagehide", this.#onPageHide);
    }
    await this.#life.begin(timeoutMs);
  }

  /** `node` has stored all that the one before it has, and takes its place. */
  #replaced(node) {
    if (this.#status !== null) node.setStatus(this.#status);
    for (const [key, { value, until }] of this.#shown) {
      const ttlMs = until - Date.now();
      if (ttlMs > 0) node.setEphemeral(key, value, ttlMs);
    }
    if (globalThis.document) this.#onVisibility();
    this.#watch();
    for (const [document, callbacks] of this.#subscribers) {
      for (const callback of callbacks) guarded(callback, { document, operations: [], local: false });
    }
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
    this.#status = status;
  }

  show(key, value, ttlMs = 10_000) {
    const text = JSON.stringify(plain(value));
    this._node.setEphemeral(key, text, ttlMs);
    this.#shown.set(key, { value: text, until: Date.now() + ttlMs });
  }

  hide(key) {
    this._node.clearEphemeral(key);
    this.#shown.delete(key);
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
    return this._node.invitation(inAscii(hub), room);
  }

  async leave() {
    if (this.#hasLeft) return;
    const late = new Promise((_, reject) => {
      setTimeout(() => reject(coded("storage-stalled", "the last writes were not stored in time; what was acknowledged is safe")), LEAVE_WAIT_MS);
    });
    try {
      // A node that closes tells no other tab of its edits any more.
      const saved = this.#lastEdit && this._stored(this.#lastEdit).catch(() => {});
      await Promise.race([Promise.all([saved, this.#life.settled()]), late]);
      this._node.leave();
      await Promise.race([this.#left.promise, late]);
      await this.#life.idle();
    } finally {
      this.#end();
    }
  }

  /** The page goes away: say goodbye while there is time. */
  #depart() {
    if (this.#hasLeft) return;
    this.#life.depart();
    this.#hasLeft = true;
  }

  #end() {
    this.#hasLeft = true;
    if (globalThis.document) {
      document.removeEventListener("visibilitychange", this.#onVisibility);
      removeEventListener("pagehide", this.#onPageHide);
    }
    clearTimeout(this.#awayTimer);
    this.#life?.end();
    const gone = () => coded("left", "the mesh was left");
    this.#storing.fail(() => true, gone);
    for (const waiting of this.#confirming.values()) waiting.fail(() => true, gone);
  }

  // Called by documents and edits.

  _edit(document, changes) {
    const operation = JSON.parse(this._node.edit(document, JSON.stringify(changes)));
    this.#lastEdit = operation;
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

// Browsers write international names as xn--…; what is no address is refused by name further on.
function inAscii(address) {
  try {
    return new URL(address).href;
  } catch {
    return String(address);
  }
}

function storageName(storage, room, invitation) {
  if (typeof storage === "string" && storage) return storage;
  const invited = invitation?.match(/\/join\/([0-9A-Za-z]{6})(#|$)/)?.[1];
  return (invited ?? room ?? "local").toUpperCase();
}
