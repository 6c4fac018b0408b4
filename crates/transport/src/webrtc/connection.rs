//! One connection: from its making to the release of its sockets.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use meshwork_base::Bytes;
use meshwork_wire::{Channel, FRAME_BYTES_MAX};
use rtc::{
    ice::{mdns::MulticastDnsMode, network_type::NetworkType},
    peer_connection::configuration::setting_engine::{SctpMaxMessageSize, SettingEngineBuilder},
};
use tokio::sync::mpsc;
use webrtc::{
    error::Error,
    peer_connection::{PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, RTCIceServer},
};

use super::{
    WebRtcConfig,
    events::{Events, Hold},
    failure::Failure,
    handler::Handler,
    runtime::{LinkRuntime, Opening},
    session::{Mail, Session},
};
use crate::ConnectionEvent;

/// Rounds of checks after which a pair of candidates is given up. The library's seven would be over 140 ms
/// after the first, before a distant peer has even received our answer; a second's worth bridges slow
/// signalling and loss.
const CHECKS_MAX: u16 = 50;

/// How long a connection that the host has let go may take to send what was handed over: a goodbye, as a rule.
const LINGER: Duration = Duration::from_millis(500);

/// Which side of a connection we are.
pub(super) enum Role {
    /// The one that offers, and opens the data channels.
    Offer,
    /// The one that answers.
    Answer {
        /// What was offered.
        offer: String,
    },
}

/// The host's hold on a connection. Dropping it closes the connection, after what was handed over has been sent, and no
/// event follows.
pub(super) struct Connection {
    mail: mpsc::UnboundedSender<Mail>,
    /// Not bounded here: the machine leaves at most `IN_FLIGHT_BYTES_MAX` outstanding on a channel.
    outgoing: [mpsc::UnboundedSender<Bytes>; Channel::ALL.len()],
    hold: Hold,
}

impl Connection {
    /// A connection, and the task that has to run for it.
    pub(super) fn new(
        config: Arc<WebRtcConfig>,
        role: Role,
        hold: Hold,
        events: Events,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (mail, mailbox) = mpsc::unbounded_channel();
        let (control, control_queue) = mpsc::unbounded_channel();
        let (live, live_queue) = mpsc::unbounded_channel();
        let (bulk, bulk_queue) = mpsc::unbounded_channel();
        let (lossy, lossy_queue) = mpsc::unbounded_channel();
        let queues = [control_queue, live_queue, bulk_queue, lossy_queue];
        let task = run(config, role, events, mail.clone(), mailbox, queues);
        (Self { mail, outgoing: [control, live, bulk, lossy], hold }, task)
    }

    pub(super) fn mail(&self, mail: Mail) {
        // A connection that has closed itself takes no mail any more.
        let _ = self.mail.send(mail);
    }

    pub(super) fn transmit(&self, channel: Channel, frame: Bytes) {
        let [control, live, bulk, lossy] = &self.outgoing;
        let queue = match channel {
            Channel::Control => control,
            Channel::Live => live,
            Channel::Bulk => bulk,
            Channel::Lossy => lossy,
        };
        let _ = queue.send(frame);
    }

    /// Whether there may be more to tell of it.
    pub(super) fn is_alive(&self) -> bool {
        !self.hold.is_closed()
    }
}

/// Makes the connection, lets its session live, and closes it whatever happened: a connection that is
/// merely dropped keeps its sockets and memory.
async fn run(
    config: Arc<WebRtcConfig>,
    role: Role,
    mut events: Events,
    mail: mpsc::UnboundedSender<Mail>,
    mailbox: mpsc::UnboundedReceiver<Mail>,
    queues: [mpsc::UnboundedReceiver<Bytes>; Channel::ALL.len()],
) {
    let opening = Arc::<Opening>::default();
    let failure = match make(&config, opening.clone(), mail).await {
        Err(error) => Some(Failure::SetUp(error)),
        Ok(connection) => {
            let session =
                Session::new(connection.clone(), config, opening.clone(), events.clone(), mailbox, queues);
            // A task of its own: should the library panic on what the other side sent, only this link ends.
            let mut session = tokio::spawn(session.run(role));
            let overdue = async {
                events.let_go().await;
                tokio::time::sleep(LINGER).await;
            };
            let failure = tokio::select! {
                () = overdue => None,
                ended = &mut session => ended.unwrap_or(Some(Failure::Panicked)),
            };
            session.abort();
            // The driver's last sleep must not be cut short.
            opening.ends();
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "a connection did not close in order");
            }
            failure
        }
    };
    if let Some(failure) = failure {
        let last = events.clone();
        tokio::select! {
            () = last.send(ConnectionEvent::Closed { reason: failure.to_string() }) => {}
            // A host that lets go may not drain its events either.
            () = events.let_go() => {}
        }
    }
}

async fn make(
    config: &WebRtcConfig,
    opening: Arc<Opening>,
    mail: mpsc::UnboundedSender<Mail>,
) -> Result<Arc<dyn PeerConnection>, Error> {
    let milliseconds = |value| Some(Duration::from_millis(value));
    let settings = SettingEngineBuilder::new()
        .with_ice_connection_attempts(milliseconds(config.ice_check_ms), Some(CHECKS_MAX))
        .with_ice_timeouts(
            milliseconds(config.ice_disconnected_ms),
            milliseconds(config.ice_failed_ms),
            milliseconds(config.ice_keep_alive_ms),
        )
        // mDNS would cost a socket per connection.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_network_types(vec![NetworkType::Udp4, NetworkType::Udp6])
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(FRAME_BYTES_MAX as u32))
        .build();
    let servers = config.ice_servers.iter().map(|server| RTCIceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.clone(),
    });
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().with_ice_servers(servers.collect()).build())
        .with_setting_engine(settings)
        .with_runtime(Arc::new(LinkRuntime::new(opening, config.receive_buffer_bytes, mail.clone())))
        .with_handler(Arc::new(Handler(mail)))
        .with_udp_addrs(config.bind.iter().map(|address| SocketAddr::new(*address, 0)).collect())
        // Unlimited by default: gigabytes in seconds.
        .with_data_channel_send_buffer_limit(config.send_buffer_bytes)
        .build()
        .await?;
    Ok(Arc::new(connection))
}
