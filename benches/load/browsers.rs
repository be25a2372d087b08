//! Browsers that watch a room each, on a thread of their own, and look at the first event of every frame.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{
    net::TcpStream,
    runtime,
    sync::{oneshot, watch},
    task::LocalSet,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use super::{
    latency::{Latencies, Sent},
    monitor::Monitor,
};

/// What all of them saw.
#[derive(Default)]
pub struct Pushed {
    pub events: u64,
    pub frames: u64,
    /// Bytes of their texts.
    pub bytes: u64,
    pub skipped: u64,
    pub latency: Latencies,
}

/// Browsers that are open.
pub struct Browsers {
    stop: watch::Sender<bool>,
    thread: JoinHandle<Pushed>,
}

impl Browsers {
    /// Opens so many, the first on the first room.
    pub async fn open(monitor: &Monitor, rooms: &[u64], count: usize, sent: Arc<Sent>) -> Browsers {
        let base = monitor.url().replacen("http", "ws", 1);
        let urls: Vec<String> =
            (0..count).map(|number| format!("{base}/live/ws/?rooms={}", rooms[number % rooms.len()])).collect();
        let (stop, stopped) = watch::channel(false);
        let (opened, open) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            LocalSet::new().block_on(&runtime, watch_all(urls, sent, stopped, opened))
        });
        open.await.expect("the browsers open");
        Browsers { stop, thread }
    }

    /// Closes them: what they saw.
    pub async fn close(self) -> Pushed {
        // What is on its way still.
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.stop.send_replace(true);
        self.thread.join().expect("the browsers do not panic")
    }
}

async fn watch_all(
    urls: Vec<String>,
    sent: Arc<Sent>,
    stopped: watch::Receiver<bool>,
    opened: oneshot::Sender<()>,
) -> Pushed {
    let pushed = Rc::new(RefCell::new(Pushed::default()));
    let mut open = Vec::new();
    for (number, url) in urls.into_iter().enumerate() {
        let socket = connect(&url, number).await;
        open.push(tokio::task::spawn_local(read(socket, sent.clone(), pushed.clone(), stopped.clone())));
    }
    // Whoever opened them waits.
    let _ = opened.send(());
    for browser in open {
        browser.await.expect("a browser does not panic");
    }
    pushed.take()
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(url: &str, number: usize) -> Socket {
    let mut request = url.into_client_request().expect("an address");
    // No address may open thousands.
    let address = format!("10.1.{}.{}", number / 200, number % 200).parse().expect("a header");
    request.headers_mut().insert("x-forwarded-for", address);
    let config = WebSocketConfig::default().read_buffer_size(16 << 10).max_message_size(None).max_frame_size(None);
    connect_async_with_config(request, Some(config), true).await.expect("a browser can connect").0
}

async fn read(mut socket: Socket, sent: Arc<Sent>, pushed: Rc<RefCell<Pushed>>, mut stopped: watch::Receiver<bool>) {
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            _ = stopped.changed() => return,
        };
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(_)) => continue,
            // Seen as events that are missing.
            _ => return,
        };
        let mut pushed = pushed.borrow_mut();
        if text.starts_with(r#"{"type":"events""#) {
            pushed.frames += 1;
            pushed.bytes += text.len() as u64;
            pushed.events += text.matches(r#""timestamp_ms":"#).count() as u64;
            if let (Some(room), Some(time)) = (number(&text, r#""room_id":"#), number(&text, r#""timestamp_ms":"#)) {
                pushed.latency.0.extend(sent.age(room.unsigned_abs(), time));
            }
        } else if text.starts_with(r#"{"type":"gap""#) {
            pushed.skipped += number(&text, r#""skipped":"#).unwrap_or(0).unsigned_abs();
        }
    }
}

/// The number behind the first such key.
fn number(text: &str, key: &str) -> Option<i64> {
    let rest = &text[text.find(key)? + key.len()..];
    rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}
