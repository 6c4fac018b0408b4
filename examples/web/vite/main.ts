// The list of docs/web.md, in TypeScript and by a bundler.

import { Mesh } from "meshwork";

const hub = import.meta.env.VITE_HUB ?? "http://127.0.0.1:7070";
const mesh = await Mesh.join({ hub, room: "LIST01", name: "a browser" });
const list = mesh.document("list");

function element<Kind extends Element>(selector: string): Kind {
  const found = document.querySelector<Kind>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

function show() {
  const items = Object.entries(list.json()).map(([id, text]) => {
    const item = Object.assign(document.createElement("li"), { textContent: String(text) });
    item.addEventListener("click", () => list.delete([id]));
    return item;
  });
  element("ul").replaceChildren(...items);
}
list.subscribe(show);
show();

const form = element<HTMLFormElement>("form");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const added = list.set([crypto.randomUUID()], String(new FormData(form).get("entry")));
  form.reset();
  await added.confirmed();
  element("p").textContent = "Stored on two nodes.";
});
