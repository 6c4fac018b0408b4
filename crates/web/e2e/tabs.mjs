// Tabs of one browser that have one store: one writes it, the others follow, and nothing is lost when it moves.

import { asTab, directory, openTab, serve, startBrowser, startHub, startNode, until } from "./mesh.mjs";

const ROOM = "E2E003";
export const BARE = `<!doctype html><script type="module">
  import { Mesh } from "./meshwork/meshwork.js";
  globalThis.Mesh = Mesh;
</script>`;

/** Nobody is told that the page goes away: as if it were killed. */
function killable() {
  const listen = globalThis.addEventListener;
  globalThis.addEventListener = (type, ...rest) => type === "pagehide" || listen(type, ...rest);
}

/** A page of no hub, with a node in it. */
export async function openBare(browser, site, name, options, before) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(`    ${name}: ${error.message}`));
  if (before) await page.evaluateOnNewDocument(before);
  await page.goto(site);
  await until("the script has run", () => page.evaluate(() => Boolean(globalThis.Mesh)), true);
  await page.evaluate(
    async (options) => {
      globalThis.heard = [];
      const on = { "*": (event) => globalThis.heard.push(event) };
      globalThis.mesh = await globalThis.Mesh.join({ ...options, on });
    },
    { hubs: [], storage: "shared", name, ...options },
  );
  return asTab(name, page);
}

export const role = (tab) => () => tab.run(() => globalThis.mesh.status().role);
const sees = (tab, path) => () => tab.run((path) => globalThis.mesh.document("app").get(path) ?? null, path);

/** No hub, no server but the one that the page came from. */
export async function withoutHub(kind, says) {
  says("tabs of one browser find each other without a hub: one writes, the others follow");
  const site = await serve(BARE);
  const browser = await startBrowser(kind);
  const one = await openBare(browser, site, "one", {}, killable);
  await one.set("from/one", 1);
  const two = await openBare(browser, site, "two");
  await until("the second tab has it when it has joined", sees(two, "from/one"), 1, 0);
  const three = await openBare(browser, site, "three");
  await until("the first tab writes", role(one), "writer");
  for (const tab of [two, three]) await until(`tab ${tab.name} follows`, role(tab), "follower");
  await until("the first sees both", one.members, ["three", "two"]);
  await until("the second sees both", two.members, ["one", "three"]);
  await two.run(() => globalThis.mesh.document("app").set("from/two", 2).stored());
  await three.set("from/three", 3);
  const all = { from: { one: 1, three: 3, two: 2 } };
  for (const tab of [one, two, three]) await until(`tab ${tab.name} shows all`, tab.json, all);

  says("the tab that writes is killed amid edits: another one writes, and every edit is stored");
  // A tab that is not in front may be late with its timers.
  await two.page.bringToFront();
  const counting = two.run(async () => {
    const edits = [];
    for (const end = Date.now() + 4_000; Date.now() < end; ) {
      edits.push(globalThis.mesh.document("app").increment("count").stored());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await Promise.all(edits);
    return edits.length;
  });
  await until("it is counting", async () => (await sees(three, "count")()) > 10, true);
  await one.run(() => globalThis.mesh.document("app").set("from/one", "last").stored());
  await one.page.close();
  const roles = async () => [await role(two)(), await role(three)()].sort();
  await until("one of the others writes", roles, ["follower", "writer"], 10_000);
  const count = await counting;
  for (const tab of [two, three]) {
    await until(`tab ${tab.name} has counted all`, sees(tab, "count"), count);
    await until(`tab ${tab.name} has the last edit`, sees(tab, "from/one"), "last");
  }

  says("all tabs are closed, one leaves: what was stored is there when one is opened again");
  const leaving = (await role(two)()) === "follower" ? [two, three] : [three, two];
  await leaving[0].set("from/leaving", true);
  await leaving[0].run(() => globalThis.mesh.leave());
  await leaving[0].page.close();
  const kept = await leaving[1].json();
  await until("what the one that left has done", sees(leaving[1], "from/leaving"), true);
  await leaving[1].page.close();
  const again = await openBare(browser, site, "again");
  await until("it shows everything", again.json, { ...kept, from: { ...kept.from, leaving: true } });
  await until("it writes", role(again), "writer");
}

/** What a tab that follows was told to be stored is in the store: the whole browser is killed. */
export async function killed(kind, says) {
  says("the browser is killed: what was stored by the word of a tab that follows is there when it starts again");
  const site = await serve(BARE);
  const profile = await directory();
  const browser = await startBrowser(kind, { profile });
  const one = await openBare(browser, site, "one");
  const two = await openBare(browser, site, "two");
  await one.set("from/one", 1);
  await two.run(async () => {
    for (let number = 1; number <= 20; number += 1) await globalThis.mesh.document("app").increment("count").stored();
  });
  await until("it follows", role(two), "follower");
  const process = browser.process();
  const ended = new Promise((resolve) => process.once("exit", resolve));
  process.kill("SIGKILL");
  await ended;
  const again = await openBare(await startBrowser(kind, { profile }), site, "again");
  await until("it shows all", again.json, { count: 20, from: { one: 1 } }, 0);
  await until("it writes", role(again), "writer");
}

/** With a hub and a native node: only the tab that writes is linked to others. */
export async function withHub(kind, says) {
  says("tabs of one browser beside a native node: edits, confirmations, and the writer's place is taken");
  const hub = await startHub();
  const native = await startNode("native", hub.address, ROOM);
  const browser = await startBrowser(kind);
  const one = await openTab(browser, "one", hub.address, ROOM);
  const two = await openTab(browser, "two", hub.address, ROOM);
  await until("the first tab is linked to both", one.linked, ["native", "two"]);
  await until("the second follows", role(two), "follower");
  await until("the second knows both", two.members, ["native", "one"]);
  await two.run(async () => {
    const edit = globalThis.mesh.document("app").set("from/two", 2);
    await edit.stored();
    // This browser and the native node: two tabs are one disk.
    await edit.confirmed({ count: 2 });
    await edit.confirmed();
  });
  await native.set("from/native", 3);
  const all = { from: { native: 3, two: 2 } };
  for (const one of [two, native]) await until(`${one.name} shows both`, one.json, all);
  await one.page.close();
  await until("the second writes", role(two), "writer");
  await until("the native node is linked to it", native.linked, ["two"]);
  await native.set("from/native", 4);
  await until("it hears of edits again", sees(two, "from/native"), 4);
  await two.run(() => globalThis.mesh.document("app").set("from/two", 5).confirmed({ count: 2 }));
}

/** A browser without WebRTC is told so, keeps its own data and is in step with its own tabs. */
export async function withoutWebRtc(kind, says) {
  says("a browser without RTCPeerConnection says so, keeps its data, and its tabs are in step");
  const hub = await startHub();
  const native = await startNode("native", hub.address, ROOM);
  await native.set("from/native", 1);
  const browser = await startBrowser(kind);
  const withoutIt = () => delete globalThis.RTCPeerConnection;
  const open = (name) => openTab(browser, name, hub.address, ROOM, withoutIt);
  const one = await open("one");
  const status = await one.run(() => globalThis.mesh.status());
  if (status.webrtc !== false || status.links.length || status.hubs.length) throw new Error(`status: ${JSON.stringify(status)}`);
  const told = await one.run(() => performance.getEntriesByName("meshwork webrtc-missing").length);
  if (told !== 1) throw new Error(`told ${told} times`);
  await one.set("own", 1);
  const two = await open("two");
  await two.set("more", 2);
  for (const tab of [one, two]) await until(`tab ${tab.name} shows both`, tab.json, { more: 2, own: 1 });
  await one.page.close();
  await until("the second writes", role(two), "writer");
  await hub.stop("SIGKILL");
  await two.page.close();
  const again = await openBare(browser, await serve(BARE), "again", { storage: "other" }, withoutIt);
  await again.run(() => globalThis.mesh.document("app").set("own", 3).stored());
}
