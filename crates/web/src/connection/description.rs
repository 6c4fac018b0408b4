//! What is read from session descriptions.

/// The longest description that is taken. Ours have about one kilobyte.
const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;

/// The most candidates in a description.
const DESCRIBED_CANDIDATES_MAX: usize = 32;

/// The longest candidate that is taken. Real ones have a hundred bytes or two.
const CANDIDATE_BYTES_MAX: usize = 1024;

/// A description of the other side, fit to be handed to the browser: without TCP candidates, for which the browser would
/// connect to wherever the other side says.
pub(super) fn admit(sdp: &str) -> Result<String, String> {
    if sdp.len() > DESCRIPTION_BYTES_MAX {
        let bytes = sdp.len();
        return Err(format!(
            "the other side's description has {bytes} bytes, {DESCRIPTION_BYTES_MAX} are allowed"
        ));
    }
    let candidate = |line: &str| line.strip_prefix("a=").is_some_and(|line| line.starts_with("candidate:"));
    let candidates = sdp.lines().filter(|line| candidate(line)).count();
    if candidates > DESCRIBED_CANDIDATES_MAX {
        return Err(format!(
            "the other side's description has {candidates} candidates, {DESCRIBED_CANDIDATES_MAX} are allowed"
        ));
    }
    let kept = sdp.lines().filter(|line| !candidate(line) || is_udp(line));
    Ok(kept.flat_map(|line| [line, "\r\n"]).collect())
}

/// Whether a candidate is worth to be tried, or told.
pub(super) fn is_usable(candidate: &str) -> bool {
    candidate.len() <= CANDIDATE_BYTES_MAX && is_udp(candidate)
}

fn is_udp(candidate: &str) -> bool {
    candidate.split_whitespace().nth(2).is_some_and(|transport| transport.eq_ignore_ascii_case("udp"))
}

/// The fingerprint of the certificate that a description promises, as `sha-256 ab:cd:…`.
///
/// DTLS takes a certificate that matches *any* fingerprint of the description. So there must be only one, for then the
/// one that was shown is known.
pub(super) fn fingerprint(sdp: &str) -> Option<String> {
    let mut fingerprints = sdp.lines().filter_map(|line| line.strip_prefix("a=fingerprint:"));
    let normal = |text: &str| text.trim().to_ascii_lowercase();
    let first = normal(fingerprints.next()?);
    fingerprints.all(|other| normal(other) == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: &str = "candidate:1 1 udp 2130706431 127.0.0.1 5000 typ host";
    const TCP: &str = "candidate:2 1 TCP 1518280447 127.0.0.1 9 typ host tcptype active";

    #[test]
    fn tcp_candidates_and_excess_are_kept_out() {
        let sdp = format!("v=0\r\na={UDP}\r\na={TCP}\r\na=mid:0\r\n");
        assert_eq!(admit(&sdp).unwrap(), format!("v=0\r\na={UDP}\r\na=mid:0\r\n"));
        assert!(admit(&format!("a={UDP}\r\n").repeat(33)).unwrap_err().contains("33 candidates"));
        assert!(admit(&"x".repeat(16 * 1024 + 1)).unwrap_err().contains("16385 bytes"));
        assert!(is_usable(UDP));
        for wrong in [TCP, "", "candidate:1 1", &format!("{UDP}{}", " ".repeat(1024))] {
            assert!(!is_usable(wrong), "{wrong}");
        }
    }

    #[test]
    fn one_certificate_or_none() {
        let line = "a=fingerprint:sha-256 AB:CD\r\n";
        assert_eq!(fingerprint(line).as_deref(), Some("sha-256 ab:cd"));
        assert_eq!(fingerprint(&line.repeat(2)).as_deref(), Some("sha-256 ab:cd"));
        assert_eq!(fingerprint(&format!("{line}a=fingerprint:sha-256 AB:CE\r\n")), None);
        assert_eq!(fingerprint(&format!("{line}a=fingerprint:sha-512 AB:CD\r\n")), None);
        assert_eq!(fingerprint("v=0\r\n"), None);
    }
}
