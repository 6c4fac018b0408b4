// Hubs, nodes and browsers as processes of their own, all of which end with the test.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { default: puppeteer } = await import(
  createRequire(join(process.env.E2E_MODULES, "x.js")).resolve("puppeteer-core")
);

const PATIENCE_MS = 30_000;

const BROWSERS = {
  chromium: {
    browser: "chrome",
    executablePath: process.env.CHROMIUM,
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Both ends are on this machine, which has no names for mDNS to resolve and perhaps no network.
      "--allow-loopback-in-peer-connection",
      "--disable-features=WebRtcHideLocalIpsWithMdns",
    ],
  },
  firefox: {
    browser: "firefox",
    executablePath: process.env.FIREFOX,
    extraPrefsFirefox: {
      "media.peerconnection.ice.loopback": true,
      "media.peerconnection.ice.obfuscate_host_addresses": false,
      // Figures of less than a millisecond.
      "privacy.reduceTimerPrecision": false,
    },
  },
};

/** What ends with the test, last begun first. */
const endings = [];

export function atEnd(end) {
  endings.push(end);
}

export async function endAll() {
  for (const end of endings.splice(0).reverse()) await end().catch((error) => console.error(`at the end: ${error}`));
}

export async function directory() {
  const path = await mkdtemp(join(tmpdir(), "meshwork-e2e-"));
  endings.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Starts the program and waits for a line that matches; returns what it matched and how to stop it. */
async function program(args, pattern) {
  return started(process.env.MESHWORK, args, pattern);
}

/** The same for any command. */
export async function started(command, args, pattern, options = {}) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" }, ...options });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async (signal = "SIGTERM") => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  endings.push(() => stop("SIGKILL"));
  const lines = [];
  const found = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${command} ${args[0]} does not start:\n${lines.join("\n")}`)), PATIENCE_MS);
    ended.then(() => reject(new Error(`${command} ${args[0]} ended:\n${lines.join("\n")}`)));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (process.env.VERBOSE) console.error(`    ${args[0]}: ${line}`);
        const match = line.match(pattern);
        if (!match) return;
        clearTimeout(late);
        resolve(match[1]);
      });
    }
  });
  // Once it has started, how it ends is its own business.
  found.catch(() => {});
  return { address: await found, stop, lines };
}

export function startHub(listen = "127.0.0.1:0") {
  const page = ["--page", process.env.PAGE, "--found-after-ms", "0"];
  return program(["hub", "--listen", listen, ...page], /hub at (http:\S+)/);
}

export async function startNode(name, hub, room) {
  const data = await directory();
  const args = ["node", "--hub", hub, "--room", room, "--name", name, "--data", data, "--api", "127.0.0.1:0"];
  const { address, stop, lines } = await program(args, /API at http:\/\/([^/\s]+)/);
  const call = async (path, options) => {
    const response = await fetch(`http://${address}${path}`, options);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    name,
    address,
    stop,
    lines,
    json: async () => JSON.parse(await run(["get", "--api", address, "app"])),
    set: (path, value) => run(["set", "--api", address, "app", path, JSON.stringify(value)]),
    /** How many it holds. */
    operations: async () => (await call("/api/status")).operation_log_size,
    /** The names of the members that it is linked to. */
    linked: async () => (await call("/api/status")).connected_peers.map((peer) => peer.name).sort(),
  };
}

function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.env.MESHWORK, args, { stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    let complaints = "";
    child.stdout.on("data", (data) => (printed += data));
    child.stderr.on("data", (data) => (complaints += data));
    child.on("exit", (code) => (code === 0 ? resolve(printed) : reject(new Error(`${args.join(" ")}: ${complaints}`))));
  });
}

/** Somebody's own web server. `find` is given a path and returns what is there, or nothing. */
async function server(find) {
  const kinds = { css: "text/css", html: "text/html", js: "text/javascript", wasm: "application/wasm" };
  const listening = createServer(async ({ url }, response) => {
    const path = url.endsWith("/") ? `${url}index.html` : url;
    const content = await find(path);
    if (content === null) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": kinds[path.split(".").at(-1)] ?? "application/octet-stream" }).end(content);
  });
  await new Promise((resolve) => listening.listen(0, "127.0.0.1", resolve));
  endings.push(async () => {
    listening.closeAllConnections();
    listening.close();
  });
  return `http://127.0.0.1:${listening.address().port}/`;
}

/** Serves a folder. */
export function serveFolder(folder) {
  return server((path) => readFile(join(folder, path)).catch(() => null));
}

/** Serves a page at the root, and our files in `/meshwork/`. */
export function serve(page) {
  return server(async (path) => {
    if (path === "/index.html") return page;
    const name = path.match(/^\/meshwork\/([^/]+)$/)?.[1];
    return name ? readFile(join(process.env.PACKAGE, name)).catch(() => null) : null;
  });
}

/** What puppeteer switches off, and people do not. */
const THROTTLING = ["--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding"];

/**
 * A browser with a new, empty profile, or the one in the directory `profile`. `throttling`: hidden tabs are slowed down as
 * they are for people.
 */
export async function startBrowser(kind, { profile, throttling = false } = {}) {
  const ignoreDefaultArgs = throttling ? THROTTLING : [];
  const settings = { ...BROWSERS[kind], headless: true, ignoreDefaultArgs, userDataDir: profile ?? (await directory()) };
  const browser = await puppeteer.launch(settings);
  const process = browser.process();
  endings.push(async () => {
    const closed = browser.close().then(() => true, () => false);
    const late = new Promise((resolve) => setTimeout(() => resolve(false), 5_000));
    if (!(await Promise.race([closed, late]))) process?.kill("SIGKILL");
  });
  return browser;
}

/** A tab with the demo page in it, in the room at once. */
export async function openTab(browser, name, hub, room, before) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(`    ${name}: ${error.message}`));
  page.on("console", (message) => {
    if (process.env.VERBOSE || message.type() === "error") console.error(`    ${name}: ${message.text()}`);
  });
  if (before) await page.evaluateOnNewDocument(before);
  await page.goto(`${hub}/?name=${name}&room=${room}`);
  const tab = asTab(name, page);
  await until(`${name} is a member`, tab.isMember, true);
  return tab;
}

/** A page with the demo in it. */
export function asTab(name, page) {
  return {
    name,
    page,
    /** Runs in the page. */
    run: (action, ...args) => page.evaluate(action, ...args),
    json: () => page.evaluate(() => globalThis.mesh.document("app").json()),
    hash: () => page.evaluate(() => globalThis.mesh.stateHash()),
    set: (path, value) => page.evaluate((path, value) => void globalThis.mesh.document("app").set(path, value), path, value),
    linked: () =>
      page.evaluate(() => {
        const { peers, links } = globalThis.mesh.status();
        const up = new Set(links.filter(({ stage }) => stage === "up").map(({ session }) => session));
        return peers.filter(({ session }) => up.has(session)).map(({ name }) => name).sort();
      }),
    members: () => page.evaluate(() => globalThis.mesh.status().peers.map(({ name }) => name).sort()),
    isMember: () => page.evaluate(() => Boolean(globalThis.mesh)),
  };
}

/** Asks until the answer is the expected one. */
export async function until(what, ask, expected, patienceMs = PATIENCE_MS) {
  const wanted = JSON.stringify(expected);
  const end = Date.now() + patienceMs;
  for (;;) {
    let got;
    try {
      got = JSON.stringify(await ask());
    } catch (error) {
      got = `an error: ${error.message}`;
    }
    if (got === wanted) return;
    if (Date.now() > end) throw new Error(`${what}: expected ${wanted}, and after ${patienceMs} ms got ${got}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
