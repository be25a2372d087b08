//! A real browser: Chromium, driven as a person would, with its own profile.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{By, CapabilitiesHelper, ChromiumLikeCapabilities, DesiredCapabilities, WebDriver, WebElement};
use tokio::sync::{Mutex, MutexGuard};

use super::{eventually, monitor::PASSWORD, redis_server::free_port};

const MISSING: &str = "chromedriver cannot be started: run tests/run, it installs what the tests need";

/// A browser takes a core and half a gigabyte: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

pub struct Browser {
    driver: Child,
    port: u16,
    page: Option<WebDriver>,
    site: String,
    _profile: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// A new window for the site at that address. Its language is Chinese.
    pub async fn open(site: &str) -> Browser {
        let turn = ONE_AT_A_TIME.lock().await;
        let profile = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            // The folders that it and the browser make beside the profile go with it.
            .env("TMPDIR", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(MISSING);
        let mut browser = Browser { driver, port, page: None, site: site.to_owned(), _profile: profile, _turn: turn };
        eventually("chromedriver answers", async || {
            TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|error| error.to_string())
        })
        .await;
        let mut wanted = DesiredCapabilities::chrome();
        let folder = format!("--user-data-dir={}", browser._profile.path().display());
        for arg in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            // Nothing leaves this machine.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            // Bootstrap scrolls smoothly otherwise, and a click would miss what still moves.
            "--force-prefers-reduced-motion",
            "--window-size=1280,900",
            "--accept-lang=zh-CN",
            &folder,
        ] {
            wanted.add_arg(arg).expect("an argument");
        }
        if let Some(path) = chromium() {
            wanted.set_binary(path).expect("a path");
        }
        wanted.set("goog:loggingPrefs", json!({"browser": "ALL"})).expect("a capability");
        let page = WebDriver::builder(format!("http://127.0.0.1:{port}"), wanted)
            .request_timeout(Duration::from_secs(120))
            .connect()
            .await;
        browser.page = Some(page.unwrap_or_else(|error| panic!("Chromium cannot be started: {error}; run tests/run")));
        browser
    }

    fn page(&self) -> &WebDriver {
        self.page.as_ref().expect("the browser is open")
    }

    pub async fn goto(&self, path: &str) {
        self.page().goto(format!("{}{path}", self.site)).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Comes to the admin page as the administrator.
    pub async fn sign_in(&self) {
        self.goto("/live/admin/").await;
        self.type_into("input[name=password]", PASSWORD).await;
        self.click("form[action='/live/admin/sign-in'] button").await;
        self.wait("the rooms' form is there", "!!document.querySelector('input[name=room]')").await;
    }

    /// The value of a JavaScript expression on the page.
    pub async fn eval(&self, expression: &str) -> Value {
        let answer = self.page().execute(format!("return {expression}"), Vec::new()).await;
        answer.unwrap_or_else(|error| panic!("{expression}: {error}")).json().clone()
    }

    /// Runs a script of the test's own on the page; what it gives is not asked for.
    pub async fn run(&self, script: &str) {
        self.page().execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("a script fails: {error}"));
    }

    /// What a promise on the page comes to.
    pub async fn later(&self, promise: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; Promise.resolve({promise}).then(done, error => done({{failed: String(error)}}))"
        );
        let answer = self.page().execute_async(script, Vec::new()).await;
        answer.unwrap_or_else(|error| panic!("{promise}: {error}")).json().clone()
    }

    /// Waits until the expression is true.
    pub async fn wait(&self, what: &str, expression: &str) {
        eventually(what, async || {
            let value = self.eval(expression).await;
            if value == true { Ok(()) } else { Err(format!("{expression} is {value} on {}", self.text().await)) }
        })
        .await;
    }

    /// What a person can read on the page.
    pub async fn text(&self) -> String {
        self.eval("document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    pub async fn find(&self, css: &str) -> WebElement {
        match self.page().find(By::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("{css} is not on the page: {error}\n{}", self.text().await),
        }
    }

    pub async fn type_into(&self, css: &str, text: &str) {
        self.find(css).await.send_keys(text).await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        if let Err(error) = element.click().await {
            let at = element.rect().await.expect("it has a place");
            let (x, y) = (at.x + at.width / 2.0, at.y + at.height / 2.0);
            let above = format!(
                "(e => e && e.outerHTML.slice(0, 300))(document.elementFromPoint({x} - scrollX, {y} - scrollY))"
            );
            let above = self.eval(&above).await;
            self.picture("not-clickable").await;
            panic!(
                "{css} cannot be clicked ({error}); above it stands {above}; see target/screenshots/not-clickable.png"
            );
        }
    }

    /// A command of Chromium's developer tools, and its answer.
    pub async fn devtools(&self, command: &str, params: Value) -> Value {
        let session = self.page().session_id().to_string();
        let url = format!("http://127.0.0.1:{}/session/{session}/goog/cdp/execute", self.port);
        let asked = reqwest::Client::new().post(url).json(&json!({"cmd": command, "params": params}));
        let answer = asked.send().await.expect("chromedriver answers");
        assert!(answer.status().is_success(), "{command}: {}", answer.status());
        answer.json::<Value>().await.expect("JSON")["value"].take()
    }

    /// Makes the window so wide.
    pub async fn resize(&self, width: u32) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Errors on the page's console since the last call.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.page().browser_log().await.expect("chromedriver keeps the console");
        log.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message).collect()
    }

    /// A picture of the page for whoever wants to see it: target/screenshots/NAME.png.
    pub async fn picture(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder).expect("target can be written");
        let picture = self.page().screenshot_as_png().await.expect("a picture");
        fs::write(folder.join(format!("{name}.png")), picture).expect("target can be written");
    }
}

/// Where Chromium is, if it does not go by Chrome's name.
fn chromium() -> Option<&'static str> {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/opt/homebrew/bin/chromium"]
        .into_iter()
        .find(|path| PathBuf::from(path).exists())
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its Chromium only if asked; this must also work while a test unwinds.
        if let Some(page) = self.page.take() {
            let request = format!(
                "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                page.session_id()
            );
            let _ = page.leak();
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
                let _ = stream.write_all(request.as_bytes());
                let _ = stream.read(&mut [0; 1024]);
            }
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
