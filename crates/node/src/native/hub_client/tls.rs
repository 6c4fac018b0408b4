//! TLS towards hubs.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Trusts the authorities that the system trusts; the variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name others. They are
/// read anew each time, as they may change while a node runs.
pub(crate) async fn trusting_the_system() -> Result<Arc<ClientConfig>, String> {
    tokio::task::spawn_blocking(client_config).await.map_err(|error| error.to_string())?.map(Arc::new)
}

fn client_config() -> Result<ClientConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(format!(
            "this system trusts no certificates (on Debian, install ca-certificates) {}",
            why.join("; ")
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
