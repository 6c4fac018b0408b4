// Which node serves this tab. One tab writes the store: it has the store's lock, and links to everybody. The others of
// this browser follow it: a node without a store, linked to the writer alone, whose word it is that something is durable.
//
// When the writer goes, a tab that follows gets the lock. It opens the store with a second node, the successor, which the
// first one follows as it would any other tab; once the successor has stored all that the first one has, it takes its
// place. A store that is removed while it is open is begun anew in the same way.

import { NodeOpening, WebNode } from "./meshwork_web.js";
import { Store, coded, lock } from "./store.js";
import { Tabs } from "./tabs.js";

/** How long until a store that does not open is tried again, in milliseconds. */
const REOPEN_MS = 1_000;
/** How often it tells how far a log is open, in milliseconds. */
const TELL_MS = 50;

export class Life {
  /** The node that documents and edits are of. */
  node = null;
  #settings;
  #name;
  #hear;
  #replaced;
  #tabs = null;
  #store = null;
  #release = () => {};
  /** What the tab waits for before it is ready: the first time in step with the writer. */
  #ready = null;
  /** The node to come: `{ node, tabs, store, events, done }`. */
  #successor = null;
  #succession = Promise.resolve();
  /** Sessions of this tab's nodes. What they say of each other is nobody's business. */
  #own = new Set();
  #ended = new AbortController();

  /**
   * `name`: of the store, or `null` to keep nothing. `hear` is told all events; `replaced(node)`, that another node serves
   * from now on.
   */
  constructor(settings, name, hear, replaced) {
    this.#settings = settings;
    this.#name = name;
    this.#hear = hear;
    this.#replaced = replaced;
  }

  /** Begins, as the tab that writes the store or as one that follows it. */
  async begin(timeoutMs) {
    if (!this.#name) {
      this.node = await this.#make({}, this.#settings);
      return this.node.listen();
    }
    if (!globalThis.navigator?.locks) {
      throw coded(
        "storage-unavailable",
        "this page may not keep data, since it was not loaded over https or from this machine: pass `storage: false`",
      );
    }
    this.#tabs = new Tabs(this.#name);
    const granted = lock(this.#name, this.#ended.signal);
    const writer = await this.#role(granted, timeoutMs).finally(() => this.#tabs.stopAsking());
    if (writer) await this.#follow(writer, granted);
    else await this.#write();
  }

  /** Who writes the store; nobody, if it is this tab. */
  #role(granted, timeoutMs) {
    return new Promise((resolve, reject) => {
      const refusal = "another tab of this browser has this store open and does not answer: close it, or give another `storage`";
      const late = setTimeout(() => reject(coded("storage-in-use", refusal)), timeoutMs);
      const own = (release) => {
        this.#take(release);
        resolve(null);
      };
      granted.then(own, reject).finally(() => clearTimeout(late));
      this.#tabs.findWriter().then((writer) => {
        clearTimeout(late);
        resolve(writer);
      });
    });
  }

  #take(release) {
    if (this.#ended.signal.aborted) release();
    else this.#release = release;
  }

  async #write() {
    this.#store = await Store.open(this.#name);
    const { profile, rows } = await this.#store.load();
    const made = { profile, rows, store: this.#store, tabs: this.#tabs };
    this.node = await this.#make(made, this.#settings, (progress) => this.#hear([progress]));
    this.#attend(this.#store, this.node);
    this.node.listen();
  }

  async #follow(writer, granted) {
    const settings = { ...this.#settings, follower: true };
    this.node = await this.#make({ profile: writer.profile, tabs: this.#tabs }, settings);
    this.#ready = writer.session;
    this.node.listen();
    granted.then(
      (release) => {
        this.#take(release);
        this.#succeed();
      },
      () => {},
    );
    await this.#tabs.follow(this.node, writer);
  }

  /**
   * Opens the log in `rows` and makes a node of it. What takes long is done in slices, between which it is the page's turn;
   * `tell` hears how many operations there are to be shown.
   */
  async #make({ profile, rows, store = null, tabs = null }, settings, tell = () => {}) {
    const opening = new NodeOpening(JSON.stringify(settings), profile, rows);
    try {
      for (let told = performance.now() - TELL_MS; ; ) {
        this.#ended.signal.throwIfAborted();
        if (opening.advance()) break;
        await turn();
        const known = opening.operations();
        if (known === 0 || performance.now() < told + TELL_MS) continue;
        tell({ type: "progress", shown: 0, known });
        told = performance.now();
        // Who listens took a while, perhaps.
        await turn();
      }
    } catch (error) {
      // One that panicked cannot be freed any more.
      if (!(error instanceof WebAssembly.RuntimeError)) opening.free();
      throw error;
    }
    const node = new WebNode(opening, store, tabs, (batch) => this.#heard(node, JSON.parse(batch)));
    return node;
  }

  #attend(store, node) {
    store.attend({
      persisted: (write) => {
        node.persisted(write);
        this.#replaceIfDone();
      },
      stalled: (reason) => node.stalled(reason),
      lost: (reason) => this.#lost(store, reason),
    });
  }

  #heard(node, events) {
    const heard = this.#ofOthers(events);
    if (node === this.#successor?.node) {
      if (heard.some(({ type }) => type === "ready")) this.#successor.tabs.write(node);
      // Its documents are those that are shown already.
      this.#successor.events.push(...heard.filter(({ type }) => !["ready", "operation", "webrtc-missing"].includes(type)));
      return this.#replaceIfDone();
    }
    if (node !== this.node) return;
    if (this.#ready) {
      const inStep = heard.some(({ type, session }) => type === "synced" && session === this.#ready);
      if (inStep) this.#ready = null;
      this.#hear(heard.filter(({ type }) => type !== "ready"));
      if (inStep) this.#hear([{ type: "ready" }]);
      return;
    }
    if (this.#store && heard.some(({ type }) => type === "ready")) this.#tabs.write(node);
    this.#hear(heard);
  }

  #ofOthers(events) {
    return events.filter(({ type, peer, session }) => type === "ready" || !this.#own.has(peer?.session ?? session));
  }

  /** The store is gone, and nobody else has written it: begins it anew with all that this tab holds. */
  #lost(store, reason) {
    if (this.#ended.signal.aborted) return;
    if (store === this.#successor?.store) {
      this.#successor.node.stop();
      this.#successor.tabs.close();
      this.#successor.done();
      this.#successor = null;
    } else {
      this.#store = null;
      if (!this.node.isMember()) return this.#hear([{ type: "failed", reason: `${reason} while this tab was joining` }]);
      this.node.follow();
      // It ends with the node only.
      this.#tabs.follow(this.node).catch(() => {});
      this.#hear([{ type: "storage-lost", reason }]);
    }
    this.#succeed();
  }

  /** With the lock: opens the store with another node, which this tab's own follows until it is done. */
  #succeed() {
    if (this.#ended.signal.aborted) return;
    this.#succession = this.#open().catch((error) => {
      if (!this.#ended.signal.aborted) this.node.stalled(`the store cannot be taken over: ${error.message}`);
    });
  }

  async #open() {
    const { profile: own } = JSON.parse(this.node.identity());
    const { store, profile, rows } = await this.#reopened();
    const tabs = new Tabs(this.#name);
    let node;
    try {
      this.#ended.signal.throwIfAborted();
      if (profile && JSON.parse(profile).space !== JSON.parse(own).space) {
        throw new Error("it belongs to another space by now; reload the page");
      }
      if (!profile) store.keepProfile(own);
      node = await this.#make({ profile: profile ?? own, rows, store, tabs }, this.#settings);
    } catch (error) {
      tabs.close();
      store.close();
      throw error;
    }
    this.#attend(store, node);
    for (const each of [this.node, node]) this.#own.add(JSON.parse(each.identity()).session);
    await new Promise((done) => {
      this.#successor = { node, tabs, store, events: [], done };
      node.listen();
    });
  }

  async #reopened() {
    for (;;) {
      let store = null;
      try {
        store = await Store.open(this.#name);
        return { store, ...(await store.load()) };
      } catch (error) {
        store?.close();
        if (["storage-newer", "storage-unusable"].includes(error.code) || this.#ended.signal.aborted) throw error;
        this.node.stalled(`${error.message}; it is tried again until it works`);
        await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
      }
    }
  }

  #replaceIfDone() {
    const next = this.#successor;
    if (!next?.node.hasStored(this.node)) return;
    const [old, oldTabs] = [this.node, this.#tabs];
    const { peers, replica, storageStalled } = JSON.parse(old.status());
    ({ node: this.node, tabs: this.#tabs, store: this.#store } = next);
    this.#successor = null;
    this.#ready = null;
    old.depart();
    old.stop();
    oldTabs.close();
    const status = JSON.parse(this.node.status());
    const here = new Set(status.peers.map(({ session }) => session));
    const gone = peers.filter(({ session }) => !here.has(session) && !this.#own.has(session));
    this.#replaced(this.node);
    this.#hear([
      { type: "stored", replica, upTo: status.clock[replica] ?? 0 },
      ...gone.map((peer) => ({ type: "peer-left", peer, gracefully: false })),
      ...next.events,
      ...(storageStalled ? [{ type: "storage-recovered" }] : []),
      { type: "role", role: status.role },
      { type: "ready" },
    ]);
    next.done();
  }

  /** Resolves when no other node is on its way. */
  async settled() {
    await this.#succession;
  }

  /** Resolves when nothing waits to be stored any more. */
  async idle() {
    await this.#store?.idle();
  }

  /** The page goes away: says goodbye while there is time. */
  depart() {
    this.node?.depart();
    this.#successor?.node.depart();
    // Who is not here yet does not come any more.
    this.#abort();
  }

  #abort() {
    this.#ended.abort(coded("left", "the mesh was left before this tab was a member"));
  }

  end() {
    this.#abort();
    this.#successor?.done();
    const present = { node: this.node, tabs: this.#tabs, store: this.#store };
    for (const { node, tabs, store } of [present, this.#successor ?? {}]) {
      node?.stop();
      tabs?.close();
      store?.close();
    }
    this.#successor = null;
    this.#release();
  }
}

/** The page's. (A timer would be kept waiting, for a second in a hidden tab.) */
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
