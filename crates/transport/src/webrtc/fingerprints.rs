//! Which certificates the two sides of a connection showed each other.

use std::time::Instant;

use webrtc::peer_connection::{PeerConnection, RTCStatsReport, RTCStatsReportEntry, StatsSelector};

use crate::Fingerprints;

/// The fingerprints of the certificates that DTLS was done with, as `sha-256 ab:cd:…`; `None` before that.
///
/// They come from the handshake, not from the descriptions: DTLS compared the other side's certificate with
/// the fingerprint in its description, so this is the one that both promised and proved.
pub(super) async fn fingerprints(connection: &dyn PeerConnection) -> Option<Fingerprints> {
    let report = connection.get_stats(Instant::now(), StatsSelector::None).await;
    let transport = report.iter().find_map(|entry| match entry {
        RTCStatsReportEntry::Transport(transport) => Some(transport),
        _ => None,
    })?;
    Some(Fingerprints {
        local: certificate(&report, &transport.local_certificate_id)?,
        remote: certificate(&report, &transport.remote_certificate_id)?,
    })
}

fn certificate(report: &RTCStatsReport, id: &str) -> Option<String> {
    report.iter().find_map(|entry| match entry {
        RTCStatsReportEntry::Certificate(certificate) if certificate.stats.id == id => {
            let (algorithm, value) = (&certificate.fingerprint_algorithm, &certificate.fingerprint);
            Some(format!("{algorithm} {value}").to_lowercase())
        }
        _ => None,
    })
}
