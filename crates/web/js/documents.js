// Documents and the edits that are made of them.

/** What waits for a sequence of a replica to be reached. Sequences grow, so the first that waits is looked at alone. */
export class Waiting {
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
export class Edit {
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
export class MeshDocument {
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
export function plain(value) {
  return value === undefined ? null : value;
}
