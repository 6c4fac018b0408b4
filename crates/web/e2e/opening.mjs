// A stored log is opened in slices: what may happen between them.

import { serve, startBrowser, until } from "./mesh.mjs";
import { BARE, openBare, role } from "./tabs.mjs";
import { refuseLong, traced } from "./tasks.mjs";

const STORE = "shared";
/** Enough for some slices. */
const OPERATIONS = 20_000;
const ROWS = 8_000;

/** A page that joins when it is asked to. */
async function openPage(browser, site) {
  const page = await browser.newPage();
  await page.goto(site);
  await until("the script has run", () => page.evaluate(() => Boolean(globalThis.Mesh)), true);
  return page;
}

/** Joins, and runs `amid` when some of the log is open; resolves with what becomes of it. */
const join = (page, amid) =>
  page.evaluate(
    (storage, amid) => {
      globalThis.outcome = null;
      let once = false;
      const on = {
        progress: ({ shown }) => {
          if (shown === 0 && !once) (0, eval)(amid);
          once = true;
        },
      };
      const joined = globalThis.Mesh.join({ hubs: [], storage, on });
      joined.then(() => (globalThis.outcome = once ? "joined" : "joined at once"), ({ code }) => (globalThis.outcome = code));
    },
    STORE,
    amid,
  );

const outcome = (page) => () => page.evaluate(() => globalThis.outcome);

/** Changes a byte in the middle of the first stored block, or changes it back. */
const damage = (page) =>
  page.evaluate(async (store) => {
    const finished = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const database = await finished(indexedDB.open(`meshwork/${store}`));
    const transaction = database.transaction("blocks", "readwrite");
    const blocks = transaction.objectStore("blocks");
    const [[key], [block]] = [await finished(blocks.getAllKeys(null, 1)), await finished(blocks.getAll(null, 1))];
    block[block.length >> 1] ^= 1;
    blocks.put(block, key);
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
  }, STORE);

export async function whileOpening(kind, says) {
  const site = await serve(BARE);
  const browser = await startBrowser(kind);
  const writer = await openBare(browser, site, "writer", { storage: STORE });
  await writer.run(async (count) => {
    const app = globalThis.mesh.document("app");
    for (let number = 0; number < count; number += 1) app.increment("count");
    await globalThis.mesh.leave();
  }, OPERATIONS);
  await writer.page.close();

  says("a page goes away while its log is opened: it does not join, and its store is free");
  const page = await openPage(browser, site);
  await join(page, "dispatchEvent(new Event('pagehide'))");
  await until("it has left", outcome(page), "left");
  await join(page, "");
  await until("the next one joins", outcome(page), "joined");
  await page.close();

  says("a tab is closed while it opens the log: one that waits for it takes over");
  const slow = await openPage(browser, site);
  // Its next turn never comes.
  await join(slow, "MessageChannel = function () { return { port1: {}, port2: { postMessage() { globalThis.outcome = 'stuck'; } } }; }");
  await until("it is at it", outcome(slow), "stuck");
  const next = await openPage(browser, site);
  await join(next, "globalThis.seen = true");
  await slow.close();
  await until("the other one joins", outcome(next), "joined");
  await next.close();

  says("a damaged log is refused as it is when it is opened at once, and nothing is lost by that");
  const broken = await openPage(browser, site);
  await damage(broken);
  for (const time of ["first", "second"]) {
    await join(broken, "");
    await until(`it is refused, the ${time} time`, outcome(broken), "storage-unusable");
  }
  await damage(broken);
  await broken.close();
  const whole = await openBare(browser, site, "whole", { storage: STORE });
  await until("it shows all", whole.json, { count: OPERATIONS });
  await until("it writes", role(whole), "writer");
}

/** What was stored edit by edit becomes full blocks, and that is written back. */
export async function mergeRows(kind, says) {
  says(`${ROWS.toLocaleString("en")} edits, each stored by itself, are merged when the log is opened: no task is long (of Firefox nobody knows)`);
  const site = await serve(BARE);
  const browser = await startBrowser(kind);
  const rows = (tab) => () =>
    tab.run(async (store) => {
      const finished = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
      const database = await finished(indexedDB.open(`meshwork/${store}`));
      const count = await finished(database.transaction("blocks").objectStore("blocks").count());
      database.close();
      return count;
    }, STORE);
  const writer = await openBare(browser, site, "writer", { storage: STORE });
  await writer.run(async (count) => {
    // By its clock the node has time to write down each of them.
    const now = performance.now.bind(performance);
    let ahead = 0;
    performance.now = () => now() + ahead;
    const app = globalThis.mesh.document("app");
    for (let number = 0; number < count; number += 1) {
      app.increment("count");
      ahead += 10;
    }
    await app.set("last", true).stored();
  }, ROWS);
  await until("each has its row", rows(writer), ROWS + 1);
  await writer.page.close();
  const trace = await traced(browser, kind);
  const again = await openBare(browser, site, "again", { storage: STORE });
  // Behind all that is written before.
  await again.run(() => globalThis.mesh.document("app").set("again", true).stored());
  refuseLong(await trace());
  await until("it shows all", again.json, { again: true, count: ROWS, last: true });
  await until("few rows are left", async () => (await rows(again)()) < 20, true);
}
