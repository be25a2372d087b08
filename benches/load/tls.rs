//! TLS between the program and the simulator: a certificate made for this run, and a door for the simulator's HTTP side.

use std::{fs, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// Names in it, so that it is as long as the chain that Bilibili shows, 3 kB: every connection keeps that.
const NAMES: usize = 80;

/// A certificate that nobody knows but who is given its file.
pub struct Certificate {
    /// Whoever shows it.
    pub server: Arc<ServerConfig>,
    folder: TempDir,
}

impl Certificate {
    pub fn make() -> Certificate {
        let names = (0..NAMES).map(|number| format!("live-comet-{number:02}.chat.simulator.example"));
        let names: Vec<String> = ["127.0.0.1".to_owned()].into_iter().chain(names).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let folder = tempfile::Builder::new().prefix("blm-load-").tempdir().expect("a temporary folder");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let server = ServerConfig::builder().with_no_client_auth();
        let server = server.with_single_cert(vec![made.cert.der().clone()], key).expect("they belong together");
        let certificate = Certificate { server: server.into(), folder };
        fs::write(certificate.roots(), made.cert.pem()).expect("a file");
        certificate
    }

    /// The file by which it is trusted.
    pub fn roots(&self) -> String {
        self.folder.path().join("roots.pem").to_string_lossy().into_owned()
    }

    /// Opens a door with this certificate, behind which is what answers at `plain`: its address.
    pub async fn door_to(&self, plain: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (acceptor, behind) = (TlsAcceptor::from(self.server.clone()), plain.replace("http://", ""));
        tokio::spawn(async move {
            while let Ok((outside, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    let (Ok(mut outside), Ok(mut inside)) =
                        (acceptor.accept(outside).await, TcpStream::connect(behind).await)
                    else {
                        return;
                    };
                    // Whoever hangs up ends it.
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        format!("https://{address}")
    }
}
