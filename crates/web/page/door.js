// Joining: by a room's code, or by an invitation's link, which may have opened this page.

import { element } from "./dom.js";

const ROOM_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const ROOM_LENGTH = 6;
const LINK = /^(.*)\/join\/([0-9A-Za-z]{6})(#.*)?$/;

const door = element("door");
const fields = door.elements;
const parameters = new URLSearchParams(location.search);

/** The place that a link leads to: hub, room, and whether it holds the secret. */
function placeIn(text) {
  const [, hub, room, secret] = text.match(LINK) ?? [];
  return room && { hub, room: room.toUpperCase(), invitation: secret ? text : undefined };
}

/** What the server that this page is from suggests: a hub itself, a node its hub and room. */
async function suggestion() {
  const answer = await fetch("/page/place.json").catch(() => null);
  return answer?.ok ? answer.json().catch(() => ({})) : {};
}

/** `enter` is called with what a person wants to join; what it throws is shown. */
export async function openDoor(enter) {
  const invited = placeIn(location.href);
  const suggested = await suggestion();
  fields.hub.value = suggested.hub ?? location.origin;
  fields.name.value = parameters.get("name") ?? localStorage.getItem("meshwork name") ?? "";
  fields.room.value =
    (invited && (invited.invitation ?? invited.room)) ?? parameters.get("room") ?? suggested.room ?? localStorage.getItem("meshwork room") ?? "";
  element("forgetful").hidden = isSecureContext;
  forgetPassword();
  fields.room.addEventListener("input", forgetPassword);
  element("make-room").addEventListener("click", () => {
    const random = crypto.getRandomValues(new Uint8Array(ROOM_LENGTH));
    fields.room.value = Array.from(random, (byte) => ROOM_ALPHABET[byte % ROOM_ALPHABET.length]).join("");
    forgetPassword();
  });
  door.addEventListener("submit", (event) => {
    event.preventDefault();
    pass(enter);
  });
  // Somebody who was here is let in at once.
  if (parameters.has("name") && parameters.has("room")) door.requestSubmit();
}

/** A link holds the secret: there is no password to give. */
function forgetPassword() {
  fields.password.parentElement.hidden = Boolean(placeIn(fields.room.value)?.invitation);
}

async function pass(enter) {
  const name = fields.name.value.trim();
  const typed = fields.room.value.trim();
  const linked = placeIn(typed);
  const room = linked?.room ?? typed.toUpperCase();
  const hub = linked?.hub || fields.hub.value.trim() || location.origin;
  const place = linked?.invitation ? { invitation: linked.invitation } : { hub, room, password: fields.password.value || undefined };
  // Without https the browser keeps nothing for a page.
  if (!isSecureContext) place.storage = false;
  const refusal = element("refusal");
  const button = door.querySelector("button");
  refusal.hidden = true;
  button.disabled = true;
  try {
    await enter({ ...place, name }, { hub, room });
  } catch (error) {
    refusal.textContent = error.message;
    refusal.hidden = false;
    return;
  } finally {
    button.disabled = false;
  }
  localStorage.setItem("meshwork name", name);
  localStorage.setItem("meshwork room", room);
  // Loaded again, the page goes on here; and the secret of a link does not stay in the address.
  if (isSecureContext) history.replaceState(null, "", `/?${new URLSearchParams({ name, room })}`);
  door.hidden = true;
}
