// Letting others in: the room's code, the invitation's link, and the link as a QR code.

import { qrCode } from "./meshwork_web.js";
import { drawn, element } from "./dom.js";

/** The light frame that readers of QR codes need, in modules. */
const QUIET_ZONE = 4;

export function beginInvite(mesh, { hub, room }) {
  const dialog = element("invitation");
  element("room").textContent = room;
  element("show-invitation").addEventListener("click", () => {
    const link = mesh.invitation(hub, room);
    element("invitation-room").textContent = room;
    element("invitation-link").value = link;
    element("qr").replaceChildren(...drawing(link));
    const reach = element("invitation-reach");
    reach.hidden = !isLocal(new URL(link).hostname);
    reach.textContent = "This hub has an address of this machine alone: other devices cannot follow the link. Let the hub listen on an address of your network.";
    dialog.showModal();
  });
  element("copy-invitation").addEventListener("click", async ({ target }) => {
    element("invitation-link").select();
    // Pages that are not loaded over https have no clipboard, and the link is selected all the same.
    await navigator.clipboard?.writeText(element("invitation-link").value).then(
      () => (target.textContent = "Copied"),
      () => {},
    );
    setTimeout(() => (target.textContent = "Copy"), 2_000);
  });
  // A press outside closes it, as people expect.
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
}

const isLocal = (host) => host === "localhost" || host === "[::1]" || host.startsWith("127.");

function drawing(text) {
  const modules = qrCode(text);
  if (!modules) return [];
  const size = Math.sqrt(modules.length);
  const path = [...modules].map((module, at) => (module === "1" ? `M${at % size} ${Math.floor(at / size)}h1v1h-1z` : "")).join("");
  const whole = size + 2 * QUIET_ZONE;
  const code = drawn("svg", { viewBox: `${-QUIET_ZONE} ${-QUIET_ZONE} ${whole} ${whole}`, "shape-rendering": "crispEdges" });
  code.append(drawn("path", { d: path }));
  return [code];
}
