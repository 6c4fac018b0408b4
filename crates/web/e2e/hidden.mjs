// Tabs that are hidden, and slowed down by their browser, stay members.

import { openTab, startBrowser, startHub, startNode, until } from "./mesh.mjs";

const ROOM = "E2E005";
const HIDDEN_MS = 120_000;

/** Two tabs of one store and, in front of them, one that watches. */
async function household(kind, hub) {
  const browser = await startBrowser(kind, { throttling: true });
  const writer = await openTab(browser, `${kind}-writer`, hub, ROOM);
  const follower = await openTab(browser, `${kind}-follower`, hub, ROOM);
  const page = await browser.newPage();
  await page.goto(hub);
  await page.evaluate(
    async (options) => {
      const { Mesh } = await import("/page/meshwork.js");
      globalThis.missed = [];
      globalThis.mesh = await Mesh.join(options);
      const miss = (what) => ({ peer, session, reason }) => globalThis.missed.push(`${what} ${peer?.name ?? session} ${reason ?? ""}`);
      globalThis.watch = () => {
        globalThis.mesh.on("peer-left", miss("lost"));
        globalThis.mesh.on("link-down", miss("no link to"));
      };
    },
    { hub, room: ROOM, name: `${kind}-watcher`, storage: false },
  );
  await page.bringToFront();
  for (const { name, run } of [writer, follower]) {
    await until(`${name} is hidden`, () => run(() => document.hidden), true);
    // So that the test shows something: timers are late.
    await run(() => {
      globalThis.ticks = 0;
      setInterval(() => (globalThis.ticks += 1), 100);
    });
  }
  return { kind, tabs: [writer, follower], page };
}

export async function hidden(kinds, says) {
  says(`hidden tabs of ${kinds.join(" and ")}, throttled for ${HIDDEN_MS / 1000} s, stay members`);
  const hub = await startHub();
  const native = await startNode("native", hub.address, ROOM);
  const households = [];
  for (const kind of kinds) households.push(await household(kind, hub.address));
  const tabs = households.flatMap(({ tabs }) => tabs);
  const names = [...kinds.flatMap((kind) => [`${kind}-follower`, `${kind}-watcher`, `${kind}-writer`]), "native"].sort();
  const members = (page) => async () => {
    const { self, peers } = await page.evaluate(() => globalThis.mesh.status());
    return [self, ...peers].map(({ name }) => name).sort();
  };
  for (const { kind, page } of households) await until(`${kind}'s watcher knows all`, members(page), names);
  const links = names.filter((name) => name !== "native" && !name.endsWith("follower"));
  await until("the native node is linked to all that write", native.linked, links);
  for (const { page } of households) await page.evaluate(() => globalThis.watch());

  await new Promise((resolve) => setTimeout(resolve, HIDDEN_MS));
  for (const { kind, tabs, page } of households) {
    const missed = await page.evaluate(() => globalThis.missed);
    if (missed.length) throw new Error(`${kind}'s watcher: ${missed.join("; ")}`);
    for (const { name, run } of tabs) {
      const ticks = await run(() => globalThis.ticks);
      if (ticks > HIDDEN_MS / 500) throw new Error(`${name} was not throttled: ${ticks} ticks`);
      says(`  ${name}: ${ticks} ticks of ${HIDDEN_MS / 100}`);
    }
    await until(`${kind}'s watcher knows all`, members(page), names, 0);
  }
  // They still hear, and are heard.
  await native.set("from/native", true);
  for (const tab of tabs) {
    const { name } = tab;
    await until(`${name} hears`, () => tab.run(() => globalThis.mesh.document("app").get("from/native") ?? false), true, 5_000);
    await tab.set(`from/${name}`, true);
  }
  const all = ["native", ...tabs.map(({ name }) => name)].sort();
  await until("the native node has heard all", async () => Object.keys((await native.json()).from), all, 5_000);
}
