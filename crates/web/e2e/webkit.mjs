// WebKitGTK, which Debian builds without WebRTC, by way of WebDriver: `apt-get install webkit2gtk-driver xvfb`.

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

import { atEnd, directory, serve, until } from "./mesh.mjs";
import { BARE } from "./tabs.mjs";

const DISPLAY = ":97";
const LIBRARIES = `/usr/lib/${{ x64: "x86_64", arm64: "aarch64" }[process.arch]}-linux-gnu`;

function find(program) {
  return process.env.PATH.split(delimiter).map((path) => join(path, program)).find(existsSync);
}

function browserPath() {
  const places = existsSync(LIBRARIES) ? readdirSync(LIBRARIES).filter((name) => name.startsWith("webkit2gtk-")) : [];
  return places.map((place) => join(LIBRARIES, place, "MiniBrowser")).find(existsSync);
}

export function hasWebKit() {
  return Boolean(find("WebKitWebDriver") && find("Xvfb") && browserPath());
}

function start(program, args, env) {
  const child = spawn(find(program), args, { stdio: "ignore", env });
  atEnd(async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    if (child.kill()) await ended;
  });
}

async function startWebKit() {
  const home = await directory();
  const port = 20_000 + (process.pid % 10_000);
  start("Xvfb", [DISPLAY, "-screen", "0", "1000x800x24"], process.env);
  const env = { ...process.env, DISPLAY, HOME: home, XDG_DATA_HOME: home, XDG_CACHE_HOME: home, LIBGL_ALWAYS_SOFTWARE: "1" };
  start("WebKitWebDriver", [`--port=${port}`], env);
  const call = async (method, path, body) => {
    const request = { method, body: body && JSON.stringify(body), headers: { "content-type": "application/json" } };
    const { value } = await (await fetch(`http://127.0.0.1:${port}${path}`, request)).json();
    if (value?.error) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  };
  await until("the driver is ready", async () => (await call("GET", "/status")).ready, true);
  const options = { binary: browserPath(), args: ["--automation"] };
  const wanted = { browserName: "MiniBrowser", "webkitgtk:browserOptions": options };
  const { sessionId } = await call("POST", "/session", { capabilities: { alwaysMatch: wanted } });
  const session = (method, path, body) => call(method, `/session/${sessionId}${path}`, body);
  atEnd(() => session("DELETE", ""));
  return session;
}

/** A tab; `run` runs an async function's text in it. */
async function openTab(session, site, name) {
  const { handle } = await session("POST", "/window/new", { type: "tab" });
  const within = () => session("POST", "/window", { handle });
  const script = `const done = [...arguments].at(-1);
    Promise.resolve(eval(arguments[0])(arguments[1])).then((value) => done({ value }), (error) => done({ error: String(error) }));`;
  const run = async (action, argument = null) => {
    await within();
    const { value, error } = await session("POST", "/execute/async", { script, args: [`(${action})`, argument] });
    if (error) throw new Error(`${name}: ${error}`);
    return value;
  };
  await within();
  await session("POST", "/url", { url: site });
  await until("the script has run", () => run(() => Boolean(globalThis.Mesh)), true);
  await run(async (name) => {
    globalThis.missing = 0;
    const on = { "webrtc-missing": () => (globalThis.missing += 1) };
    globalThis.mesh = await globalThis.Mesh.join({ hubs: [], storage: "webkit", name, on });
  }, name);
  const close = async () => {
    await within();
    await session("DELETE", "/window");
  };
  return { run, close };
}

/** It has no `RTCPeerConnection`. */
export async function webkit(says) {
  says("a browser that has no WebRTC: its tabs share a store, and it says what is missing");
  const site = await serve(BARE);
  const session = await startWebKit();
  const one = await openTab(session, site, "one");
  const two = await openTab(session, site, "two");
  const role = (tab) => tab.run(() => [globalThis.mesh.status().role, globalThis.mesh.status().webrtc, globalThis.missing]);
  // The driver has an order of its own.
  const all = (tab) => () => tab.run(() => Object.keys(globalThis.mesh.document("app").json()).sort());
  await until("the first writes, and is told", () => role(one), ["writer", false, 1]);
  await until("the second follows, and is told", () => role(two), ["follower", false, 1]);
  await one.run(() => globalThis.mesh.document("app").set("one", 1).stored());
  await two.run(() => globalThis.mesh.document("app").set("two", 2).stored());
  for (const tab of [one, two]) await until("it shows both", all(tab), ["one", "two"]);
  await one.close();
  await until("the second writes", () => role(two), ["writer", false, 1]);
  await two.run(() => globalThis.mesh.document("app").set("three", 3).stored());
  await until("nothing is lost", all(two), ["one", "three", "two"]);
}
