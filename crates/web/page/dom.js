// Elements. Nothing that others wrote is ever read as HTML.

export const element = (id) => document.getElementById(id);

/** The first characters of an id, which are enough to tell it from others by eye. */
export const short = (id) => id.slice(0, 6);

/** A new element with properties, and text or children. */
export function make(tag, properties = {}, ...children) {
  const { dataset, ...others } = properties;
  const made = Object.assign(document.createElement(tag), others);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

/** A new element of a drawing. */
export function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Makes `children` those of `parent`, and leaves alone what is in its place already: it keeps its focus. */
export function arrange(parent, children) {
  let at = parent.firstChild;
  for (const child of children) {
    if (child === at) at = at.nextSibling;
    else parent.insertBefore(child, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Sets text only where it differs: a selection in it survives. */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Fills a choice, and keeps what was chosen. `options`: pairs of value and text. */
export function offer(select, options) {
  const known = [...select.options].map(({ value, textContent }) => [value, textContent]);
  if (JSON.stringify(known) === JSON.stringify(options)) return;
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  select.value = options.some(([value]) => value === chosen) ? chosen : (options[0]?.[0] ?? "");
}
