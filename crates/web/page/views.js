// When views are drawn: soon after something has changed, and never so much that the page cannot follow its person.

/** What is drawn in one frame, in milliseconds: a view that comes later waits for the next one. */
const FRAME_MS = 1;
/** After a frame the page rests for so many times as long as drawing it took, layout and paint included. */
const REST = 5;

/** Returns what asks for all views to be drawn again, as often as one likes: each is drawn at most once a frame. */
export function drawing(views) {
  const due = new Set();
  let busy = false;

  function next() {
    busy = due.size > 0;
    if (busy) requestAnimationFrame(frame);
  }

  function frame() {
    const began = performance.now();
    for (const view of due) {
      due.delete(view);
      view();
      if (performance.now() - began > FRAME_MS) break;
    }
    afterPaint(() => setTimeout(next, REST * (performance.now() - began)));
  }

  return () => {
    for (const view of views) due.add(view);
    if (!busy) next();
  };
}

/** A message that is sent while a frame is drawn arrives when it is on the screen. */
function afterPaint(callback) {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    callback();
  };
  port2.postMessage(null);
}
