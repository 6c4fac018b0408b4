// Figures of a tab among others, on this machine and its loopback.

import { openTab, startBrowser, startHub, startNode, until } from "./mesh.mjs";

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
  const show = (marks) => Object.entries(marks).map(([name, ms]) => `${name} ${ms.toFixed(0)}`).join(", ");
  says(`page opened, the first time, ms: ${show(openings[0])}`);
  says(`page opened → in step: ${summary(openings.slice(1).map(({ synced }) => synced))}; last: ${show(openings.at(-1))}`);

  // An edit is answered by an edit: half of the round trip is one way.
  const ada = await openTab(first, "ada", hub.address, ROOM);
  const bob = await openTab(second, "bob", hub.address, ROOM);
  await until("ada is linked", ada.linked, ["bob", "native"]);
  await bob.run(() => {
    const play = globalThis.mesh.document("play");
    play.subscribe(({ local }) => {
      const ping = play.get("ping");
      if (!local && ping !== play.get("pong")) play.set("pong", ping);
    });
  });
  const trips = await ada.run(async (edits) => {
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
      // Not in step with anything.
      await new Promise((resolve) => setTimeout(resolve, 5 + 10 * Math.random()));
    }
    return taken;
  }, EDITS);
  says(`edit → visible in the other, half of a round trip: ${summary(trips.map((trip) => trip / 2))}`);

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
}
