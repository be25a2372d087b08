//! Fetches the browser libraries from npm and lays the few files we use where the binary embeds them.
//!
//! `npm ci` runs in a folder under OUT_DIR with the lock file of `static/`, so nothing is written into the
//! source tree and the versions are those that were committed. A stamp with the lock file's bytes keeps
//! npm from running again until the lock changes.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, exit},
};

/// What is taken out of `node_modules`, and under which name it is served below `/static/vendor/`.
const FILES: [(&str, &str); 2] =
    [("bootstrap/dist/css/bootstrap.min.css", "bootstrap.min.css"), ("chart.js/dist/chart.umd.js", "chart.umd.js")];

#[expect(clippy::print_stderr, reason = "what cargo shows of a build script that fails")]
fn main() {
    for file in ["static/package.json", "static/package-lock.json", "static/.npmrc", "build.rs", "migrations"] {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-changed=templates/locales");
    println!("cargo:rerun-if-env-changed=NPM");
    if let Err(why) = vendor() {
        eprintln!("{why}");
        exit(1);
    }
}

fn vendor() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this through cargo")?);
    let (work, vendor, stamp) = (out.join("npm"), out.join("vendor"), out.join("vendor.stamp"));
    let lock = fs::read("static/package-lock.json").map_err(|e| format!("static/package-lock.json: {e}"))?;
    let wanted = [lock.as_slice(), format!("{FILES:?}").as_bytes()].concat();
    if fs::read(&stamp).is_ok_and(|done| done == wanted) && FILES.iter().all(|(_, name)| vendor.join(name).exists()) {
        return Ok(());
    }
    let put = |from: &Path, to: &Path| {
        fs::copy(from, to).map(drop).map_err(|e| format!("cannot copy {} to {}: {e}", from.display(), to.display()))
    };
    for folder in [&work, &vendor] {
        fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    }
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        put(&Path::new("static").join(name), &work.join(name))?;
    }
    npm_ci(&work)?;
    for (from, name) in FILES {
        put(&work.join("node_modules").join(from), &vendor.join(name))?;
    }
    fs::write(&stamp, wanted).map_err(|e| format!("cannot write {}: {e}", stamp.display()))
}

fn npm_ci(folder: &Path) -> Result<(), String> {
    let npm = env::var("NPM").unwrap_or_else(|_| if cfg!(windows) { "npm.cmd".into() } else { "npm".into() });
    let output = Command::new(&npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"])
        .current_dir(folder)
        .output()
        .map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => format!(
                "npm was not found ({npm}). The pages need Bootstrap and Chart.js: install Node.js 20 or set NPM=/path/to/npm"
            ),
            _ => format!("cannot run {npm}: {e}"),
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("npm ci failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}
