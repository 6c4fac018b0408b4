//! A host: a thread in a network namespace of its own, for a process and those who talk to it.

use std::{net::Ipv4Addr, process::Command, sync::mpsc, thread};

use anyhow::{Context as _, Result, bail};
use nix::sched::{CloneFlags, unshare};
use tokio::runtime::{Builder, Handle};
use tokio_tun::Tun;

const NETMASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
const DEVICE: &str = "mesh0";

/// What runs on this host sees its own loopback and, through its TUN device, the other hosts.
#[derive(Clone)]
pub(crate) struct Host {
    runtime: Handle,
}

/// The address of the host with this number.
pub(crate) fn address(host: usize) -> Ipv4Addr {
    // Far fewer than 254 hosts.
    Ipv4Addr::new(10, 77, 0, host as u8 + 1)
}

/// Whose address this is.
pub(crate) fn number(address: Ipv4Addr) -> Option<usize> {
    match address.octets() {
        [10, 77, 0, last] => usize::from(last).checked_sub(1),
        _ => None,
    }
}

impl Host {
    /// The thread and with it the namespace last as long as this program. The router gets the other end of the device.
    pub(crate) fn start(host: usize, router: &Handle) -> Result<(Self, Tun)> {
        let (ready, started) = mpsc::channel();
        let router = router.clone();
        thread::Builder::new().name(format!("host {host}")).spawn(move || {
            let made = connect(host, &router).and_then(|tun| {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                Ok((runtime, tun))
            });
            match made {
                Ok((runtime, tun)) => {
                    // Nobody waits only when the program is ending.
                    let _ = ready.send(Ok((Self { runtime: runtime.handle().clone() }, tun)));
                    runtime.block_on(std::future::pending::<()>());
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })?;
        started.recv().context("the host's thread has ended")?
    }

    /// Runs the future on the host: sockets and processes that it makes belong there.
    pub(crate) fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// Runs the future on the host, and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.spawn(future).await.context("a task on a host has ended")?
    }
}

/// Moves this thread to a network of its own.
fn connect(host: usize, router: &Handle) -> Result<Tun> {
    unshare(CloneFlags::CLONE_NEWNET).context("the system gives no network namespace")?;
    let output = Command::new("ip").args(["link", "set", "lo", "up"]).output().context("cannot run `ip`")?;
    if !output.status.success() {
        bail!("`ip link set lo up` fails: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let _guard = router.enter();
    let tun = Tun::builder().name(DEVICE).address(address(host)).netmask(NETMASK).up().build();
    tun.context("cannot make a TUN device")?.pop().context("the TUN device has no queue")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_go_together() {
        for host in 0..20 {
            assert_eq!(number(address(host)), Some(host));
        }
        assert_eq!(number(Ipv4Addr::new(10, 77, 1, 1)), None);
        assert_eq!(number(Ipv4Addr::new(10, 77, 0, 0)), None);
    }
}
