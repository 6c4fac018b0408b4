//! A process of the mesh, through all its lives: a node or the hub.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
    time::{Instant, sleep, timeout},
};

use crate::{
    api::{Api, Status},
    host::Host,
};

/// How long a process may take to start and to answer, and to end when it is asked to.
const START_WITHIN: Duration = Duration::from_secs(60);
const END_WITHIN: Duration = Duration::from_secs(20);
const POLL_EVERY: Duration = Duration::from_millis(50);

/// How it is started.
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}

pub(crate) struct Member {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) host: Host,
    pub(crate) api: Api,
    pub(crate) log: PathBuf,
    /// Where a node's data is; nowhere for a hub.
    pub(crate) data: PathBuf,
    /// Counts its starts.
    life: AtomicU64,
    process: Mutex<Process>,
}

struct Process {
    start: Start,
    child: Option<Child>,
    peak_kib: u64,
}

impl Member {
    pub(crate) fn new(number: usize, host: Host, log: PathBuf, data: PathBuf, start: Start) -> Result<Self> {
        let name = if number == crate::plan::HUB { "hub".to_owned() } else { format!("node-{number}") };
        let process = Mutex::new(Process { start, child: None, peak_kib: 0 });
        Ok(Self { number, name, host, api: Api::new()?, log, data, life: AtomicU64::new(0), process })
    }

    pub(crate) fn life(&self) -> u64 {
        self.life.load(Ordering::SeqCst)
    }

    /// The most memory that was seen resident in any life.
    pub(crate) async fn peak_kib(&self) -> u64 {
        self.process.lock().await.peak_kib
    }

    pub(crate) async fn start(&self) -> Result<()> {
        let mut process = self.process.lock().await;
        if process.child.is_some() {
            bail!("{} runs already", self.name);
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log: File = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = Command::new(&process.start.program);
        command
            .args(&process.start.arguments)
            .envs(process.start.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        self.life.fetch_add(1, Ordering::SeqCst);
        let child = self.host.run(async move { Ok(command.spawn()?) }).await;
        process.child = Some(child.with_context(|| format!("cannot start {}", self.name))?);
        Ok(())
    }

    /// From the next start on.
    pub(crate) async fn set_arguments(&self, arguments: Vec<OsString>) {
        self.process.lock().await.start.arguments = arguments;
    }

    /// SIGKILL.
    pub(crate) async fn kill(&self) -> Result<()> {
        let mut process = self.process.lock().await;
        process.measure();
        if let Some(mut child) = process.child.take() {
            child.kill().await.with_context(|| format!("cannot kill {}", self.name))?;
        }
        Ok(())
    }

    /// SIGTERM; complains unless it ends as it should, in time.
    pub(crate) async fn terminate(&self) -> Result<()> {
        self.signal(Signal::SIGTERM).await?;
        let mut process = self.process.lock().await;
        let Some(mut child) = process.child.take() else { return Ok(()) };
        match timeout(END_WITHIN, child.wait()).await {
            Ok(status) => {
                let status = status?;
                if !status.success() {
                    bail!("{} was asked to end, and did with {status}", self.name);
                }
                Ok(())
            }
            Err(_) => bail!("{} was asked to end, and did not in {} s", self.name, END_WITHIN.as_secs()),
        }
    }

    pub(crate) async fn signal(&self, signal: Signal) -> Result<()> {
        let process = self.process.lock().await;
        let id = process.child.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok());
        match id {
            Some(id) => {
                kill(Pid::from_raw(id), signal).with_context(|| format!("cannot signal {}", self.name))
            }
            // It died by itself, which the watch reports.
            None => Ok(()),
        }
    }

    /// Measures its memory; says so if it has died by itself.
    pub(crate) async fn look(&self) -> Option<String> {
        let mut process = self.process.lock().await;
        process.measure();
        let status = process.child.as_mut()?.try_wait().ok()??;
        process.child = None;
        Some(format!("{} died by itself: {status}; its last words: {}", self.name, self.last_words()))
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        last.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    /// What a node says of itself.
    pub(crate) async fn status(&self) -> Result<Status> {
        let api = self.api.clone();
        self.host.run(async move { api.status().await }).await
    }

    /// Waits until the node's status is as it should be; the error says what `what` names.
    pub(crate) async fn wait_until(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Result<()> {
        let begun = Instant::now();
        loop {
            let status = self.status().await;
            if status.as_ref().is_ok_and(&holds) {
                return Ok(());
            }
            if begun.elapsed() > START_WITHIN {
                let status =
                    status.map(|status| format!("{status:?}")).unwrap_or_else(|error| format!("{error:#}"));
                bail!("{}: {what}: not within {} s; {status}", self.name, START_WITHIN.as_secs());
            }
            sleep(POLL_EVERY).await;
        }
    }
}

impl Process {
    fn measure(&mut self) {
        let Some(id) = self.child.as_ref().and_then(Child::id) else { return };
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        self.peak_kib = self.peak_kib.max(peak(&status).unwrap_or(0));
    }
}

/// The most memory that was resident, from `/proc/…/status`.
fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read() {
        assert_eq!(peak("Name:\tmeshwork\nVmHWM:\t   12345 kB\nVmRSS:\t 9 kB\n"), Some(12_345));
        assert_eq!(peak("Name:\tzombie\n"), None);
    }
}
