// What the tabs of one browser that have one store say to each other.

import { lock } from "./store.js";

/** Tabs of another version of the page, which may speak otherwise, do not hear each other. */
const PROTOCOL = 1;
/** How often to ask who writes, until somebody answers, in milliseconds. */
const ASK_MS = 500;

/**
 * One node's ear and mouth among the tabs of its store. The tab that writes is known to all; each that follows holds a
 * lock of its own, by which the writer notices that it is gone.
 */
export class Tabs {
  #name;
  #channel;
  #node = null;
  #session = null;
  #writes = false;
  #follows = false;
  /** Who writes, as far as this one follows. */
  #writer = null;
  #found = null;
  #asking;
  #watched = new Set();
  #closed = new AbortController();
  #release = () => {};

  constructor(name) {
    this.#name = name;
    this.#channel = new BroadcastChannel(`${name} ${PROTOCOL}`);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
  }

  /** Resolves with who writes the store, once there is such a tab. */
  findWriter() {
    const ask = () => this.#channel.postMessage({ type: "who" });
    this.#asking = setInterval(ask, ASK_MS);
    return new Promise((resolve) => {
      this.#found = resolve;
      ask();
    });
  }

  stopAsking() {
    clearInterval(this.#asking);
    this.#found = null;
  }

  /** `node` writes the store from now on, and says so. */
  write(node) {
    this.#node = node;
    this.#writes = true;
    this.#announce();
  }

  /** `node` follows the tab that writes: `writer`, or whoever says so. */
  async follow(node, writer) {
    this.#node = node;
    this.#writes = false;
    this.#session = JSON.parse(node.identity()).session;
    // Without it, this tab would be taken for gone.
    this.#release = await lock(`${this.#name}/${this.#session}`, this.#closed.signal);
    this.#follows = true;
    if (writer) this.#meet(writer);
    // There may be another one since.
    this.#channel.postMessage({ type: "who" });
  }

  close() {
    this.stopAsking();
    this.#closed.abort();
    this.#release();
    this.#channel.close();
  }

  // Called by the node.

  signal(to, text) {
    this.#channel.postMessage({ type: "signal", to, text });
  }

  held(tips) {
    this.#channel.postMessage({ type: "held", from: this.#session, tips });
  }

  #announce() {
    const identity = JSON.parse(this.#node.identity());
    this.#session = identity.session;
    this.#channel.postMessage({ type: "writer", ...identity });
  }

  #hear(said) {
    switch (said.type) {
      case "who":
        if (this.#writes) this.#announce();
        break;
      case "writer":
        this.#found?.(said);
        if (this.#follows) this.#meet(said);
        break;
      case "here":
        if (this.#writes) this.#came(said);
        break;
      case "signal":
        if (said.to === this.#session) this.#node.tabSignal(said.text);
        break;
      case "held":
        if (said.from === this.#writer?.session) this.#node.held(said.tips, false);
        break;
    }
  }

  #meet(writer) {
    const known = this.#writer;
    this.#writer = writer;
    this.#node.held(JSON.stringify(writer.held), true);
    if (known?.session === writer.session) return;
    if (known) this.#node.tabGone(known.session);
    const { node } = JSON.parse(this.#node.identity());
    this.#channel.postMessage({ type: "here", session: this.#session, node });
    this.#node.tabCame(writer.session, writer.node);
  }

  #came({ session, node }) {
    if (this.#watched.has(session)) return;
    this.#watched.add(session);
    this.#node.tabCame(session, node);
    const gone = (release) => {
      release();
      this.#watched.delete(session);
      this.#node.tabGone(session);
    };
    lock(`${this.#name}/${session}`, this.#closed.signal).then(gone, () => {});
  }
}
