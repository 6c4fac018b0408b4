// What docs/web.md tells web developers to do, done: its steps one by one, and the same page by a bundler.

import { spawn } from "node:child_process";
import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { directory, serveFolder, startBrowser, startHub, started, until } from "./mesh.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The blocks of the guide's first section, in order: `{ language, text, file }`. */
async function steps() {
  const guide = await readFile(join(ROOT, "docs/web.md"), "utf8");
  const [section] = guide.match(/^## A shared list[^]*?(?=^## )/m);
  return [...section.matchAll(/^( *)```(\w+)\n([^]*?)^\1```/gm)].map(({ index, 1: indent, 2: language, 3: text }) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    // What was last named before it.
    file: section.slice(0, index).match(/.*`([^`\n]+)`/s)?.[1],
  }));
}

/** Runs a command, and fails with what it printed when that does. */
function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    const printed = { all: "", out: "" };
    child.stdout.on("data", (data) => (printed.out += data));
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (printed.all += data));
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve(printed.out) : reject(new Error(`\`${command} ${args.join(" ")}\`: ${printed.all}`))));
  });
}

/** Does what the guide says, in an empty folder. Returns the hub, and where the page is. */
async function follow() {
  const folder = await directory();
  // The clone, as far as the steps look at it: what `cargo xtask web` has built is there.
  await mkdir(join(folder, "meshwork/target"), { recursive: true });
  await symlink(process.env.PACKAGE, join(folder, "meshwork/target/package"));
  let [place, hub, site] = [folder];
  const others = {
    "cargo xtask web": async () => {},
    "cargo run --release -- hub": async () => (hub = await startHub()),
    "python3 -m http.server --bind 127.0.0.1 8000": async () => {
      const args = ["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"];
      site = (await started("python3", args, /\((http:\S+)\)/, { cwd: place })).address;
    },
  };
  for (const { language, text, file } of await steps()) {
    if (language !== "sh") {
      await writeFile(join(place, file), text.replaceAll("http://127.0.0.1:7070", hub.address));
      continue;
    }
    for (const line of text.trim().split("\n")) {
      if (others[line]) await others[line]();
      else place = (await run("bash", ["-ec", `${line}\npwd`], { cwd: place })).trim().split("\n").at(-1);
    }
    // Its terminal is taken.
    if (others[text.trim().split("\n").at(-1)] && !site) place = folder;
  }
  return { hub, site };
}

/** Opens the page of the list. */
async function open(browser, site) {
  const tab = await browser.newPage();
  tab.on("pageerror", (error) => console.error(`    ${error.message}`));
  await tab.evaluateOnNewDocument(() => {
    const listen = EventTarget.prototype.addEventListener;
    EventTarget.prototype.addEventListener = function (type, ...rest) {
      globalThis.listens ||= type === "submit";
      return listen.call(this, type, ...rest);
    };
  });
  await tab.goto(site);
  await until("the form is heard", () => tab.evaluate(() => Boolean(globalThis.listens)), true);
  return tab;
}

const shows = (tab) => () => tab.$$eval("li", (items) => items.map((item) => item.textContent));

async function share(first, second) {
  await second.type("input", "bread");
  await second.click("button");
  await until("the first browser shows it", shows(first), ["bread"]);
  await until("it is stored on two nodes", () => second.$eval("p", (text) => text.textContent), "Stored on two nodes.");
  await first.click("li");
  await until("deleted in one, gone in the other", shows(second), []);
}

export async function guide(kinds, says) {
  says("the steps of docs/web.md lead to a list that two browsers share");
  const { hub, site } = await follow();
  const browsers = [await startBrowser(kinds[0]), await startBrowser(kinds[1])];
  const [first, second] = [await open(browsers[0], site), await open(browsers[1], site)];
  await share(first, second);
  await first.type("input", "salt");
  await first.click("button");
  await until("the second browser shows it", shows(second), ["salt"]);
  await until("it is stored there", () => first.$eval("p", (text) => text.textContent), "Stored on two nodes.");
  await second.close();
  await hub.stop("SIGKILL");
  const again = await open(browsers[1], site);
  await until("opened again, its list is there without a hub", shows(again), ["salt"]);
}

/** Without npm, or what it takes from its registry, there is nothing to test: that is a failure. */
export async function bundled(kinds, says) {
  if (kinds.includes("firefox")) return;
  says("examples/web/vite, by Vite's own server and built by it, shares the same list");
  const folder = await directory();
  const [example, place] = [join(ROOT, "examples/web/vite"), join(folder, "examples/web/vite")];
  const isSource = (path) => !["node_modules", "dist"].some((made) => path === join(example, made));
  await cp(example, place, { recursive: true, filter: isSource });
  await cp(process.env.PACKAGE, join(folder, "target/package"), { recursive: true });
  const hub = await startHub();
  const npm = async (...args) => {
    const options = { cwd: place, env: { ...process.env, VITE_HUB: hub.address } };
    const help = "it takes npm (on Debian, `apt-get install nodejs npm`) and a registry that it can reach";
    return run("npm", args, options).catch((error) => Promise.reject(new Error(`${error.message}\n${help}`)));
  };
  await npm("ci", "--no-audit", "--no-fund");
  await npm("run", "build");
  const vite = join(place, "node_modules/.bin/vite");
  const served = { cwd: place, env: { ...process.env, VITE_HUB: hub.address, NO_COLOR: "1" } };
  const developed = (await started(vite, ["--host", "127.0.0.1"], /Local:\s+(http:\S+)/, served)).address;
  const built = await serveFolder(join(place, "dist"));
  const browsers = [await startBrowser(kinds[0]), await startBrowser(kinds[1])];
  await share(await open(browsers[0], developed), await open(browsers[1], built));
}
