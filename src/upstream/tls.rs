//! What is trusted on the way to Bilibili: Mozilla's list of authorities, which is built in, and what a person adds to it.
//!
//! Nothing here turns verification off. One configuration serves all connections of its owner, so that they share its
//! sessions.

use rustls::{ClientConfig, RootCertStore, pki_types::TrustAnchor};

/// How TLS is spoken, trusting also these authorities.
pub fn client_config(extra_roots: &[TrustAnchor<'static>]) -> ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().chain(extra_roots).cloned().collect();
    ClientConfig::builder().with_root_certificates(RootCertStore { roots }).with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
        let mut vouching = RootCertStore::empty();
        vouching.add(made.cert.der().clone()).expect("a certificate");
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
        let refused = dial(Vec::new()).await.expect_err("nobody vouches for it").to_string();
        assert!(refused.contains("UnknownIssuer"), "{refused}");
        dial(vouching.roots).await.expect("somebody vouches for it");
    }
}
