//! What is trusted on the way to Bilibili: Mozilla's list of authorities, which is built in, and what a person adds to it.
//!
//! Nothing here turns verification off. One configuration serves all connections of its owner, so that they share its
//! sessions.

use std::path::Path;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::AskError;

/// How TLS is spoken, trusting also the authorities in the PEM file `extra_roots`.
pub fn client_config(extra_roots: Option<&Path>) -> Result<ClientConfig, AskError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_roots {
        add(&mut roots, path).map_err(|why| {
            let why = format!("extra-roots {}: {why}; it is to hold certificates as PEM", path.display());
            AskError::Unreachable { call: "anything", why }
        })?;
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.len() == before { Err("no certificate is in it".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    };
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::{
        domain::{RoomId, Uid},
        protocol::{Auth, StreamHost},
        upstream::{Bilibili, Manners, Pass, Upstream},
    };

    #[tokio::test]
    async fn a_stream_is_entered_if_its_authority_is_trusted_and_not_otherwise() {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let server = ServerConfig::builder().with_no_client_auth();
        let server = server.with_single_cert(vec![made.cert.der().clone()], key).expect("they belong together");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(socket) = TlsAcceptor::from(Arc::new(server.clone())).accept(socket).await {
                    open.push(tokio_tungstenite::accept_async(socket).await.expect("it shakes hands"));
                }
            }
        });
        let folder = tempfile::tempdir().expect("a folder");
        let roots = folder.path().join("roots.pem");
        fs::write(&roots, made.cert.pem()).expect("written");
        let rig = "https://127.0.0.1:9".parse().expect("an address");
        let host = StreamHost { host: "127.0.0.1".into(), ws_port: 9, wss_port: port };
        let auth = || Auth { room_id: RoomId(1), uid: Uid(0), buvid: String::new(), token: String::new() };
        let dial = async |extra_roots| {
            let folder = folder.path().to_owned();
            let manners =
                Manners { folder, calls_per_second: 1.0, tickets_per_second: 1.0, rooms_per_account: 1, extra_roots };
            let upstream = Bilibili::new(Some(&rig), &manners).expect("made");
            upstream.dial(&Pass::new(auth(), vec![host.clone()]), &host).await.map(drop)
        };
        let refused = dial(None).await.expect_err("nobody vouches for it").to_string();
        assert!(refused.contains("UnknownIssuer"), "{refused}");
        dial(Some(roots)).await.expect("the file vouches for it");
    }

    #[test]
    fn a_file_without_a_certificate_is_named_and_stops_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("roots.pem");
        for text in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
            if let Some(text) = text {
                fs::write(&path, text).expect("written");
            }
            let error = client_config(Some(&path)).expect_err("it is none").to_string();
            assert!(error.contains(&path.display().to_string()) && error.contains("PEM"), "{error}");
        }
    }
}
