//! A PID and a mount namespace around the whole run.

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        prctl::set_pdeathsig,
        signal::{Signal, kill},
    },
    unistd::{Pid, geteuid},
};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

/// How long the run may take to end when it is interrupted.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Starts this program again inside, and waits for it.
pub(crate) fn enter() -> Result<ExitCode> {
    if !geteuid().is_root() {
        bail!(
            "not root: making namespaces and TUN devices takes root (`sudo` in front of this program will do)"
        );
    }
    if !Path::new("/dev/net/tun").exists() {
        bail!(
            "there is no /dev/net/tun: load the kernel's module `tun`, or let the container have the device"
        );
    }
    if std::process::Command::new("ip").arg("-V").output().is_err() {
        bail!("there is no `ip`: install the package iproute2");
    }
    // For the processes that this one starts from now on.
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID)
        .context("the system gives no namespaces (it takes CAP_SYS_ADMIN, which containers often lack)")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.args(std::env::args_os().skip(1)).arg("--inside").kill_on_drop(true);
        wait(command.spawn().context("cannot start this program again")?).await
    })
}

/// Passes on what should end the run.
async fn wait(mut child: Child) -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let status = tokio::select! {
        status = child.wait() => status,
        _ = interrupt.recv() => end(&mut child).await,
        _ = terminate.recv() => end(&mut child).await,
    }?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map(ExitCode::from).context("the run was killed; all that it had started ended with it")
}

async fn end(child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // Fails when it has just ended, which is as well.
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
    }
    if let Ok(status) = tokio::time::timeout(END_WITHIN, child.wait()).await {
        return status;
    }
    child.kill().await?;
    child.wait().await
}

/// Inside: mounts stay here, `/proc` shows only what is here, and all ends when the outer process does.
pub(crate) fn furnish() -> Result<()> {
    set_pdeathsig(Signal::SIGKILL).context("cannot tie this process to its parent")?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
        .context("cannot keep mounts to this run")?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), nothing).context("cannot mount /proc")
}
