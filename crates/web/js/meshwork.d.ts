// The API of meshwork for browsers. docs/web.md shows how to begin.

/** Anything that JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Keys from the root downwards: `"users/ada/name"` (`~1` for a slash in a key, `~0` for `~`) or an array of keys. */
export type Path = string | string[];

export interface JoinOptions {
  /** The room on the hub: 6 characters of A-Z and 0-9. */
  room?: string;
  /** Where peers are found: `https://hub.example`. Without it, the origin of the page. */
  hub?: string | URL;
  /**
   * Several hubs that have the same room, in place of `hub`. None (`[]`): the stored space without a hub, or
   * else a new one, which the tabs of this browser share.
   */
  hubs?: (string | URL)[];
  /** The name that others see: at most 64 bytes. */
  name?: string;
  /** The room's password, if it has one. It is never sent anywhere. */
  password?: string;
  /** An invitation's link, in place of `hub`, `room` and `password`. */
  invitation?: string;
  /**
   * The name of the store in this browser, or `false` to keep nothing. Tabs that give the same one share it. Without it,
   * the room names the store.
   */
  storage?: string | false;
  /** On how many nodes an operation is stored when `confirmed()` resolves: 2. */
  confirmations?: number;
  /** STUN and TURN servers, as for `RTCPeerConnection`. */
  iceServers?: RTCIceServer[];
  /** How long to wait for a hub, the first time, in milliseconds: 30,000. */
  joinTimeoutMs?: number;
  /** Where the WebAssembly module lies, if not beside this script. */
  wasm?: string | URL | Request | Response | BufferSource | WebAssembly.Module;
  /** Listeners that miss nothing: they hear what happens before `join` resolves. */
  on?: { [Type in keyof MeshEvents]?: (event: MeshEvents[Type]) => void };
}

/** The id of an operation. */
export interface Operation {
  readonly replica: string;
  readonly sequence: number;
}

/** One transaction of this node. It is visible already. */
export interface Edit {
  readonly operation: Operation;
  /** Resolves when it is durable in this browser. Rejects with the code `retired` or `left` if it never will be. */
  stored(): Promise<void>;
  /** Resolves when it is durable on as many nodes as `confirmations` says, or as `count` says. */
  confirmed(options?: { count?: number }): Promise<void>;
}

/** One change of a transaction. */
export type Change =
  | { set: { path: Path; value: Json } }
  | { merge: { path: Path; value: Json } }
  | { delete: { path: Path } }
  | { increment: { path: Path; by: number } }
  | { add: { path: Path; value: Json } }
  | { remove: { path: Path; value: Json } };

/** What a subscriber is told: read the document to see what it shows now. */
export interface DocumentChange {
  document: string;
  operations: Operation[];
  /** All of it was done in this tab. */
  local: boolean;
}

/** A document: a tree of maps, values, counters and sets. Every call is one transaction, all or nothing. */
export interface MeshDocument {
  readonly name: string;
  /** Puts a value there in the place of what is there. An object becomes a map, whose keys merge one by one. */
  set(path: Path, value: Json): Edit;
  /** Sets what the object names and leaves the rest. */
  merge(path: Path, value: { [key: string]: Json }): Edit;
  /** Removes what is there, with all below it. */
  delete(path: Path): Edit;
  /** Counts up, or down when negative; concurrent increments add up. By 1 if nothing else is said. */
  increment(path: Path, by?: number): Edit;
  /** Adds a scalar to a set. */
  add(path: Path, value: null | boolean | number | string): Edit;
  /** Removes a scalar from a set. */
  remove(path: Path, value: null | boolean | number | string): Edit;
  /** Several changes in one transaction. */
  edit(changes: Change[]): Edit;
  /** What is shown at a path; `undefined` when nothing is. */
  get(path: Path): Json | undefined;
  /** The whole document. */
  json(): { [key: string]: Json };
  /** The first so many entries of what is shown at a path, and how many are left out: 100 unless told. */
  excerpt(path: Path, entries?: number): { value: Json; left: number } | undefined;
  /** Calls back after every change, from here or from others. Returns what ends it. */
  subscribe(callback: (change: DocumentChange) => void): () => void;
}

/** Another member. */
export interface Peer {
  /** This run of it. */
  session: string;
  /** Its key. */
  node: string;
  name: string;
  status: string;
  /** It cannot keep its heartbeat for now: a hidden tab. */
  away: boolean;
  /** There is a link straight to it. */
  linked: boolean;
  kind: "browser" | "native" | null;
  storage: "indexeddb" | "disk" | "memory" | null;
}

/** How it stands with a link to a peer. */
export interface Link {
  session: string;
  node: string | null;
  name: string | null;
  stage: "up" | "waiting" | "signalling" | "connecting" | "handshake";
  rttMs: number | null;
  queuedBytes: number;
  sentBytes: number;
  receivedBytes: number;
}

export interface Status {
  self: Peer;
  /**
   * This tab among those of this browser that have the same store: the `writer` writes it and is linked to others, a
   * `follower` is linked to the writer and takes its place when that is gone, a tab without a store is `alone`.
   */
  role: "writer" | "follower" | "alone";
  /** This browser can make links to others. Without, a tab is in step with the tabs of this browser only. */
  webrtc: boolean;
  /** The author of this node's operations. */
  replica: string;
  space: string;
  hubs: { url: string; joined: boolean }[];
  links: Link[];
  peers: Peer[];
  /** For each replica, the highest sequence held without a gap. */
  clock: { [replica: string]: number };
  /** Operations held. */
  operations: number;
  /** Operations that documents show. */
  shown: number;
  /** Operations known of: held, or said to be held by linked members. */
  known: number;
  /** Operations that wait for others, or to be stored. */
  pending: number;
  /** Cut off by `disconnect()`. */
  disconnected: boolean;
  /** Operations stored on enough nodes. */
  confirmed: number;
  /** Why the store takes no writes, while it does not. */
  storageStalled: string | null;
  sentBytes: number;
  receivedBytes: number;
}

/** One operation of the log, with what is known of it. */
export interface OperationEntry extends Operation {
  /** The node that signed it. */
  author: string;
  document: string;
  /** The newest operations of other replicas that its author had seen. The author's previous one is implied. */
  dependencies: Operation[];
  /** When, by its author's clock. */
  timeMs: number;
  bytes: number;
  /** What it says; `null` if that is long, or of a newer version. */
  changes: { kind: "set" | "map" | "delete" | "increment" | "add" | "remove"; path: string[]; value: Json }[] | null;
  /** On how many nodes it is known to be stored. */
  stored: number;
  confirmed: boolean;
}

export interface OperationDetail extends OperationEntry {
  hash: string;
  /** Its author's signature was checked again just now. */
  signed: boolean;
  /** The nodes that it is known to be stored on. */
  holders: string[];
}

/** Who holds how much of what one replica wrote. */
export interface Clock {
  replica: string;
  /** The node whose replica it is. */
  author: string;
  /** The highest sequence held here without a gap. */
  held: number;
  /** The highest that is durable here. */
  stored: number;
  /** The highest that is stored on enough nodes. */
  confirmed: number;
  /** When its last operation was made, by its author's clock. */
  timeMs: number;
  /** For each other node that keeps what it receives, the highest that it says to hold durably. */
  claims: { [node: string]: number };
}

export interface MeshEvents {
  "peer-joined": { peer: Peer; again: boolean };
  "peer-changed": { peer: Peer };
  "peer-left": { peer: Peer; gracefully: boolean };
  "link-up": { session: string; node: string; durable: boolean; connectMs: number };
  "link-down": { session: string; reason: string };
  "link-failed": { session: string; stage: string; reason: string; retryInMs: number | null };
  "links-full": { session: string };
  /** Operations became visible in a document. */
  operation: DocumentChange;
  /** All that a peer had is here, and all that we have is there. */
  synced: { session: string };
  /**
   * How many operations documents show of those known of: now and then while there are more, and once all are shown. None,
   * while a stored log is opened.
   */
  progress: { shown: number; known: number };
  /** This node's operations up to `upTo` are durable here. */
  stored: { replica: string; upTo: number };
  /** Operations `from` to `upTo` of a replica are stored on enough nodes. */
  confirmed: { replica: string; from: number; upTo: number };
  ephemeral: { session: string; key: string; value: Json };
  "ephemeral-gone": { session: string; key: string };
  "ephemeral-refused": { key: string; reason: string };
  "hub-joined": { hub: number; space: string };
  "hub-unreachable": { hub: number; reason: string; retryInMs: number };
  "hub-refused": { hub: number; reason: string };
  "storage-stalled": { reason: string };
  "storage-recovered": {};
  /** The browser or the user has removed what was stored: it is stored anew, under a new incarnation. */
  "storage-lost": { reason: string };
  /** Another node serves this tab from now on: it has become the writer, or a lost store is whole again. */
  role: { role: Status["role"] };
  /** This browser makes no links to others. */
  "webrtc-missing": { reason: string };
  "replica-retired": { replica: string; kept: number; reason: string };
  misbehaved: { session: string; reason: string; cut: boolean };
  "operation-invalid": { operation: Operation; author: string; reason: string };
  "operation-pending": { operation: Operation };
  "operations-waiting": { count: number; missing: Operation[] };
  "time-ahead": { operation: Operation; author: string; aheadMs: number };
  equivocation: { operation: Operation; author: string };
  left: {};
  /** All of them; the event's `type` says which. */
  "*": { type: string };
}

/**
 * Why a call failed.
 *
 * - `usage`: an option or argument that makes no sense
 * - `edit-refused`: the document does not allow it; nothing changed
 * - `busy`: too many edits wait to be stored
 * - `hub-unreachable`, `hub-refused`: not let in, the first time
 * - `storage-in-use`: another tab has this store open and does not answer
 * - `storage-unavailable`, `storage-unusable`, `storage-newer`, `storage-stalled`
 * - `other-space`: the store belongs to another space or password
 * - `retired`: the operation does not stand under this id
 * - `not-joined`, `left`
 */
export interface MeshError extends Error {
  code: string;
}

/** A node in this tab. */
export class Mesh {
  private constructor();
  /** Becomes a member: the first time with a hub, later at once from what is stored, even offline. */
  static join(options?: JoinOptions): Promise<Mesh>;
  /** A document, which exists by being named. */
  document(name: string): MeshDocument;
  /** The names of all documents that somebody has written to. */
  documents(): string[];
  /** Listens. Returns what ends it. */
  on<Type extends keyof MeshEvents>(type: Type, listener: (event: MeshEvents[Type]) => void): () => void;
  status(): Status;
  /** One hash of all documents: equal on nodes that hold the same operations. */
  stateHash(): string;
  /** Shows a status to the others. */
  setStatus(status: string): void;
  /** Shows the others a value for a while (a cursor, typing). It is not stored. */
  show(key: string, value: Json, ttlMs?: number): void;
  /** Shows it no longer. */
  hide(key: string): void;
  /** Compares versions with every linked peer now. */
  sync(): void;
  /** The last operations, the last first: 100 unless told, of one node or in one document if told. */
  operations(wanted?: { count?: number; author?: string; document?: string }): OperationEntry[];
  /** One operation; `undefined` when it is not here. */
  operation(operation: Operation): OperationDetail | undefined;
  /** For each replica, who holds how much of it. */
  clocks(): Clock[];
  /** Cuts this tab off from hubs and peers, as a network that fails would: what is edited stays here. */
  disconnect(): void;
  /** Goes back to hubs and peers. */
  reconnect(): void;
  /** A link that lets others into this space. It holds the secret: give it to those who may come in. */
  invitation(hub: string | URL, room: string): string;
  /** Stores everything, says goodbye, frees the store. A page that is closed does so by itself, as far as time allows. */
  leave(): Promise<void>;
}
