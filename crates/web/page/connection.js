// How it stands with the mesh, in plain words, and at which stage it fails when it does.

import { element, make, write } from "./dom.js";

const STAGES = [
  ["hub", "Hub"],
  ["signalling", "Signalling"],
  ["connecting", "Candidates"],
  ["handshake", "Link"],
  ["sync", "Sync"],
];
const MEANINGS = {
  hub: "This browser asks a hub who else is in the room.",
  signalling: "Two members exchange, by way of the hub, how they can be reached.",
  connecting: "Both try each other's addresses until a pair of them works.",
  handshake: "Both prove their keys, and that they know the secret of the space.",
  sync: "Both compare what they hold, and send what the other lacks.",
};
const MARKS = { done: "✓", now: "…", failed: "✗", idle: "" };

let hubTrouble = null;
/** Of sessions without a link: where the last attempt failed, and why. */
const failures = new Map();
const synced = new Set();

export function hearConnection({ type, session, stage, reason }) {
  if (type === "hub-joined") hubTrouble = null;
  if (type === "hub-unreachable") hubTrouble = `cannot be reached: ${reason}`;
  if (type === "hub-refused") hubTrouble = `refuses us: ${reason}`;
  if (type === "link-failed") failures.set(session, { stage, reason });
  if (type === "link-up") failures.delete(session);
  if (type === "link-down") synced.delete(session);
  if (type === "synced") synced.add(session);
}

/** What a person wants to know, from the status of a mesh. */
export function summary({ hubs, links, peers, disconnected, role, webrtc }) {
  const up = links.filter(({ stage }) => stage === "up");
  const trying = links.find(({ stage }) => stage !== "up");
  const behind = up.filter(({ session }) => !synced.has(session));
  const failure = trying && failures.get(trying.session);
  const joined = hubs.some((hub) => hub.joined);
  const hub = joined || !hubs.length ? "done" : hubTrouble ? "failed" : "now";
  const stages = { hub, ...linkStages(up, trying, failure), sync: up.length ? (behind.length ? "now" : "done") : "idle" };
  if (disconnected) {
    const cut = Object.fromEntries(STAGES.map(([stage]) => [stage, "idle"]));
    return { stages: cut, short: "cut off", tone: "warn", words: "This tab is cut off. What you change stays here, and the others go on without you. Bring it back, and watch both sides become one." };
  }
  const sentences = [];
  if (!peers.length && !links.length && webrtc !== false) sentences.push("Nobody else is here yet: invite somebody, or open this page in another browser.");
  else if (up.length) sentences.push(`Linked with ${count(up.length, "member")}${behind.length ? `, comparing with ${behind.length}` : ", in step with all"}.`);
  if (peers.length > up.length) sentences.push(`${count(peers.length - up.length, "member")} known by way of others.`);
  if (trying) sentences.push(trouble(trying, failure));
  if (hub === "failed") sentences.push(`The hub ${hubTrouble}. ${up.length ? "The links live on without it; nobody new can be found." : "Your own data is here all the same."}`);
  if (hub === "now") sentences.push("Looking for the hub.");
  if (role === "follower") sentences.push("Another tab of this browser keeps the store, and links this one with the others.");
  if (webrtc === false) sentences.push("This browser makes no links to others (it has no WebRTC): only its own tabs are in step.");
  return { stages, ...inShort(up, peers, trying, hub), words: sentences.join(" ") };
}

function linkStages(up, trying, failure) {
  const order = ["signalling", "connecting", "handshake"];
  if (up.length) return Object.fromEntries(order.map((stage) => [stage, "done"]));
  const at = order.indexOf(trying?.stage === "waiting" ? failure?.stage : trying?.stage);
  const mark = trying?.stage === "waiting" ? "failed" : "now";
  return Object.fromEntries(order.map((stage, index) => [stage, index < at ? "done" : index === at ? mark : "idle"]));
}

function trouble({ name, stage, session }, failure) {
  const who = name ?? `session ${session.slice(0, 6)}`;
  const place = (stage) => STAGES.find(([known]) => known === stage)?.[1].toLowerCase() ?? stage;
  const before = failure ? `the last attempt failed at ${place(failure.stage)}: ${failure.reason}` : "";
  if (stage === "waiting") return before ? `No link with ${who}: ${before}.` : `No link with ${who} yet.`;
  return `Linking with ${who}, at ${place(stage)}${before ? `; ${before}` : ""}.`;
}

function inShort(up, peers, trying, hub) {
  const without = hub === "failed" ? ", without the hub" : "";
  if (up.length) return { short: `${count(up.length, "link")}${without}`, tone: "good" };
  if (trying) return { short: "linking", tone: "" };
  if (peers.length) return { short: `${count(peers.length, "member")}, no link`, tone: "warn" };
  return { short: `alone here${without}`, tone: without ? "warn" : "" };
}

const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

export function say(text, tone = "") {
  const pill = element("connection");
  write(pill, text);
  pill.dataset.tone = tone;
}

export function showConnection(status) {
  const { stages, short, tone, words } = summary(status);
  say(short, tone);
  write(element("cut"), status.disconnected ? "Bring back" : "Cut off");
  document.body.classList.toggle("cut-off", status.disconnected);
  write(element("words"), words);
  const steps = STAGES.map(([stage, name]) => {
    const mark = make("span", { className: "mark" }, MARKS[stages[stage]]);
    return make("li", { className: stages[stage], title: MEANINGS[stage], dataset: { stage } }, mark, name);
  });
  element("stages").replaceChildren(...steps);
}
