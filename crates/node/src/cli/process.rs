//! Other processes of this very program: hubs, and workers that take orders line by line.

use std::{
    fs::File,
    marker::PhantomData,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// How long a process may take to end by itself.
const END_WITHIN: Duration = Duration::from_secs(15);

/// Where the nodes' data lives.
pub(crate) struct DataDirectory {
    path: PathBuf,
    temporary: bool,
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
        Ok(Self { path: path.to_owned(), temporary: false })
    }

    pub(crate) fn temporary(purpose: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("meshwork-{purpose}-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, temporary: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is in the system's temporary directory, where the system removes it.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// This program with other arguments; its log goes beside the data.
fn command(arguments: &[&str], log: &Path) -> Result<Command> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
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
        let arguments = ["hub", "--listen", "127.0.0.1:0", "--found-after-ms", "0"];
        let mut process = command(&arguments, &log)?.spawn().context("cannot start a hub")?;
        let output = process.stdout.take().context("the hub has no output")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let url = line.as_deref().and_then(|line| line.strip_prefix("hub at "));
        let url = url.with_context(|| format!("the hub did not start; see {}", log.display()))?.to_owned();
        Ok(Self { url, process })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
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
        }
    }
}
