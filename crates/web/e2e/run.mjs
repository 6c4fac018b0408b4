// Real browsers and native nodes in one room: `cargo xtask e2e` runs this.

import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { apart } from "./apart.mjs";
import { catchUp, measureCatchUp } from "./catchup.mjs";
import { bundled, guide } from "./guide.mjs";
import { hidden } from "./hidden.mjs";
import { asTab, endAll, openTab, startBrowser, startHub, startNode, until } from "./mesh.mjs";
import { measure } from "./measure.mjs";
import { mergeRows, whileOpening } from "./opening.mjs";
import { clearedAlone, clearedAmongOthers, clearedAmongTabs } from "./storage.mjs";
import { killed, withHub, withoutHub, withoutWebRtc } from "./tabs.mjs";
import { hasWebKit, webkit } from "./webkit.mjs";

const ROOM = "E2E001";

let step = "";
function says(text) {
  step = text;
  console.log(`  ${text}`);
}

/** Reaches no hub until `online()` is called: what shows before is the tab's own. */
function offline() {
  const Real = globalThis.WebSocket;
  let cut = true;
  // Nobody listens there.
  globalThis.WebSocket = function (url) {
    return new Real(cut ? "ws://127.0.0.1:65535/" : url);
  };
  globalThis.online = () => (cut = false);
}

async function everybodyShows(everybody, expected) {
  for (const one of everybody) await until(`${one.name} shows it`, one.json, expected);
}

async function equalHashes(tabs) {
  const [first, ...others] = tabs;
  const hash = await first.hash();
  for (const other of others) await until(`${other.name} has the state hash of ${first.name}`, other.hash, hash);
}

async function scenario(kinds) {
  says("a hub, a native node and two browsers meet in a room");
  let hub = await startHub();
  const address = hub.address;
  const native = await startNode("native", address, ROOM);
  const [firstBrowser, secondBrowser] = [await startBrowser(kinds[0]), await startBrowser(kinds[1])];
  const ada = await openTab(firstBrowser, "ada", address, ROOM);
  let bob = await openTab(secondBrowser, "bob", address, ROOM);
  await until("ada is linked to both", ada.linked, ["bob", "native"]);
  await until("bob is linked to both", bob.linked, ["ada", "native"]);
  await until("the native node is linked to both", native.linked, ["ada", "bob"]);

  says("an edit in any shows in all");
  await ada.set("from/ada", 1);
  await bob.set("from/bob", 2);
  await native.set("from/native", 3);
  await ada.page.type("#add-user input", "Grace");
  await ada.page.click("#add-user button");
  await until("the page lists the user that another tab added", () => bob.page.$eval("#users", (list) => list.textContent), "Gracerenamedelete");
  const users = await ada.run(() => globalThis.mesh.document("app").get("users"));
  await everybodyShows([ada, bob, native], { from: { ada: 1, bob: 2, native: 3 }, users });
  await equalHashes([ada, bob]);

  says("an edit is stored on all three");
  await ada.run(async () => {
    const edit = globalThis.mesh.document("app").increment("count", 5);
    await edit.stored();
    await edit.confirmed();
    await edit.confirmed({ count: 3 });
  });
  await picture(ada, kinds[0]);

  says("a tab is closed: the others go on and show it gone");
  await ada.run(() => {
    globalThis.gone = new Promise((resolve) => globalThis.mesh.on("peer-left", resolve));
  });
  await bob.page.close({ runBeforeUnload: false });
  await until("ada misses bob", ada.members, ["native"]);
  const gracefully = await ada.run(async () => (await globalThis.gone).gracefully);
  // Firefox closes the connections of a page that goes away before what they were handed has left; silence tells then.
  if (!gracefully && kinds[1] !== "firefox") throw new Error("bob's tab was closed and said no goodbye");
  await until("the native node misses bob", native.linked, ["ada"]);
  const before = await ada.json();
  await ada.set("while/away", true);

  says("it is opened again: it has its own data before any network, then catches up");
  bob = await openTab(secondBrowser, "bob", address, ROOM, offline);
  await until("bob shows what he had", bob.json, before);
  await until("bob sees nobody", bob.members, []);
  await bob.set("from/bob", "alone");
  await bob.run(() => globalThis.online());
  await until("bob is linked again", bob.linked, ["ada", "native"]);
  const all = { ...before, from: { ...before.from, bob: "alone" }, while: { away: true } };
  await everybodyShows([ada, bob, native], sorted(all));
  await equalHashes([ada, bob]);

  says("the hub stops: links live on; it returns: a newcomer joins");
  await hub.stop("SIGKILL");
  await ada.set("without/hub", 1);
  await until("bob has it", () => bob.run(() => globalThis.mesh.document("app").get("without/hub") ?? null), 1);
  hub = await startHub(address.replace("http://", ""));
  // Whoever comes first names the room's space.
  for (const tab of [ada, bob]) {
    await until(`${tab.name} is in the hub's room again`, () => tab.run(() => globalThis.mesh.status().hubs[0].joined), true, 60_000);
  }
  const late = await startNode("late", address, ROOM);
  await until("ada is linked to the newcomer", ada.linked, ["bob", "late", "native"]);
  await everybodyShows([bob, native, late], await ada.json());

  says("a tab leaves by the API, and its store is free at once");
  await bob.run(() => globalThis.mesh.leave());
  await until("ada misses bob", ada.members, ["late", "native"]);
  const again = await openTab(secondBrowser, "bob", address, ROOM);
  await until("bob is back", ada.members, ["bob", "late", "native"]);

  says("a second node of the same store follows the first; what makes no sense is refused");
  const refused = await again.run(async (address) => {
    const { Mesh } = await import("/page/meshwork.js");
    const refusal = (options) => Mesh.join({ hub: address, name: "two", ...options }).then(() => "none", ({ code }) => code);
    const second = await Mesh.join({ hub: address, name: "second", room: "E2E001" });
    const { role } = second.status();
    await second.leave();
    return [role, await refusal({ room: "no room" }), await refusal({ room: "E2E001", storage: false, password: "wrong" })];
  }, address);
  const expected = ["follower", "usage", "hub-refused"];
  if (JSON.stringify(refused) !== JSON.stringify(expected)) throw new Error(`refusals: ${refused}, not ${expected}`);

  says("a tab's storage is removed while it is closed: the mesh gives back everything");
  await again.run(async () => {
    await globalThis.mesh.leave();
    await new Promise((resolve, reject) => {
      const removed = indexedDB.deleteDatabase("meshwork/E2E001");
      Object.assign(removed, { onsuccess: resolve, onerror: reject, onblocked: reject });
    });
  });
  const kept = await ada.json();
  const anew = await openTab(secondBrowser, "bob", address, ROOM);
  await everybodyShows([anew], kept);
  await anew.set("begun/anew", true);
  await everybodyShows([ada, native], await anew.json());
  await equalHashes([ada, anew]);
}

/** Counts on which side of its connections this tab is: the one that heard an answer, or an offer. */
function countRoles() {
  globalThis.roles = { answer: 0, offer: 0 };
  const real = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    globalThis.roles[description.type] += 1;
    return real.call(this, description);
  };
}

/** Who offers is decided by session ids, which are random: a tab is opened until both have. */
async function bothRoles(kind) {
  says("the browser offers and the native node answers, and the other way round");
  const hub = await startHub();
  const browser = await startBrowser(kind);
  const seen = new Set();
  for (let opening = 0; seen.size < 2; opening += 1) {
    if (opening === 30) throw new Error(`in each of ${opening} links, the browser ${[...seen]}`);
    // The smaller session offers: both must be new each time, or one of them may be smaller than all others.
    const room = `ROLE${String(opening).padStart(2, "0")}`;
    await startNode("native", hub.address, room);
    const tab = await openTab(browser, "ada", hub.address, room, countRoles);
    await until("ada is linked", tab.linked, ["native"]);
    const heard = await tab.run(() => globalThis.roles);
    if (heard.offer + heard.answer === 1) seen.add(heard.answer ? "offers" : "answers");
    await tab.page.close();
  }
}

/** An invitation's link opens the page, and holds the secret of a room with a password. */
async function invitation(kinds) {
  says("an invitation's link lets a browser into a room with a password");
  const hub = await startHub();
  const first = await (await startBrowser(kinds[0])).newPage();
  await first.goto(hub.address);
  for (const [field, text] of [["name", "ada"], ["room", ROOM], ["password", "correct horse"]]) {
    await first.type(`#door [name=${field}]`, text);
  }
  await first.click("#door button");
  const ada = asTab("ada", first);
  await until("ada is a member", ada.isMember, true);
  const link = await ada.run((hub, room) => globalThis.mesh.invitation(hub, room), hub.address, ROOM);
  const page = await (await startBrowser(kinds[1])).newPage();
  await page.goto(link);
  await page.type("#door [name=name]", "bob");
  await page.click("#door button");
  await until("ada is linked to bob", ada.linked, ["bob"]);
  const stranger = await ada.run(async (hub) => {
    const { Mesh } = await import("/page/meshwork.js");
    return Mesh.join({ hub, room: "E2E001", storage: false }).then(() => "let in", ({ code }) => code);
  }, hub.address);
  if (stranger !== "hub-refused") throw new Error(`a stranger without the password: ${stranger}`);
}

/** Objects in the order in which documents show them. */
function sorted(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

async function picture(tab, kind) {
  const directory = process.env.PICTURES;
  if (!directory) return;
  await mkdir(directory, { recursive: true });
  for (const [name, width, height] of [["desktop", 1100, 900], ["phone", 400, 900]]) {
    await tab.page.setViewport({ width, height });
    await tab.page.screenshot({ path: join(directory, `${kind}-${name}.png`) });
  }
}

/** What two browsers are tried with, the same one twice or two kinds; and what is tried with one alone. */
const TOGETHER = [scenario, guide, bundled, invitation, (kinds) => bothRoles(kinds[0]), apart];
const ALONE = [catchUp, whileOpening, mergeRows, withoutHub, killed, withHub, withoutWebRtc, clearedAlone, clearedAmongTabs, clearedAmongOthers];

async function pass(title, tests) {
  console.log(title);
  const started = Date.now();
  try {
    for (const test of tests) {
      await test();
      await endAll();
    }
    console.log(`  passed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    return true;
  } catch (error) {
    console.error(`  FAILED (${title}), while: ${step}\n  ${error.stack}`);
    return false;
  } finally {
    await endAll();
  }
}

/** Two minutes in which a machine has little to do: beside the other tests, in a process of its own. */
function beside(test) {
  const child = spawn(process.execPath, [process.argv[1], test, ...kinds], { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (data) => (printed += data));
  return new Promise((resolve) => {
    child.once("close", (code) => {
      process.stdout.write(printed);
      resolve(code === 0);
    });
  });
}

const kinds = ["chromium", "firefox"].filter((kind) => process.argv.includes(kind));
if (process.argv.includes("hidden")) {
  process.exit((await pass("hidden tabs", [() => hidden(kinds, says)])) ? 0 : 1);
}
const measuring = process.argv.includes("measure");
// Figures are taken of a machine that does nothing else.
const hiddenPassed = measuring ? true : beside("hidden");
const pairs = [...kinds.map((kind) => [kind, kind]), ...(kinds.length === 2 ? [kinds] : [])];
let passed = true;
for (const pair of pairs) {
  const tests = TOGETHER.map((test) => () => test(pair, says));
  if (measuring) tests.push(() => measure(pair, says));
  passed = (await pass(pair.join(" and "), tests)) && passed;
}
for (const kind of kinds) {
  const tests = measuring ? [...ALONE, measureCatchUp] : ALONE;
  passed = (await pass(`${kind} alone`, tests.map((test) => () => test(kind, says)))) && passed;
}
if (hasWebKit()) passed = (await pass("WebKitGTK", [() => webkit(says)])) && passed;
else console.log("WebKitGTK is left out: on Debian, `apt-get install webkit2gtk-driver xvfb`");
process.exit(passed && (await hiddenPassed) ? 0 : 1);
