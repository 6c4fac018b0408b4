//! Other processes of this very program: hubs, and workers that take orders line by line.

use std::{
    fs::{File, Permissions},
    marker::PhantomData,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use serde::{Serialize, de::DeserializeOwned};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{mpsc, watch},
};

use super::output::say;

/// How long a hub may take to start.
const START_WITHIN: Duration = Duration::from_secs(15);
/// Orders that may wait for a worker to obey them; further ones wait in the pipe.
const ORDERS_MAX: usize = 256;
/// How long a process may take to end by itself.
const END_WITHIN: Duration = Duration::from_secs(15);

/// Where the nodes' data lives. A temporary directory is private to the user, and removed when this is dropped.
pub(crate) enum DataDirectory {
    Chosen(PathBuf),
    Temporary(TempDir),
}

impl DataDirectory {
    /// One that the user chose. What an earlier run left there would count as this one's, so there may be nothing.
    pub(crate) fn keep(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut entries =
            std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        if entries.next().is_some() {
            bail!("{} is not empty; each run begins with nothing: use a new --data", path.display());
        }
        Ok(Self::Chosen(path.to_owned()))
    }

    pub(crate) fn temporary(purpose: &str) -> Result<Self> {
        let nobody_else = Permissions::from_mode(0o700);
        let prefix = format!("meshwork-{purpose}-");
        let directory = tempfile::Builder::new().prefix(&prefix).permissions(nobody_else).tempdir();
        Ok(Self::Temporary(directory.context("cannot create a temporary directory")?))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Chosen(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }

    /// Leaves everything as it is, for somebody to look at.
    pub(crate) fn leave(self) -> PathBuf {
        match self {
            Self::Chosen(path) => path,
            Self::Temporary(directory) => directory.keep(),
        }
    }
}

/// This program with other arguments; its log goes beside the data. It ends when its standard input does, which is when
/// this process has ended in whatever way. A Ctrl-C is for this process alone, which then ends it.
fn command(arguments: &[&str], log: &Path) -> Result<Command> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    command.process_group(0).kill_on_drop(true);
    Ok(command)
}

/// The hub, ended when this is dropped.
pub(crate) struct Hub {
    pub(crate) url: String,
    process: Child,
}

impl Hub {
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let log = directory.join("hub.log");
        // Its rooms are new, so it has no members to wait for.
        let arguments = ["hub", "--listen", "127.0.0.1:0", "--found-after-ms", "0", "--while-input"];
        let mut process = command(&arguments, &log)?.spawn().context("cannot start a hub")?;
        let output = process.stdout.take().context("the hub has no output")?;
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(START_WITHIN, lines.next_line()).await;
        let line = line.context("the hub does not start")??;
        let url = line.as_deref().and_then(|line| line.strip_prefix("hub at "));
        let url = url.with_context(|| format!("the hub did not start; see {}", log.display()))?.to_owned();
        Ok(Self { url, process })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    pub(crate) async fn kill(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.process.kill().await;
    }
}

/// A worker: takes orders `O` on its standard input and tells `T` on its standard output, one JSON object a line.
pub(crate) struct Worker<O, T> {
    name: String,
    log: PathBuf,
    child: Child,
    orders: ChildStdin,
    tells: Lines<BufReader<ChildStdout>>,
    alive: bool,
    speaks: PhantomData<fn(O) -> T>,
}

impl<O: Serialize, T: DeserializeOwned> Worker<O, T> {
    pub(crate) fn start(arguments: &[&str], name: &str, log: PathBuf) -> Result<Self> {
        let mut child = command(arguments, &log)?.spawn().with_context(|| format!("cannot start {name}"))?;
        let orders = child.stdin.take().context("a worker has no input")?;
        let output = child.stdout.take().context("a worker has no output")?;
        let tells = BufReader::new(output).lines();
        Ok(Self { name: name.to_owned(), log, child, orders, tells, alive: true, speaks: PhantomData })
    }

    /// Its process id, while it lives.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive
    }

    pub(crate) async fn order(&mut self, order: &O) -> Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.orders.write_all(&line).await.with_context(|| self.ended())
    }

    /// Its next word.
    pub(crate) async fn tell(&mut self) -> Result<T> {
        let Some(line) = self.tells.next_line().await? else { bail!(self.ended()) };
        serde_json::from_str(&line).with_context(|| format!("{} says `{line}`", self.name))
    }

    fn ended(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().take(5).collect::<Vec<_>>();
        format!(
            "{} has ended; its last words: {}",
            self.name,
            last.into_iter().rev().collect::<Vec<_>>().join(" | ")
        )
    }

    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.alive = false;
        self.child.kill().await.with_context(|| format!("cannot kill {}", self.name))
    }

    /// Waits until the process has ended, with some patience.
    pub(crate) async fn end(&mut self) {
        self.alive = false;
        if tokio::time::timeout(END_WITHIN, self.child.wait()).await.is_err() {
            tracing::warn!("{} does not end", self.name);
            // What cannot be killed is left to the system.
            let _ = self.child.kill().await;
        }
    }
}

/// A worker's side: the orders on its standard input.
pub(crate) struct Orders {
    lines: mpsc::Receiver<String>,
    /// Nothing is sent; its sender is dropped when the orders end.
    open: watch::Receiver<()>,
}

impl Orders {
    pub(crate) fn listen() -> Self {
        let (line, lines) = mpsc::channel(ORDERS_MAX);
        let (opened, open) = watch::channel(());
        // A thread of its own, so that the end is noticed whatever the worker is at.
        std::thread::spawn(move || {
            let _opened = opened;
            for text in std::io::stdin().lines().map_while(Result::ok) {
                if line.blocking_send(text).is_err() {
                    return;
                }
            }
        });
        Self { lines, open }
    }

    /// The next one; `None` when there will be no more.
    pub(crate) async fn next<O: DeserializeOwned>(&mut self) -> Result<Option<O>> {
        let Some(line) = self.lines.recv().await else { return Ok(None) };
        serde_json::from_str(&line).map(Some).with_context(|| format!("not an order: {line}"))
    }

    /// Waits until whoever gave the orders is gone.
    pub(crate) fn gone(&self) -> impl Future<Output = ()> + use<> {
        let mut open = self.open.clone();
        async move { while open.changed().await.is_ok() {} }
    }
}

/// Tells whoever gives the orders.
pub(crate) fn tell(tell: &impl Serialize) {
    match serde_json::to_string(tell) {
        // When nobody listens any more, the end of the orders ends this process too.
        Ok(line) => drop(say(line)),
        Err(error) => tracing::error!(%error, "a message does not encode"),
    }
}

/// Now, by the wall clock, which all processes of one machine share.
pub(crate) fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
