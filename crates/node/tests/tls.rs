//! A hub behind a proxy that speaks TLS.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{path::Path, sync::Arc, thread};

use common::{NodeProcess, Process, eventually, hub, shown};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

/// Speaks TLS for `hub` with a certificate of its own, which it writes to `file`; returns its address.
fn proxy(hub: String, file: &Path) -> String {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(file, own.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = async move {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, hub) = (acceptor.clone(), hub.clone());
            tokio::task::spawn_local(async move {
                // Those that do not trust the certificate go away.
                let Ok(mut outer) = acceptor.accept(stream).await else { return };
                let mut inner = TcpStream::connect(hub).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    };
    thread::spawn(|| actix_web::rt::System::new().block_on(serve));
    format!("https://localhost:{port}")
}

#[test]
fn a_hub_behind_tls_is_reached_by_those_who_trust_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    let (_hub, url) = hub();
    let secured = proxy(url.strip_prefix("http://").unwrap().to_owned(), &file);
    let file = shown(&file);
    let trusting = [("SSL_CERT_FILE", file.as_str())];
    let ada = NodeProcess::start_with(&format!("--name ada --hub {secured} --room A3B7K9"), &trusting);
    let _bob = NodeProcess::start(&format!("--name bob --hub {url} --room A3B7K9"));
    eventually("a link", || ada.api.status()["connected_peers"][0]["name"].clone(), |name| name == "bob");

    let mut stranger = Process::start(format!("node --hub {secured} --room A3B7K9"));
    let told = stranger.line("waiting for the hub: cannot reach wss://localhost");
    assert!(told.contains("certificate"), "{told}");
}
