// How far the tab is, while others have very much for it, or its own log has.

import { element, write } from "./dom.js";

/** Less than this is there in a moment. */
const BEHIND_MIN = 1_000;

export function hearProgress({ shown, known }) {
  const line = element("catching-up");
  if (line.hidden && known - shown < BEHIND_MIN) return;
  line.hidden = shown >= known;
  const [bar, text] = line.children;
  Object.assign(bar, { max: known, value: shown });
  write(text, `${shown.toLocaleString()} of ${known.toLocaleString()} operations`);
}
