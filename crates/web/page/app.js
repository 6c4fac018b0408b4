// The page: a node of the mesh, and what it sees. Each view is a module; this one tells them when to look again.

import { Mesh } from "./meshwork.js";
import { showClocks } from "./clocks.js";
import { collection } from "./collection.js";
import { hearConnection, say, showConnection } from "./connection.js";
import { showDetail } from "./detail.js";
import { element } from "./dom.js";
import { openDoor } from "./door.js";
import { showGraph, travel } from "./graph.js";
import { note, showHappenings } from "./happenings.js";
import { beginInvite } from "./invite.js";
import { beginLog, showLog } from "./log.js";
import { authorOf, hearShown, meet, tell } from "./nodes.js";
import { beginPeople, showPeople } from "./people.js";
import { hearProgress } from "./progress.js";
import { beginState, showFigures, showHash, showState } from "./state.js";
import { drawing } from "./views.js";

/** How often what changes without an event, such as round trips, is looked at, in milliseconds. */
const REFRESH_MS = 1_000;
const TELL_MS = 3_000;
/** So many events of a kind are marked: marks are kept as long as the page is open. */
const MARKS_MAX = 500;

let mesh = null;
/** Asks every view to look again. */
let soon = () => {};
let cut = false;
/** Listeners hear of operations before there is a mesh to show. */
let flowing = [];

async function enter(options, place) {
  say("joining…");
  try {
    mesh = await Mesh.join({ ...options, on: { "*": hear } });
  } catch (error) {
    say("not in a mesh");
    // Of a log that turned out to be damaged.
    element("catching-up").hidden = true;
    throw error;
  }
  // What let us in has taken a while already: the page gets its turn.
  await new Promise((resolve) => setTimeout(resolve));
  // For whoever looks at it in the browser's console.
  globalThis.mesh = mesh;
  document.title = `${place.room} · meshwork`;
  element("inside").hidden = false;
  element("actions").hidden = false;
  begin(place);
}

const marked = new Map();

/** For the browser's profiler, and for tests. */
function mark(type) {
  const count = (marked.get(type) ?? 0) + 1;
  if (count > MARKS_MAX) return;
  marked.set(type, count);
  performance.mark(`meshwork ${type}`);
}

function hear(event) {
  mark(event.type);
  hearConnection(event);
  if (event.type.startsWith("ephemeral")) hearShown(event);
  if (event.type === "operation") flowing.push(event);
  if (event.type === "progress") hearProgress(event);
  // While cut off, that nobody is reached is no news.
  if (!(cut && /^(link|hub)-/.test(event.type))) note(event);
  soon();
}

function begin(place) {
  const app = mesh.document("app");
  let chosen = null;
  const choose = (operation) => {
    chosen = operation;
    soon();
  };
  const views = [
    showMesh,
    collection(app, "users", "user"),
    collection(app, "chats", "chat"),
    () => showState(mesh),
    () => showHash(mesh),
    () => showLog(mesh, chosen),
    () => showDetail(mesh, chosen, choose),
    () => showClocks(mesh, mesh.status()),
    showHappenings,
  ];
  soon = drawing(views);
  beginPeople(mesh, soon);
  beginLog(choose, soon);
  beginState(mesh, soon);
  beginInvite(mesh, place);
  beginCut();
  element("leave").addEventListener("click", leave);
  addEventListener("resize", soon);
  const timers = [setInterval(soon, REFRESH_MS), setInterval(() => tell(mesh, mesh.status()), TELL_MS)];
  mesh.on("link-up", () => tell(mesh, mesh.status()));
  mesh.on("left", () => {
    timers.forEach(clearInterval);
    soon = () => {};
  });
  soon();
}

function showMesh() {
  const status = mesh.status();
  meet([status.self, ...status.peers]);
  showConnection(status);
  showGraph(status);
  showPeople(status);
  showFigures(status);
  for (const { local, operations } of flowing.splice(0)) travel(status, local, authorOf(operations[0].replica));
}

function beginCut() {
  element("cut").addEventListener("click", () => {
    cut = !mesh.status().disconnected;
    note({ type: cut ? "cut-off" : "brought-back" });
    if (cut) mesh.disconnect();
    else mesh.reconnect();
    soon();
  });
}

async function leave() {
  element("leave").disabled = true;
  say("leaving…");
  await mesh.leave().catch((error) => alert(error.message));
  location.assign("/");
}

openDoor(enter);
