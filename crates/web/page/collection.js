// A list in the document that everybody can add to, rename in and delete from.

import { arrange, element, make, write } from "./dom.js";
import { manyInWords } from "./words.js";

/** Twice as many are shown at most: each has a name below it. */
const ENTRIES_MAX = 400;

const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** `key`: where it lies in the document, and the id of its list; `one`: what one of them is called. */
export function collection(app, key, one) {
  const rows = new Map();

  element(`add-${one}`).addEventListener("submit", (event) => {
    event.preventDefault();
    const name = event.target.elements.entry.value.trim();
    if (!name) return;
    app.set([key, newId(), "name"], name);
    event.target.reset();
  });

  function row(id) {
    const name = make("span", { className: "name" });
    const rename = make("button", { className: "plain" }, "rename");
    const remove = make("button", { className: "plain" }, "delete");
    const item = make("li", {}, name, rename, remove);
    remove.addEventListener("click", () => app.delete([key, id]));
    rename.addEventListener("click", () => edit(item, name, (text) => app.set([key, id, "name"], text)));
    return { item, name };
  }

  return function show() {
    const { value, left } = app.excerpt([key], ENTRIES_MAX) ?? { value: {}, left: 0 };
    const entries = Object.entries(value ?? {});
    for (const id of rows.keys()) if (!Object.hasOwn(value, id)) rows.delete(id);
    const items = entries.map(([id, entry]) => {
      if (!rows.has(id)) rows.set(id, row(id));
      const { item, name } = rows.get(id);
      write(name, nameIn(entry) ?? id);
      return item;
    });
    if (left) items.push(make("li", { className: "quiet" }, `and ${manyInWords(left)} more`));
    arrange(element(key), items);
    element(`no-${key}`).hidden = entries.length > 0;
    write(element(`${key}-count`), entries.length ? manyInWords(entries.length + left) : "");
  };
}

function nameIn(entry) {
  const name = entry?.name ?? (typeof entry === "object" ? undefined : entry);
  return name === undefined || name === null ? undefined : String(name);
}

/** Lets a person type another name in its place. */
function edit(item, name, save) {
  if (item.querySelector("form")) return;
  const input = make("input", { value: name.textContent, maxLength: 64, ariaLabel: "A new name" });
  const form = make("form", { className: "row name" }, input, make("button", {}, "Save"));
  const end = () => {
    form.remove();
    item.classList.remove("editing");
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    end();
    if (text && text !== name.textContent) save(text);
  });
  input.addEventListener("keydown", ({ key }) => key === "Escape" && end());
  item.classList.add("editing");
  item.prepend(form);
  input.select();
}
