// The page, as people use it: three browsers and a native node in one room. `cargo xtask e2e` runs this.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { asTab, endAll, startBrowser, startHub, startNode, until } from "./mesh.mjs";

const ROOM = "PAGE01";

let step = "";
function says(text) {
  step = text;
  console.log(`  ${text}`);
}

/** Opens the page in a new browser and joins by its form. */
async function visit(kind, name, address) {
  const page = await (await startBrowser(kind)).newPage();
  page.on("pageerror", (error) => console.error(`    ${name}: ${error.message}`));
  await page.setViewport({ width: 1280, height: 1000 });
  await page.goto(address);
  return { ...asTab(name, page), ...reader(page), page };
}

async function joinByForm({ page, name }, room) {
  await page.type("#door [name=name]", name);
  if (room) await page.type("#door [name=room]", room);
  await page.click("#door button");
  await page.waitForSelector("#inside:not([hidden])");
}

/** What a person reads and does. */
function reader(page) {
  const texts = (selector) => () => page.$$eval(selector, (found) => found.map(({ textContent }) => textContent).sort());
  return {
    others: async () => (await page.$$eval("#peers li .name", (found) => found.slice(1).map(({ firstChild }) => firstChild.textContent))).sort(),
    drawn: () => page.$$eval("#graph .node", ({ length }) => length),
    linksUp: () => page.$$eval("#graph .link:not(.others):not(.down)", ({ length }) => length),
    connection: () => page.$eval("#connection", ({ textContent }) => textContent),
    stage: (stage) => page.$eval(`#stages [data-stage=${stage}]`, ({ className }) => className),
    users: texts("#users .name"),
    chats: texts("#chats .name"),
    operations: () => page.$$eval("#rows .operation", ({ length }) => length),
    shownHash: () => page.$eval("#hash", ({ title }) => title),
    lags: texts("#clocks tfoot td"),
    add: async (list, name) => {
      await page.type(`#add-${list} input`, name);
      await page.click(`#add-${list} button`);
    },
    press: async (list, name, what) => {
      const row = await page.waitForSelector(`xpath/.//ul[@id="${list}"]/li[span[text()="${name}"]]`);
      await (await row.waitForSelector(`xpath/.//button[text()="${what}"]`)).click();
    },
  };
}

async function equalHashes(tabs) {
  await until("all pages show one hash", async () => new Set(await Promise.all(tabs.map((tab) => tab.shownHash()))).size, 1);
}

async function meet(address, native) {
  says("three browsers join by the form: each shows three others, drawn and linked");
  const tabs = [await visit("chromium", "ada", address), await visit("chromium", "bob", address), await visit("firefox", "eve", address)];
  for (const tab of tabs) await joinByForm(tab, ROOM);
  for (const tab of tabs) {
    const others = ["ada", "bob", "eve", "native"].filter((name) => name !== tab.name);
    await until(`${tab.name} shows three others`, tab.others, others);
    await until(`${tab.name} draws all four`, tab.drawn, 4);
    await until(`${tab.name} draws three links`, tab.linksUp, 3);
    await until(`${tab.name} says so`, tab.connection, "3 links");
    await until(`${tab.name} is in step`, () => tab.stage("sync"), "done");
  }
  await until("the native node is linked to all", native.linked, ["ada", "bob", "eve"]);
  return tabs;
}

async function editEverywhere(tabs, native) {
  says("what is added in any shows in all; hashes are equal, clocks advance");
  const [ada, bob, eve] = tabs;
  await eve.run(() => {
    globalThis.travellers = 0;
    new MutationObserver(() => (globalThis.travellers += 1)).observe(document.getElementById("travellers"), { childList: true });
  });
  await ada.add("user", "Grace");
  await bob.add("user", "Edsger");
  await eve.add("chat", "Compilers");
  await native.set("users/n/name", "Barbara");
  for (const tab of tabs) {
    await until(`${tab.name} lists the users`, tab.users, ["Barbara", "Edsger", "Grace"]);
    await until(`${tab.name} lists the chats`, tab.chats, ["Compilers"]);
    await until(`${tab.name} shows the log`, tab.operations, 4);
    await until(`${tab.name} sees nobody lag`, tab.lags, ["in step", "in step", "in step", "in step"]);
  }
  await until("eve saw operations travel", () => eve.run(() => globalThis.travellers > 0), true);
  await ada.press("users", "Grace", "rename");
  await ada.page.keyboard.type("Grace Hopper");
  await ada.page.keyboard.press("Enter");
  await bob.press("users", "Edsger", "delete");
  for (const tab of tabs) await until(`${tab.name} shows rename and deletion`, tab.users, ["Barbara", "Grace Hopper"]);
  await equalHashes(tabs);
  // A peer's text is text.
  await bob.add("chat", "<img src=x onerror=alert(1)>");
  await until("markup shows as it was typed", ada.chats, ["<img src=x onerror=alert(1)>", "Compilers"]);
  await bob.press("chats", "<img src=x onerror=alert(1)>", "delete");
  await until("it is gone", ada.chats, ["Compilers"]);
}

async function lookClosely([ada, bob]) {
  says("an operation's detail; filters; a status");
  await ada.page.click("#rows li:last-child .operation");
  const detail = () => ada.page.$eval("#detail", ({ textContent }) => textContent);
  await until("its signature is checked", async () => (await detail()).includes("✓ checked again"), true);
  await until("it is stored on all four", async () => (await detail()).includes("4 nodes, enough: confirmed"), true);
  const all = await ada.operations();
  const own = await ada.run(() => globalThis.mesh.status().self.node);
  await ada.page.select("#filter-author", own);
  await until("the filter leaves ada's", ada.operations, 2);
  await ada.page.select("#filter-author", "");
  await until("all are back", ada.operations, all);
  await bob.page.type("#own-status input", "thinking");
  await bob.page.click("#own-status button");
  await until("ada reads bob's status", () => ada.page.$$eval("#peers small", (all) => all.some(({ textContent }) => textContent === "thinking")), true);
}

async function divergeAndConverge(tabs, pictures) {
  says("a tab is cut off, both sides go on; it is brought back, and all are one");
  const [ada, bob, eve] = tabs;
  await bob.page.click("#cut");
  await until("bob says so", bob.connection, "cut off");
  await until("ada loses the link", ada.linksUp, 2);
  await bob.add("user", "Alone");
  await ada.add("user", "Together");
  await until("bob has his own", bob.users, ["Alone", "Barbara", "Grace Hopper"]);
  await until("eve has the others'", eve.users, ["Barbara", "Grace Hopper", "Together"]);
  await until("ada sees bob lag", async () => (await ada.lags()).includes("1"), true);
  await pictures("cut-off", bob, { full: true });
  await bob.page.click("#cut");
  for (const tab of tabs) await until(`${tab.name} has both`, tab.users, ["Alone", "Barbara", "Grace Hopper", "Together"]);
  for (const tab of tabs) await until(`${tab.name} has its links`, tab.linksUp, 3);
  await equalHashes(tabs);
}

async function invite(ada, address) {
  says("the invitation's link and QR code");
  await ada.page.click("#show-invitation");
  const link = await ada.page.$eval("#invitation-link", ({ value }) => value);
  if (!link.startsWith(`${address}/join/${ROOM}#`)) throw new Error(`the link is ${link}`);
  await ada.page.waitForSelector("#qr path[d^=M]");
  await ada.page.keyboard.press("Escape");
  const guest = await visit("chromium", "guest", link);
  await joinByForm(guest);
  await until("the guest sees the others", guest.others, ["ada", "bob", "eve", "native"]);
  const left = await guest.page.evaluate(() => location.href);
  if (left.includes("#")) throw new Error(`the secret stays in the address: ${left}`);
  await guest.page.click("#leave");
  await until("ada sees it leave", ada.others, ["bob", "eve", "native"]);
}

/** The page of a node leads into that node's room. */
async function pageOfNode(native, ada) {
  says("the page of a node's API is in that node's room");
  const visitor = await visit("chromium", "visitor", `http://${native.address}/`);
  await visitor.page.waitForFunction((room) => document.querySelector("#door [name=room]").value === room, {}, ROOM);
  await joinByForm(visitor);
  await until("ada sees the visitor", ada.others, ["bob", "eve", "native", "visitor"]);
  await visitor.page.click("#leave");
  await until("it has left", ada.others, ["bob", "eve", "native"]);
}

/** Pictures for the documentation, when asked for. */
function photographer() {
  const directory = process.env.PAGE_PICTURES;
  if (!directory) return async () => {};
  return async (name, { page }, { width = 1280, height = 1000, scheme = "light", full = false, top = true } = {}) => {
    await mkdir(directory, { recursive: true });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    const size = { width, height, deviceScaleFactor: width < 500 ? 2 : 1 };
    await page.setViewport(size);
    if (full) await page.setViewport({ ...size, height: await page.evaluate(() => document.documentElement.scrollHeight) });
    if (top) await page.evaluate(() => scrollTo(0, 0));
    // Views look again after a change of size, within a second.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await page.screenshot({ path: join(directory, `${name}.png`) });
  };
}

async function scenario() {
  const pictures = photographer();
  const hub = await startHub();
  const native = await startNode("native", hub.address, ROOM);
  const tabs = await meet(hub.address, native);
  const [ada] = tabs;
  await editEverywhere(tabs, native);
  await lookClosely(tabs);
  await divergeAndConverge(tabs, pictures);
  await pictures("light", ada, { full: true });
  await pictures("dark", ada, { full: true, scheme: "dark" });
  await pictures("phone", ada, { width: 400, height: 860, scheme: "dark" });
  await ada.page.$eval(".log", (log) => log.scrollIntoView());
  await pictures("phone-log", ada, { width: 400, height: 860, top: false });
  await invite(ada, hub.address);
  await pageOfNode(native, ada);
}

const started = Date.now();
console.log("the page");
try {
  await scenario();
  console.log(`  passed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
} catch (error) {
  process.exitCode = 1;
  console.error(`  FAILED, while: ${step}\n  ${error.stack}`);
} finally {
  await endAll();
}
process.exit();
