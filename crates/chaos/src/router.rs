//! Carries packets between the hosts, as the weather permits.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Handle};
use tokio_tun::Tun;

use crate::{
    host,
    weather::{Fate, Weather},
};

/// Packets that are late at one time.
const LATE_MAX: usize = 16_384;
/// Above the device's MTU of 1500 bytes.
const PACKET_BYTES_MAX: usize = 2_048;

/// The weather, for whoever changes it and for the router.
#[derive(Clone)]
pub(crate) struct SharedWeather(Arc<Mutex<Weather>>);

impl SharedWeather {
    pub(crate) fn new(weather: Weather) -> Self {
        Self(Arc::new(Mutex::new(weather)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Weather> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The router's thread; it lasts as long as this program.
pub(crate) struct Router {
    runtime: Handle,
}

struct Hosts {
    tuns: Vec<Tun>,
    weather: SharedWeather,
    late: AtomicUsize,
}

impl Router {
    pub(crate) fn start() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name("router".into())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .context("cannot start the router's thread")?;
        Ok(Self { runtime: handle })
    }

    /// Where the hosts' devices are registered.
    pub(crate) fn handle(&self) -> &Handle {
        &self.runtime
    }

    /// Carries packets between these, from now on.
    pub(crate) fn connect(&self, tuns: Vec<Tun>, weather: SharedWeather) {
        let hosts = Arc::new(Hosts { tuns, weather, late: AtomicUsize::new(0) });
        for from in 0..hosts.tuns.len() {
            self.runtime.spawn(hosts.clone().carry(from));
        }
    }
}

impl Hosts {
    /// Takes what a host sends. Ends when its device does, with the program.
    async fn carry(self: Arc<Self>, from: usize) {
        let Some(tun) = self.tuns.get(from) else { return };
        let mut buffer = [0; PACKET_BYTES_MAX];
        while let Ok(length) = tun.recv(&mut buffer).await {
            let Some(packet) = buffer.get(..length) else { continue };
            let Some(to) = destination(packet).filter(|to| *to != from && *to < self.tuns.len()) else {
                continue;
            };
            let fate = self.weather.lock().fate(from, to);
            match fate {
                Fate::Dropped => {}
                Fate::Delivered { after } if after.is_zero() => self.deliver(to, packet).await,
                Fate::Delivered { after } => {
                    if self.late.fetch_add(1, Ordering::Relaxed) >= LATE_MAX {
                        self.late.fetch_sub(1, Ordering::Relaxed);
                        self.weather.lock().packets.overflowed += 1;
                        continue;
                    }
                    let (hosts, packet) = (self.clone(), packet.to_vec());
                    tokio::spawn(async move {
                        tokio::time::sleep(after).await;
                        hosts.deliver(to, &packet).await;
                        hosts.late.fetch_sub(1, Ordering::Relaxed);
                    });
                }
            }
        }
    }

    async fn deliver(&self, to: usize, packet: &[u8]) {
        if let Some(tun) = self.tuns.get(to) {
            // A packet that a host does not take is lost, as on any network.
            let _ = tun.send(packet).await;
        }
    }
}

/// The host that an IPv4 packet is for; nothing else is carried.
fn destination(packet: &[u8]) -> Option<usize> {
    if packet.first()? >> 4 != 4 {
        return None;
    }
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    host::number(Ipv4Addr::from(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ipv4_packets_to_hosts_are_carried() {
        let mut packet = [0; 20];
        packet[0] = 0x45;
        packet[16..20].copy_from_slice(&host::address(2).octets());
        assert_eq!(destination(&packet), Some(2));
        packet[16] = 224;
        assert_eq!(destination(&packet), None);
        packet[0] = 0x60;
        assert_eq!(destination(&packet), None);
        assert_eq!((destination(&packet[..19]), destination(&[])), (None, None));
    }
}
