// The demo page: a node of the mesh, and what it sees.

import { Mesh } from "./meshwork.js";

const LOG_LINES_MAX = 100;
const REFRESH_MS = 1_000;

const element = (id) => document.getElementById(id);
const short = (id) => id.slice(0, 6);

/** A new element with text or children; nothing that others wrote is ever read as HTML. */
function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function drawn(tag, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

let mesh = null;
let app = null;

// Joining.

const door = element("door");
const parameters = new URLSearchParams(location.search);
const invited = location.pathname.match(/\/join\/([0-9A-Za-z]{6})$/)?.[1];
const invitation = invited && location.hash ? location.href : undefined;
door.elements.name.value = parameters.get("name") ?? localStorage.getItem("meshwork name") ?? "";
door.elements.room.value = invited ?? parameters.get("room") ?? localStorage.getItem("meshwork room") ?? "";
if (invitation) {
  door.elements.room.readOnly = true;
  door.elements.password.parentElement.hidden = true;
}

door.addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, room, password } = Object.fromEntries(new FormData(door));
  enter({ name: name.trim(), room: room.toUpperCase(), password: password || undefined });
});
// Somebody who was here is let in at once.
if (parameters.has("name") && parameters.has("room")) door.requestSubmit();

async function enter({ name, room, password }) {
  element("refusal").hidden = true;
  door.querySelector("button").disabled = true;
  say("joining…");
  const place = invitation ? { invitation } : { hub: location.origin, room, password };
  try {
    mesh = await Mesh.join({ ...place, name, on: { "*": note } });
  } catch (error) {
    element("refusal").textContent = error.message;
    element("refusal").hidden = false;
    door.querySelector("button").disabled = false;
    return say("not in a mesh");
  }
  localStorage.setItem("meshwork name", name);
  localStorage.setItem("meshwork room", room);
  // For whoever looks at it in the browser's console.
  globalThis.mesh = mesh;
  app = mesh.document("app");
  app.subscribe(soon);
  door.hidden = true;
  element("inside").hidden = false;
  show();
  const refresh = setInterval(show, REFRESH_MS);
  mesh.on("left", () => clearInterval(refresh));
}

// What happens.

const STORIES = {
  "peer-joined": ({ peer }) => `${peer.name} joined`,
  "peer-left": ({ peer, gracefully }) => `${peer.name} ${gracefully ? "left" : "has fallen silent"}`,
  "link-up": ({ connectMs }) => `a link is up after ${connectMs.toFixed(0)} ms`,
  "link-down": ({ reason }) => `a link is down: ${reason}`,
  "link-failed": ({ stage, reason }) => `no link, at ${stage}: ${reason}`,
  "hub-joined": () => "in the hub's room",
  "hub-unreachable": ({ reason }) => `without the hub: ${reason}`,
  "hub-refused": ({ reason }) => `the hub refuses: ${reason}`,
  operation: ({ operations: [first, ...more], local }) =>
    `${local ? "own" : "received"} operation ${short(first.replica)}:${first.sequence}` +
    (more.length ? ` and ${more.length} more` : ""),
  confirmed: ({ replica, upTo }) => `confirmed up to ${short(replica)}:${upTo}`,
  synced: () => "in step with a peer",
  "storage-stalled": ({ reason }) => `storage: ${reason}`,
  "replica-retired": ({ reason }) => `a new incarnation begins: ${reason}`,
  misbehaved: ({ reason }) => `a peer breaks the rules: ${reason}`,
};

function note(event) {
  // For the browser's profiler, and for tests.
  performance.mark(`meshwork ${event.type}`);
  const story = STORIES[event.type]?.(event);
  if (!story) return;
  stories.push(`${new Date().toLocaleTimeString()} `, story);
  flowing ||= event.type === "operation";
  soon();
}

/** At most once a frame, however much happens. */
let due = false;
let flowing = false;
const stories = [];
function soon() {
  if (due || !mesh) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    if (flowing) flow();
    flowing = false;
    show();
  });
}

function showStories() {
  const log = element("log");
  // Of very many, the last.
  const told = stories.splice(0).slice(-2 * LOG_LINES_MAX);
  for (let at = 0; at < told.length; at += 2) {
    log.prepend(make("li", {}, make("span", { className: "when" }, told[at]), told[at + 1]));
  }
  while (log.childElementCount > LOG_LINES_MAX) log.lastChild.remove();
}

// What is shown.

function say(text, good = false) {
  element("connection").textContent = text;
  element("connection").classList.toggle("good", good);
}

function show() {
  const status = mesh.status();
  const links = new Map(status.links.map((link) => [link.session, link]));
  showConnection(status);
  showPeers(status, links);
  showGraph(status, links);
  showUsers();
  element("json").textContent = JSON.stringify(app.json(), null, 2);
  element("hash").textContent = `state ${short(mesh.stateHash())}`;
  showFigures(status);
  showStories();
}

function showConnection({ hubs, peers, links }) {
  const up = links.filter((link) => link.stage === "up").length;
  const others = peers.length === 1 ? "1 other" : `${peers.length} others`;
  const trying = links.find((link) => link.stage !== "up");
  const hub = hubs.some(({ joined }) => joined) ? "" : ", without the hub";
  const state = !peers.length && trying ? `linking: ${trying.stage}` : `${others}, ${up} linked`;
  say(state + hub, up > 0);
}

function showPeers({ peers }, links) {
  const rows = peers.map((peer) => {
    const link = links.get(peer.session);
    const rtt = link?.rttMs ? `${link.rttMs.toFixed(1)} ms` : (link?.stage ?? "by others");
    return make(
      "li",
      {},
      make("span", { className: "name" }, peer.name, peer.status ? ` · ${peer.status}` : ""),
      make("span", { className: "fact" }, [peer.kind, peer.away && "away", rtt].filter(Boolean).join(" · ")),
    );
  });
  element("peers").replaceChildren(...rows);
}

function showGraph({ self, peers }, links) {
  const [width, height] = [640, 260];
  const [x, y] = [width / 2, height / 2 - 8];
  const place = (at) => {
    const angle = (2 * Math.PI * at) / peers.length - Math.PI / 2 + Math.PI / 6;
    return [x + 240 * Math.cos(angle), y + 84 * Math.sin(angle)];
  };
  const graph = element("graph");
  const flowing = new Set([...graph.querySelectorAll(".flows")].map((line) => line.dataset.session));
  graph.replaceChildren();
  peers.forEach((peer, at) => {
    const [px, py] = place(at);
    const link = links.get(peer.session);
    const up = link?.stage === "up";
    const line = drawn("line", { x1: x, y1: y, x2: px, y2: py, class: up ? "up" : "" });
    line.dataset.session = peer.session;
    line.classList.toggle("flows", flowing.has(peer.session));
    graph.append(line);
    if (up && link.rttMs) {
      graph.append(drawn("text", { x: (x + px) / 2, y: (y + py) / 2 - 5, class: "rtt" }, `${link.rttMs.toFixed(1)} ms`));
    }
  });
  const node = (px, py, name, kind) => {
    const group = drawn("g", { class: kind });
    group.append(drawn("circle", { cx: px, cy: py, r: 13 }), drawn("text", { x: px, y: py + 31 }, name));
    graph.append(group);
  };
  peers.forEach((peer, at) => node(...place(at), peer.name, `${peer.kind ?? ""} ${peer.away ? "away" : ""}`));
  node(x, y, `${self.name} (you)`, "self");
}

/** Operations flow: the links light up. */
function flow() {
  for (const line of element("graph").querySelectorAll("line.up")) {
    line.classList.remove("flows");
    // A style that was read ends the animation before, so that the next one begins.
    line.getBoundingClientRect();
    line.classList.add("flows");
    line.addEventListener("animationend", () => line.classList.remove("flows"), { once: true });
  }
}

function showUsers() {
  const users = Object.entries(app.get("users") ?? {});
  const rows = users.map(([id, user]) => {
    const remove = make("button", { className: "plain", title: "Delete" }, "delete");
    remove.addEventListener("click", () => app.delete(["users", id]));
    const rename = make("button", { className: "plain", title: "Rename" }, "rename");
    rename.addEventListener("click", () => {
      const name = prompt("A new name", user?.name ?? "")?.trim();
      if (name) app.set(["users", id, "name"], name);
    });
    return make("li", {}, make("span", { className: "name" }, String(user?.name ?? id)), rename, remove);
  });
  element("users").replaceChildren(...rows);
  element("no-users").hidden = users.length > 0;
}

element("add-user").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = event.target.elements.user.value.trim();
  if (!name) return;
  const id = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  app.set(["users", id, "name"], name);
  event.target.reset();
});

function showFigures(status) {
  const figures = {
    "operations held": status.operations,
    "stored on enough nodes": status.confirmed,
    "waiting": status.pending,
    "replicas": Object.keys(status.clock).length,
    "sent": `${(status.sentBytes / 1024).toFixed(1)} KiB`,
    "received": `${(status.receivedBytes / 1024).toFixed(1)} KiB`,
    ...(status.storageStalled ? { storage: status.storageStalled } : {}),
  };
  const rows = Object.entries(figures).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]);
  element("figures").replaceChildren(...rows);
}
