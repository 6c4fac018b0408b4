// Figures of a tab among others, on this machine and its loopback.

import { asTab, openTab, serve, startBrowser, startHub, startNode, until } from "./mesh.mjs";

const ROOM = "E2E002";
const OPENINGS = 11;
const EDITS = 300;

function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

function summary(samples, unit = "ms") {
  const sorted = [...samples].sort((a, b) => a - b);
  const show = (part) => quantile(sorted, part).toFixed(1);
  return `p50 ${show(0.5)} ${unit}, p99 ${show(0.99)} ${unit}, most ${sorted.at(-1).toFixed(1)} ${unit} (${sorted.length} samples)`;
}

export async function measure(kinds, says) {
  const hub = await startHub();
  const native = await startNode("native", hub.address, ROOM);
  const [first, second] = [await startBrowser(kinds[0]), await startBrowser(kinds[1])];

  // Page opened, until it is in step with a peer; the first time is of another kind, since nothing is cached or stored.
  const openings = [];
  for (let opening = 0; opening < OPENINGS; opening += 1) {
    const tab = await openTab(first, "ada", hub.address, ROOM);
    const at = () => tab.run(() => performance.getEntriesByName("meshwork synced")[0]?.startTime ?? null);
    await until("ada is in step", async () => (await at()) !== null, true);
    const marks = await tab.run(() =>
      Object.fromEntries(
        ["ready", "hub-joined", "link-up", "synced"].map((name) => [name, performance.getEntriesByName(`meshwork ${name}`)[0]?.startTime ?? null]),
      ),
    );
    openings.push(marks);
    await tab.page.close();
    await until("ada is gone", native.linked, []);
  }
  const slowest = openings.slice(1).reduce((one, other) => (other.synced > one.synced ? other : one));
  const show = (marks) => Object.entries(marks).map(([name, ms]) => `${name} ${ms.toFixed(0)}`).join(", ");
  says(`page opened, the first time, ms: ${show(openings[0])}`);
  says(`page opened → in step: ${summary(openings.slice(1).map(({ synced }) => synced))}; slowest: ${show(slowest)}`);

  const ada = await openTab(first, "ada", hub.address, ROOM);
  const bob = await openTab(second, "bob", hub.address, ROOM);
  await until("ada is linked", ada.linked, ["bob", "native"]);
  says(`edit → visible in the other, demo page: ${summary(await ways(ada, bob))}`);
  says(`edit that answers an edit → visible, demo page: ${summary(await answers(ada, bob))}`);
  const stored = await ada.run(async (edits) => {
    const play = globalThis.mesh.document("play");
    const taken = { stored: [], confirmed: [] };
    for (let number = 1; number <= edits; number += 1) {
      const started = performance.now();
      const edit = play.set("safe", number);
      await edit.stored();
      taken.stored.push(performance.now() - started);
      await edit.confirmed();
      taken.confirmed.push(performance.now() - started);
    }
    return taken;
  }, EDITS / 3);
  says(`edit → durable here: ${summary(stored.stored)}`);
  says(`edit → confirmed by a second node: ${summary(stored.confirmed)}`);
  for (const { page } of [ada, bob]) await page.close();
  await until("the native node is alone", native.linked, []);

  const at = await serve("<!doctype html><title>nothing to see</title>");
  const [eve, kim] = [await join(first, at, "eve", hub.address), await join(second, at, "kim", hub.address)];
  await until("eve is linked", eve.linked, ["kim", "native"]);
  says(`edit → visible in the other, page without a view: ${summary(await ways(eve, kim))}`);
  says(`edit that answers an edit → visible, page without a view: ${summary(await answers(eve, kim))}`);
}

/** A tab of which all that is shown is shown by this test. */
async function join(browser, at, name, hub) {
  const page = await browser.newPage();
  await page.goto(at);
  await page.evaluate(async (hub, room, name) => {
    const { Mesh } = await import("/meshwork/meshwork.js");
    globalThis.mesh = await Mesh.join({ hub, room, name });
  }, hub, ROOM, name);
  return asTab(name, page);
}

/**
 * How long edits of each take until the other's subscribers hear of them. Both read the clock of this machine, not quite
 * alike: by how much, the two directions tell.
 */
async function ways(one, other) {
  const samples = [];
  for (const [from, to] of [[one, other], [other, one]]) samples.push(await way(from, to));
  const [there, back] = samples.map((taken) => quantile([...taken].sort((a, b) => a - b), 0.5));
  const apart = (there - back) / 2;
  return [...samples[0].map((ms) => ms - apart), ...samples[1].map((ms) => ms + apart)];
}

async function way(from, to) {
  await to.run(() => {
    const play = globalThis.mesh.document("play");
    globalThis.seen = [];
    globalThis.end = play.subscribe(() => (globalThis.seen[play.get("way")] ??= performance.timeOrigin + performance.now()));
  });
  const made = await from.run(async (edits) => {
    const play = globalThis.mesh.document("play");
    const made = [];
    for (let number = 0; number < edits; number += 1) {
      made.push(performance.timeOrigin + performance.now());
      play.set("way", number);
      // Not in step with anything.
      await new Promise((resolve) => setTimeout(resolve, 10 + 10 * Math.random()));
    }
    return made;
  }, EDITS);
  const all = () => to.run(() => globalThis.mesh.document("play").get("way"));
  await until(`${to.name} has them all`, all, EDITS - 1);
  const seen = await to.run(() => {
    globalThis.end();
    return globalThis.seen;
  });
  // Of edits that came together only the last one was ever seen.
  return made.map((at, number) => (seen[number] ?? NaN) - at).filter((ms) => !Number.isNaN(ms));
}

/** Half of a round trip: an edit, and another one that answers it, which leaves when the first one is durable. */
async function answers(one, other) {
  await other.run(() => {
    const play = globalThis.mesh.document("play");
    play.subscribe(({ local }) => {
      const ping = play.get("ping");
      if (!local && ping !== play.get("pong")) play.set("pong", ping);
    });
  });
  const trips = await one.run(async (edits) => {
    const play = globalThis.mesh.document("play");
    const taken = [];
    for (let number = 1; number <= edits; number += 1) {
      const started = performance.now();
      await new Promise((resolve) => {
        const end = play.subscribe(() => {
          if (play.get("pong") !== number) return;
          end();
          resolve();
        });
        play.set("ping", number);
      });
      taken.push(performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 5 + 10 * Math.random()));
    }
    return taken;
  }, EDITS);
  return trips.map((trip) => trip / 2);
}
