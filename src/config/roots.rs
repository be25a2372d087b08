//! Authorities that are trusted on the way to Bilibili beside the built-in ones.
//!
//! Their file is read with the settings: what cannot be used stops the start, as any other setting does, and is not
//! taken for a Bilibili that cannot be reached.

use std::path::{Path, PathBuf};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, TrustAnchor, pem::PemObject},
};

use super::ConfigError;

/// A PEM file of certificates, read.
#[derive(Clone, Debug, Default)]
pub struct ExtraRoots {
    /// Which; none was given.
    pub path: Option<PathBuf>,
    /// What stands in it.
    pub anchors: Vec<TrustAnchor<'static>>,
}

pub(super) fn read(path: PathBuf) -> Result<ExtraRoots, ConfigError> {
    match anchors(&path) {
        Ok(anchors) => Ok(ExtraRoots { path: Some(path), anchors }),
        Err(why) => Err(ConfigError::ExtraRoots { path, why }),
    }
}

fn anchors(path: &Path) -> Result<Vec<TrustAnchor<'static>>, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        store.add(certificate).map_err(|error| error.to_string())?;
    }
    if store.is_empty() { Err("no certificate is in it".to_owned()) } else { Ok(store.roots) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_without_certificates_is_named_with_what_it_is_to_hold() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("roots.pem");
        for text in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
            if let Some(text) = text {
                fs::write(&path, text).expect("written");
            }
            let error = read(path.clone()).expect_err("it holds none").to_string();
            assert!(error.contains(&path.display().to_string()) && error.contains("PEM"), "{error}");
        }
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        fs::write(&path, made.cert.pem().repeat(2)).expect("written");
        assert_eq!(read(path).expect("it holds two").anchors.len(), 2);
    }
}
