// Who is here, with a status that each may set.

import { element, make } from "./dom.js";
import { milliseconds } from "./graph.js";
import { colourOf, kindOf } from "./nodes.js";

export function showPeople({ self, peers, links }) {
  const byPeer = new Map(links.map((link) => [link.session, link]));
  const rows = [self, ...peers].map((member) => {
    const own = member === self;
    const link = byPeer.get(member.session);
    const rtt = link?.rttMs ? milliseconds(link.rttMs) : link?.stage === "up" ? "linked" : (link?.stage ?? "by others");
    const facts = [kindOf(member, self), member.away && "away", own ? "this tab" : rtt];
    const keeps = member.storage === "memory" ? "keeps nothing" : null;
    return make(
      "li",
      { title: `node ${member.node}` },
      make("span", { className: `dot ${colourOf(member.node)}` }),
      make("span", { className: "name" }, member.name, make("small", {}, member.status)),
      make("span", { className: "fact" }, [...facts, keeps].filter(Boolean).join(" · ")),
    );
  });
  element("peers").replaceChildren(...rows);
}

export function beginPeople(mesh, soon) {
  element("own-status").addEventListener("submit", (event) => {
    event.preventDefault();
    mesh.setStatus(event.target.elements.status.value.trim());
    soon();
  });
}
