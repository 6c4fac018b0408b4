//! The runtime that the library drives one connection with: tokio's, with three additions.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime, TokioRuntime,
    UdpSockRef, UdpSocketState,
};

use super::session::Mail;

/// The longest the driver may sleep while a connection opens.
///
/// What an event puts into the driver's queue (the start of DTLS, the SCTP INIT, the opening of a channel)
/// is not sent before the driver next wakes, which may be for an unrelated timer two hundred milliseconds
/// later. There are several such waits in a row: at 5 ms a connection takes 22 ms to open on loopback, at 2
/// ms it takes 12.
const OPENING_SLEEP_MAX: Duration = Duration::from_millis(2);

/// Tokio, with short sleeps while the connection opens, a larger receive buffer, and a word when the driver
/// ends.
#[derive(Debug)]
pub(super) struct LinkRuntime {
    opening: Arc<Opening>,
    receive_buffer_bytes: usize,
    driver_stopped: Mutex<Option<DriverStopped>>,
}

/// Whether a connection is opening: from the other side's description to the last channel. Short sleeps for
/// longer than that would cost a tenth of a core at a hundred connections.
#[derive(Debug, Default)]
pub(super) struct Opening(AtomicBool);

impl Opening {
    pub(super) fn begins(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn ends(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Says so when it is dropped, that is when the driver's task ends: in an error, in a panic or as planned.
/// Otherwise nobody would notice, and the connection's channels would stay "open".
#[derive(Debug)]
struct DriverStopped(mpsc::UnboundedSender<Mail>);

impl Drop for DriverStopped {
    fn drop(&mut self) {
        // Nobody listens once the session is over, which is the usual case.
        let _ = self.0.send(Mail::DriverStopped);
    }
}

impl LinkRuntime {
    pub(super) fn new(
        opening: Arc<Opening>,
        receive_buffer_bytes: usize,
        mail: mpsc::UnboundedSender<Mail>,
    ) -> Self {
        Self { opening, receive_buffer_bytes, driver_stopped: Mutex::new(Some(DriverStopped(mail))) }
    }
}

impl Runtime for LinkRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        // The first task of a connection is its driver.
        let Some(stopped) = self.driver_stopped.lock().ok().and_then(|mut first| first.take()) else {
            return TokioRuntime.spawn(future);
        };
        TokioRuntime.spawn(Box::pin(async move {
            let _stopped = stopped;
            future.await;
        }))
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let reference = UdpSockRef::from(&socket);
        let raised = UdpSocketState::new(reference).and_then(|state| {
            state.set_recv_buffer_size(UdpSockRef::from(&socket), self.receive_buffer_bytes)
        });
        if let Err(error) = raised {
            tracing::debug!(%error, "the receive buffer stays as it is");
        }
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let opening = self.opening.0.load(Ordering::Relaxed);
        TokioRuntime.sleep(if opening { duration.min(OPENING_SLEEP_MAX) } else { duration })
    }

    fn wrap_tcp_listener(&self, listener: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        TokioRuntime.connect_tcp(remote)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        TokioRuntime.resolve_host(host)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        "meshwork"
    }
}
