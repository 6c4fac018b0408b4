//! `plot`: a run as a picture.

use std::{cell::RefCell, fmt::Write as _, path::PathBuf, process::ExitCode, rc::Rc};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use meshwork::{Effect, Event};
use meshwork_sim::{Entry, Fault, Trace, What, World};

use super::setting::Setting;

const WIDTH: f64 = 1_400.0;
const LEFT: f64 = 70.0;
const ROW: f64 = 60.0;
const LAG_HEIGHT: f64 = 160.0;
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#a0522d"];

/// Arguments of `plot`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setting: Setting,
    /// From this second of virtual time on
    #[arg(long, default_value_t = 0.0)]
    from_s: f64,
    /// So many seconds; messages can be told apart in ten or so
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Where to write the picture
    #[arg(long, value_name = "FILE.svg", default_value = "run.svg")]
    output: PathBuf,
}

/// What is drawn of a run. Times are in seconds.
#[derive(Default)]
struct Seen {
    /// From, when, to, when.
    frames: Vec<(usize, f64, usize, f64)>,
    /// Who, when, in which sign.
    marks: Vec<(usize, f64, Mark)>,
    /// Begun and not ended yet.
    open: Vec<(Fault, f64)>,
    /// From, to, what.
    faults: Vec<(f64, f64, Fault)>,
    /// Operations that each node shows.
    shown: Vec<u64>,
    authored: u64,
    /// When, and how many operations each node lacked.
    lag: Vec<(f64, Vec<u64>)>,
    end: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Edit,
    Start,
    Death,
}

/// Plots it.
pub(crate) fn run(Arguments { setting, from_s, seconds, output }: &Arguments) -> Result<ExitCode> {
    if !(*seconds > 0.0 && seconds.is_finite() && *from_s >= 0.0 && from_s.is_finite()) {
        bail!("--from-s {from_s} --seconds {seconds}: the first is 0 or more, the second more than 0");
    }
    let plan = setting.plan()?;
    let nodes = plan.all_nodes();
    let seen = Rc::new(RefCell::new(Seen { shown: vec![0; nodes], ..Seen::default() }));
    let listener = Rc::clone(&seen);
    let (from, to) = (*from_s, from_s + seconds);
    let trace = Trace::with_listener(move |entry| listener.borrow_mut().hear(&entry, from, to));
    let outcome = World::new(plan, trace).run();
    let mut seen = seen.borrow_mut();
    seen.finish();
    let picture = draw(&seen, nodes, from, to.min(seen.end.max(from + 0.001)));
    std::fs::write(output, picture).with_context(|| format!("{}", output.display()))?;
    println!("{}", output.display());
    if let Some(violation) = outcome.violation {
        println!("{violation}");
    }
    Ok(ExitCode::SUCCESS)
}

impl Seen {
    fn hear(&mut self, entry: &Entry, from: f64, to: f64) {
        // The world begins at the first second of its clock.
        let seconds = |at: meshwork::Monotonic| at.0 as f64 / 1e6 - 1.0;
        let at = seconds(entry.at);
        self.end = at;
        let node = entry.node.unwrap_or(0);
        match &entry.what {
            What::Frame { from: sender, sent, .. } if at >= from && seconds(*sent) <= to => {
                self.frames.push((*sender, seconds(*sent), node, at));
            }
            What::Effect(Effect::Edited { result: Ok(_), .. }) => {
                self.marks.push((node, at, Mark::Edit));
                self.authored += 1;
                self.shows(node, 1, at);
            }
            What::Effect(Effect::Event(Event::OperationReceived { dots, .. })) => {
                self.shows(node, dots.len() as u64, at);
            }
            What::Starts => {
                self.marks.push((node, at, Mark::Start));
                self.shown[node] = 0;
                self.shows(node, 0, at);
            }
            What::Dies => self.marks.push((node, at, Mark::Death)),
            What::Begins(fault) => self.open.push((fault.clone(), at)),
            What::Ends(fault) => {
                if let Some(index) = self.open.iter().position(|(open, _)| open == fault) {
                    let (fault, begun) = self.open.remove(index);
                    self.faults.push((begun, at, fault));
                }
            }
            _ => {}
        }
    }

    fn shows(&mut self, node: usize, more: u64, at: f64) {
        self.shown[node] += more;
        let lag = self.shown.iter().map(|shown| self.authored.saturating_sub(*shown)).collect();
        self.lag.push((at, lag));
    }

    fn finish(&mut self) {
        let end = self.end;
        let open = std::mem::take(&mut self.open);
        self.faults.extend(open.into_iter().map(|(fault, begun)| (begun, end, fault)));
    }
}

fn draw(seen: &Seen, nodes: usize, from: f64, to: f64) -> String {
    let height = ROW * (nodes as f64 + 1.0) + LAG_HEIGHT + 90.0;
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' font-family='sans-serif' font-size='12'>\n\
         <rect width='100%' height='100%' fill='white'/>\n"
    );
    let x = |at: f64| LEFT + (at - from) / (to - from) * (WIDTH - LEFT - 20.0);
    draw_faults(&mut svg, seen, nodes, x, (from, to));
    for node in 0..nodes {
        let y = row(node);
        line(&mut svg, (LEFT, y), (WIDTH - 20.0, y), COLOURS[node % COLOURS.len()], 1.5);
        text(&mut svg, (8.0, y + 4.0), &format!("node {node}"));
    }
    for (sender, sent, receiver, at) in &seen.frames {
        line(
            &mut svg,
            (x(*sent), row(*sender)),
            (x(*at), row(*receiver)),
            COLOURS[sender % COLOURS.len()],
            0.5,
        );
    }
    for (node, at, mark) in seen.marks.iter().filter(|(_, at, _)| (from..=to).contains(at)) {
        draw_mark(&mut svg, (x(*at), row(*node)), *mark);
    }
    let top = row(nodes) + 30.0;
    draw_lag(&mut svg, seen, nodes, top, x, (from, to));
    draw_axis(&mut svg, top + LAG_HEIGHT, x, (from, to));
    svg.push_str("</svg>\n");
    svg
}

fn row(node: usize) -> f64 {
    ROW * (node as f64 + 0.7)
}

/// Faults are bands on the lines of the nodes that they hit, or over all of them.
fn draw_faults(svg: &mut String, seen: &Seen, nodes: usize, x: impl Fn(f64) -> f64, (from, to): (f64, f64)) {
    let visible = seen.faults.iter().filter(|(begun, ended, _)| *ended >= from && *begun <= to);
    for (begun, ended, fault) in visible {
        let (left, right) = (x(begun.max(from)), x(ended.min(to)));
        let hit = fault.nodes();
        let rows: Vec<usize> = if hit.is_empty() { (0..nodes).collect() } else { hit };
        for node in rows {
            let y = row(node) - 9.0;
            let width = (right - left).max(2.0);
            let _ = writeln!(
                svg,
                "<rect x='{left:.1}' y='{y:.1}' width='{width:.1}' height='18' fill='#c00' opacity='0.13'/>"
            );
            if node == fault.nodes().first().copied().unwrap_or(0) {
                text(svg, (left + 2.0, y - 2.0), name(fault));
            }
        }
    }
}

fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::Cut { both: true, .. } => "cut",
        Fault::Cut { both: false, .. } => "cut one way",
        Fault::Storm { .. } => "storm",
        Fault::HubCrash => "hub down",
        Fault::HubSlow { .. } => "hub slow",
        Fault::HubCut { .. } => "no hub",
        Fault::HubLies => "hub lies",
        Fault::Crash { .. } => "crash",
        Fault::Pause { announced: true, .. } => "frozen",
        Fault::Pause { announced: false, .. } => "paused",
        Fault::Leave { .. } => "leaves",
        Fault::Offline { .. } => "offline",
        Fault::DiskFull { .. } => "disk full",
        Fault::DiskSlow { .. } => "disk slow",
        Fault::ClockJump { .. } => "clock set",
        Fault::Throttle { .. } => "throttled",
    }
}

fn draw_mark(svg: &mut String, (x, y): (f64, f64), mark: Mark) {
    let _ = match mark {
        Mark::Edit => {
            writeln!(svg, "<circle cx='{x:.1}' cy='{y:.1}' r='3.5' fill='black'><title>edit</title></circle>")
        }
        Mark::Start => writeln!(
            svg,
            "<path d='M{x:.1} {:.1} l8 6 l-8 6 z' fill='#080'><title>starts</title></path>",
            y - 6.0
        ),
        Mark::Death => writeln!(
            svg,
            "<path d='M{:.1} {:.1} l10 10 m0 -10 l-10 10' stroke='#c00' stroke-width='2.5'><title>is gone</title></path>",
            x - 5.0,
            y - 5.0
        ),
    };
}

/// How many operations each node lacks, over time.
fn draw_lag(
    svg: &mut String,
    seen: &Seen,
    nodes: usize,
    top: f64,
    x: impl Fn(f64) -> f64,
    (from, to): (f64, f64),
) {
    let visible = || seen.lag.iter().filter(|(at, _)| (from..=to).contains(at));
    let most = visible().flat_map(|(_, lag)| lag).max().copied().unwrap_or(0).max(1);
    text(svg, (8.0, top + 12.0), &format!("lag {most}"));
    for node in 0..nodes {
        let mut points = String::new();
        let mut before = None;
        for (at, lag) in visible() {
            let y = top + (LAG_HEIGHT - 10.0) * (1.0 - lag[node] as f64 / most as f64);
            if let Some(before) = before.filter(|before| *before != y) {
                let _ = write!(points, "{:.1},{before:.1} ", x(*at));
            }
            let _ = write!(points, "{:.1},{y:.1} ", x(*at));
            before = Some(y);
        }
        let colour = COLOURS[node % COLOURS.len()];
        let _ =
            writeln!(svg, "<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='1.5'/>");
    }
}

fn draw_axis(svg: &mut String, y: f64, x: impl Fn(f64) -> f64, (from, to): (f64, f64)) {
    line(svg, (LEFT, y), (WIDTH - 20.0, y), "black", 1.0);
    for tick in 0..=10 {
        let at = from + (to - from) * f64::from(tick) / 10.0;
        line(svg, (x(at), y), (x(at), y + 5.0), "black", 1.0);
        text(svg, (x(at) - 10.0, y + 18.0), &format!("{at:.1} s"));
    }
    let legend = "● edit   ▶ starts   ✕ is gone   red: a fault   below: operations that each node lacks";
    text(svg, (LEFT, y + 40.0), legend);
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
    let ((x1, y1), (x2, y2)) = (from, to);
    // Writing into a string cannot fail.
    let _ = writeln!(
        svg,
        "<line x1='{x1:.1}' y1='{y1:.1}' x2='{x2:.1}' y2='{y2:.1}' stroke='{colour}' stroke-width='{width}'/>"
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), words: &str) {
    let _ = writeln!(svg, "<text x='{x:.1}' y='{y:.1}'>{words}</text>");
}
