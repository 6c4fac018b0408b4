// What a page's thread did, as Chromium tells it: also how much of a task was the page's own doing on a busy machine.

/** Whatever takes longer, a person notices: https://w3c.github.io/longtasks/ */
const TASK_MS_MAX = 50;
const CATEGORIES = ["toplevel", "devtools.timeline"];

/** Records what happens from now on; the function that is returned ends that, and returns the events, if this kind tells. */
export async function traced(browser, kind) {
  if (kind !== "chromium") return async () => null;
  const session = await browser.target().createCDPSession();
  await session.send("Tracing.start", { transferMode: "ReturnAsStream", traceConfig: { includedCategories: CATEGORIES } });
  return async () => {
    const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
    await session.send("Tracing.end");
    const { stream } = await complete;
    let text = "";
    for (let end = false; !end; ) {
      const { data, base64Encoded, eof } = await session.send("IO.read", { handle: stream });
      text += base64Encoded ? Buffer.from(data, "base64").toString() : data;
      end = eof;
    }
    return JSON.parse(text).traceEvents;
  };
}

/**
 * The tasks of the page that worked most, the longest first, in milliseconds: of the processor's time, which is counted in
 * coarse ticks, and of the clock's at most.
 */
export function tasksOf(events) {
  if (events === null) return [];
  const isPage = ({ name, args }) => name === "thread_name" && args.name === "CrRendererMain";
  const threadOf = ({ pid, tid }) => `${pid} ${tid}`;
  const pages = new Map(events.filter(isPage).map((event) => [threadOf(event), []]));
  for (const event of events) {
    if (event.ph !== "X" || event.name !== "ThreadControllerImpl::RunTask") continue;
    pages.get(threadOf(event))?.push(Math.min(event.tdur ?? 0, event.dur) / 1_000);
  }
  const sum = (tasks) => tasks.reduce((all, ms) => all + ms, 0);
  const [busiest = []] = [...pages.values()].sort((a, b) => sum(b) - sum(a));
  return busiest.sort((a, b) => b - a);
}

/** Throws if a task of that page was long, where the browser tells. */
export function refuseLong(events) {
  if (events === null) return;
  const [longest = 0] = tasksOf(events);
  if (longest === 0) throw new Error("the browser told of no task that took any time");
  if (longest > TASK_MS_MAX) throw new Error(`a task took ${longest.toFixed(0)} ms`);
}
