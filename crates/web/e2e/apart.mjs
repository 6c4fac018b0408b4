// Both sides edit while they are apart.

import { openTab, startBrowser, startHub, startNode, until } from "./mesh.mjs";

const ROOM = "E2E006";

export async function apart(kinds, says) {
  says("offline edits on two sides, then together again: both sides have everything");
  const hub = await startHub();
  const native = await startNode("native", hub.address, ROOM);
  const [first, second] = [await startBrowser(kinds[0]), await startBrowser(kinds[1])];
  const ada = await openTab(first, "ada", hub.address, ROOM);
  const bob = await openTab(second, "bob", hub.address, ROOM);
  const tabs = [ada, bob];
  for (const tab of tabs) await until(`${tab.name} is linked to both`, async () => (await tab.linked()).length, 2);
  await ada.set("both", { of: "ada" });
  for (const one of [...tabs, native]) await until(`${one.name} has the beginning`, one.json, { both: { of: "ada" } });

  for (const tab of tabs) {
    await tab.run(() => globalThis.mesh.disconnect());
    await until(`${tab.name} is cut off`, tab.linked, []);
  }
  for (const tab of tabs) {
    await tab.run(async (name) => {
      const app = globalThis.mesh.document("app");
      for (let number = 0; number < 50; number += 1) app.set(`by/${name}/${number}`, number);
      app.increment("count", 50);
      app.set("both/last", name);
      app.delete("both/of");
      await app.add("names", name).stored();
    }, tab.name);
  }
  await native.set("by/native", true);
  const apart = await Promise.all(tabs.map((tab) => tab.run(() => globalThis.mesh.document("app").get("count"))));
  if (apart.join() !== "50,50") throw new Error(`apart, they count ${apart}`);

  for (const tab of tabs) await tab.run(() => globalThis.mesh.reconnect());
  for (const tab of tabs) await until(`${tab.name} is linked again`, async () => (await tab.linked()).length, 2);
  await until("both have counted both", async () => Promise.all(tabs.map(async (tab) => (await tab.json()).count)), [100, 100]);
  await until("both have the same state", async () => new Set([await ada.hash(), await bob.hash()]).size, 1);
  const all = await ada.json();
  await until("the native node has it, too", native.json, all);
  const { both, by, names } = all;
  const entries = [Object.keys(by), Object.keys(by.ada).length, Object.keys(by.bob).length, names, Object.keys(both)];
  const expected = [["ada", "bob", "native"], 50, 50, ["ada", "bob"], ["last"]];
  if (JSON.stringify(entries) !== JSON.stringify(expected)) throw new Error(`together: ${JSON.stringify(entries)}`);
}
