// A fresh tab among others that have written very much: it goes on answering while it catches up, and shows how far it is.

import { openTab, startBrowser, startHub, startNode, until } from "./mesh.mjs";
import { refuseLong, tasksOf, traced } from "./tasks.mjs";

const ROOM = "E2E003";
const OPERATIONS = 100_000;
const PATIENCE_MS = 60_000;

/** Begins with the page: what happens between the tasks in which operations come in. */
function watch() {
  const seen = { turns: 0, edited: null, bars: [], long: [] };
  globalThis.seen = seen;
  if (PerformanceObserver.supportedEntryTypes.includes("longtask")) {
    const note = (list) => list.getEntries().forEach(({ duration }) => seen.long.push(duration));
    new PerformanceObserver(note).observe({ type: "longtask" });
  }
  let before = performance.now();
  seen.gap = 0;
  const look = () => {
    const bar = document.querySelector("#catching-up:not([hidden]) progress");
    if (bar && seen.bars.at(-1) !== bar.value) seen.bars.push(bar.value);
    const status = globalThis.mesh?.status();
    if (status && status.shown < status.known) {
      seen.turns += 1;
      if (seen.edited === null) edit(globalThis.mesh.document("app"));
    }
    seen.gap = Math.max(seen.gap, performance.now() - before);
    before = performance.now();
    turn.port2.postMessage(null);
  };
  // The same kind of task as the node's own. (Firefox lets timers wait while there is anything else to do.)
  const turn = new MessageChannel();
  turn.port1.onmessage = look;
  /** It is visible at once, whatever comes in. */
  const edit = (app) => {
    const before = globalThis.mesh.status();
    app.set("edited", true);
    const after = globalThis.mesh.status();
    seen.edited = app.get("edited") === true && after.shown === before.shown + 1 && after.shown < after.known;
  };
  look();
}

/** Somebody writes them, and the native node stores them. Returns the author's tab, which draws nothing. */
async function written(browser, hub, native) {
  const page = await browser.newPage();
  await page.goto(hub);
  await page.evaluate(
    async (hub, room, count) => {
      const { Mesh } = await import("/page/meshwork.js");
      globalThis.mesh = await Mesh.join({ hub, room, name: "author", storage: false });
      const app = globalThis.mesh.document("app");
      for (let number = 0; number < count; number += 1) {
        app.set(["users", String(number), "name"], `user number ${number}`);
        if (number % 1_000 === 999) await new Promise((resolve) => setTimeout(resolve));
      }
    },
    hub,
    ROOM,
    OPERATIONS,
  );
  await until("the native node holds them", native.operations, OPERATIONS, PATIENCE_MS);
  await page.evaluate(() => globalThis.mesh.disconnect());
  return page;
}

const shown = (tab) => () => tab.run(() => globalThis.mesh.status().shown);

export async function catchUp(kind, says) {
  const count = OPERATIONS.toLocaleString("en");
  says(`${count} operations come to a fresh tab: no task is long (of Firefox nobody knows), and it shows how far it is`);
  const hub = await startHub();
  const native = await startNode("native", hub.address, ROOM);
  const browser = await startBrowser(kind);
  const author = await written(browser, hub.address, native);
  const arrival = await traced(browser, kind);
  const tab = await openTab(browser, "fresh", hub.address, ROOM, watch);
  await until("all are shown", shown(tab), OPERATIONS + 1, PATIENCE_MS);
  refuseLong(await arrival());
  await until("the bar is gone", () => tab.page.$eval("#catching-up", ({ hidden }) => hidden), true);
  const seen = await tab.run(() => globalThis.seen);
  const growing = seen.bars.every((value, at) => at === 0 || value > seen.bars[at - 1]);
  const story = `${seen.turns} turns, bar at ${seen.bars}`;
  if (seen.turns < 10) throw new Error(`the page had no turn: ${story}`);
  if (seen.bars.length < 5 || !growing) throw new Error(`the bar does not tell: ${story}`);
  if (seen.edited !== true) throw new Error("an edit had to wait for what came in");
  await author.evaluate(() => globalThis.mesh.reconnect());
  await until("the author has the edit", () => author.evaluate(() => globalThis.mesh.document("app").get("edited") ?? null), true);
  const hash = await author.evaluate(() => globalThis.mesh.stateHash());
  await until("both have one state hash", tab.hash, hash);
  await author.close();

  says("it is opened again, with all of them in its store: no task is long (of Firefox nobody knows)");
  await until("all are stored", () => tab.run(() => globalThis.mesh.status().pending), 0, PATIENCE_MS);
  await tab.page.close();
  const trace = await traced(browser, kind);
  const again = await openTab(browser, "fresh", hub.address, ROOM, watch);
  await until("all are shown again", shown(again), OPERATIONS + 1, PATIENCE_MS);
  refuseLong(await trace());
  await until("the state hash is the same", again.hash, hash);
}

/** How long it takes, and the longest tasks meanwhile: by the clock, and of the processor's time. */
export async function measureCatchUp(kind, says) {
  const hub = await startHub();
  const native = await startNode("native", hub.address, ROOM);
  const browser = await startBrowser(kind);
  const author = await written(browser, hub.address, native);
  await author.close();
  for (const what of ["come to a fresh tab", "are opened"]) {
    const trace = await traced(browser, kind);
    const tab = await openTab(browser, "fresh", hub.address, ROOM, watch);
    await until("all are shown", shown(tab), OPERATIONS + 1, PATIENCE_MS);
    const ms = await tab.run(() => {
      const at = (name) => performance.getEntriesByName(`meshwork ${name}`);
      return at("progress").at(-1)?.startTime ?? at("ready")[0].startTime;
    });
    const seen = await tab.run(() => globalThis.seen);
    const tasks = tasksOf(await trace()).slice(0, 3).map((ms) => ms.toFixed(0)).join(", ");
    const long = seen.long.map((ms) => ms.toFixed(0)).join(", ") || "none";
    const told = kind === "chromium" ? `; tasks over 50 ms: ${long}; longest by processor time: ${tasks} ms` : "";
    says(`${OPERATIONS} operations ${what}: ${ms.toFixed(0)} ms after the page; longest gap ${seen.gap.toFixed(0)} ms${told}`);
    await until("all are stored", () => tab.run(() => globalThis.mesh.status().pending), 0, PATIENCE_MS);
    await tab.page.close();
  }
}
