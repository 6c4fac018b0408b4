// Storage that is taken away while it is in use.

import { openTab, serve, startBrowser, startHub, startNode, until } from "./mesh.mjs";
import { BARE, openBare, role } from "./tabs.mjs";

const ROOM = "E2E004";

/** The ways in which a site's data goes, by browser: each takes a tab and the name of its store. */
const removals = {
  chromium: {
    "a script deletes the database": deleteDatabase,
    "the site's data is cleared": async (tab) => {
      const client = await tab.page.createCDPSession();
      const origin = await tab.run(() => location.origin);
      await client.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });
      await client.detach();
    },
  },
  firefox: { "a script deletes the database": deleteDatabase },
};

function deleteDatabase(tab, store) {
  return tab.run(
    (store) =>
      new Promise((resolve, reject) => {
        const removed = indexedDB.deleteDatabase(store);
        Object.assign(removed, { onsuccess: resolve, onerror: () => reject(removed.error) });
      }),
    `meshwork/${store}`,
  ).then(() => {});
}

/** Resolves with the number of events of a type that the tab has heard. */
const heard = (tab, type) => () => tab.run((type) => performance.getEntriesByName(`meshwork ${type}`).length, type);

/** What a tab shows that has nothing but its store. */
async function stored(browser, site, store) {
  const tab = await openBare(browser, site, "alone", { storage: store });
  const json = await tab.json();
  await tab.run(() => globalThis.mesh.leave());
  await tab.page.close();
  return json;
}

/** Beside others, which lose nothing either. */
export async function clearedAmongOthers(kind, says) {
  const hub = await startHub();
  const native = await startNode("native", hub.address, ROOM);
  const browser = await startBrowser(kind);
  const one = await openTab(browser, "one", hub.address, ROOM);
  await until("it is linked", one.linked, ["native"]);
  let round = 0;
  for (const [way, remove] of Object.entries(removals[kind])) {
    says(`storage goes while it is open (${way}): the tab begins anew and loses nothing`);
    round += 1;
    await native.set(`native/${round}`, true);
    await one.run((round) => globalThis.mesh.document("app").set(`own/${round}`, true).confirmed({ count: 2 }), round);
    const { replica } = await one.run(() => globalThis.mesh.status());
    await remove(one, ROOM);
    // Made while nothing can be stored.
    await one.run((round) => globalThis.mesh.document("app").set(`late/${round}`, true).stored(), round);
    await until("it is told", heard(one, "storage-lost"), round);
    await until("a new incarnation writes", role(one), "writer");
    const now = await one.run(() => globalThis.mesh.status());
    if (now.replica === replica) throw new Error("the replica that lost its store goes on");
    await until("it is linked again", one.linked, ["native"]);
    await one.run((round) => globalThis.mesh.document("app").set(`after/${round}`, true).confirmed({ count: 2 }), round);
    await until("the native node has everything", native.json, await one.json());
  }
  const all = await one.json();
  await one.page.close();
  await until("it is gone", native.linked, []);
  const again = await openTab(browser, "again", hub.address, ROOM);
  await until("the store has everything", again.json, all, 0);
}

/** Nobody else has anything: all is in the tab's memory. */
export async function clearedAlone(kind, says) {
  const site = await serve(BARE);
  const browser = await startBrowser(kind);
  for (const [way, remove] of Object.entries(removals[kind])) {
    says(`storage goes while the only tab there is has it open (${way})`);
    const tab = await openBare(browser, site, "one", { storage: way });
    await tab.run(() => globalThis.mesh.document("app").set("before", 0).stored());
    await remove(tab, way);
    // At once, while the next node is on its way, and later.
    const count = await tab.run(async () => {
      const edits = [];
      for (let number = 1; number <= 100; number += 1) {
        edits.push(globalThis.mesh.document("app").increment("count").stored());
        if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await Promise.all(edits);
      return edits.length;
    });
    await until("it shows all", tab.json, { before: 0, count });
    await tab.run(() => globalThis.mesh.leave());
    await tab.page.close();
    const kept = JSON.stringify(await stored(browser, site, way));
    if (kept !== JSON.stringify({ before: 0, count })) throw new Error(`the store has ${kept}`);
  }
}

/** Without a hub and without others, but for the tabs of this browser. */
export async function clearedAmongTabs(kind, says) {
  const site = await serve(BARE);
  const browser = await startBrowser(kind);
  for (const [way, remove] of Object.entries(removals[kind])) {
    says(`storage goes while two tabs have it open, without a hub (${way})`);
    const one = await openBare(browser, site, "one");
    const two = await openBare(browser, site, "two");
    await one.set("one", 1);
    await two.run(() => globalThis.mesh.document("app").set("two", 2).stored());
    await remove(two, "shared");
    await two.run(() => globalThis.mesh.document("app").set("later", 3).stored());
    await one.run(() => globalThis.mesh.document("app").set("last", 4).stored());
    const all = { last: 4, later: 3, one: 1, two: 2 };
    for (const tab of [one, two]) await until(`tab ${tab.name} shows all`, tab.json, all);
    await until("the first still writes", role(one), "writer");
    await one.page.close();
    await until("the second writes", role(two), "writer");
    await until("nothing is lost", two.json, all);
    await two.run(() => globalThis.mesh.leave());
    await two.page.close();
    const kept = await stored(browser, site, "shared");
    if (JSON.stringify(kept) !== JSON.stringify(all)) throw new Error(`the store has ${JSON.stringify(kept)}`);
    await removeAll(browser, site);
  }
}

async function removeAll(browser, site) {
  const tab = await openBare(browser, site, "end", { storage: "other" });
  await deleteDatabase(tab, "shared");
  await tab.page.close();
}
