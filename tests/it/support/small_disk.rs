//! A disk of a few megabytes: a file system in memory that only the program under test sees.
//!
//! It lies in a mount namespace of a user namespace, which needs no privileges where the system allows such. A
//! process that sleeps holds it open, so that the program may end and start again on it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::monitor::Setup;

/// The disk; gone when dropped.
pub struct SmallDisk {
    holder: Child,
    /// Where the program sees it.
    folder: PathBuf,
}

impl SmallDisk {
    /// Under the data folder of this setup; none where the system does not allow it.
    pub fn under(setup: &Setup, megabytes: u32) -> Result<SmallDisk, String> {
        let folder = setup.folder().join("data");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
            .arg(format!("mount -t tmpfs -o size={megabytes}m tmpfs \"$0\" && echo ready && exec sleep 3600"))
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut said = String::new();
        if let Some(stdout) = holder.stdout.take() {
            BufReader::new(stdout).read_line(&mut said).map_err(|error| error.to_string())?;
        }
        let disk = SmallDisk { holder, folder };
        if said.trim() == "ready" { Ok(disk) } else { Err("no file system may be mounted in a user namespace".into()) }
    }

    /// The words that start a command where the disk is seen.
    pub fn within(&self) -> Vec<String> {
        let holder = self.holder.id().to_string();
        ["nsenter", "--target", &holder, "--user", "--mount", "--preserve-credentials"].map(str::to_owned).to_vec()
    }

    /// A file on it, seen from outside.
    pub fn file(&self, name: &str) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap_or(&self.folder);
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside).join(name)
    }

    /// Takes all that is free.
    pub fn fill(&self) {
        let mut ballast = fs::File::create(self.file("ballast")).expect("the disk takes a file");
        while ballast.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
    }

    /// Gives it back.
    pub fn free(&self) {
        fs::remove_file(self.file("ballast")).expect("the ballast is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
