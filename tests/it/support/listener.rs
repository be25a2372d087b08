//! A program that listens to the push: everything it was sent, in order.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::eventually;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One connection to `/live/ws/`.
pub struct Listener {
    frames: Arc<Mutex<Vec<Value>>>,
    socket: SplitSink<Socket, Message>,
    reading: JoinHandle<()>,
}

impl Listener {
    /// Connects and waits for the greeting.
    pub async fn open(url: &str) -> Listener {
        let (socket, _) = connect_async(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let frames: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (sink, mut stream) = socket.split();
        let heard = frames.clone();
        let reading = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                if let Message::Text(text) = message {
                    let frame = serde_json::from_str(&text).expect("a push frame is JSON");
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
                }
            }
        });
        let listener = Listener { frames, socket: sink, reading };
        eventually(
            "the push says hello",
            async || {
                if listener.frames().is_empty() { Err("nothing".into()) } else { Ok(()) }
            },
        )
        .await;
        assert_eq!(listener.frames()[0]["type"], "hello", "the first frame is the greeting");
        listener
    }

    /// Everything that came so far.
    pub fn frames(&self) -> Vec<Value> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Frames of one type.
    pub fn of_type(&self, name: &str) -> Vec<Value> {
        self.frames().into_iter().filter(|frame| frame["type"] == name).collect()
    }

    /// All events, in order.
    pub fn events(&self) -> Vec<Value> {
        let frames = self.of_type("events");
        frames.iter().flat_map(|frame| frame["events"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// Ids of the events of one kind; fails if one came twice.
    pub fn ids(&self, kind: &str) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for event in self.events().iter().filter(|event| event["kind"] == kind) {
            let id = event["id"].as_str().expect("an event has an id").to_owned();
            assert!(ids.insert(id), "pushed twice: {event}");
        }
        ids
    }

    /// Texts of the chat lines, in order.
    pub fn texts(&self) -> Vec<String> {
        let events = self.events();
        let chat = events.iter().filter(|event| event["kind"] == "danmaku");
        chat.map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Where to resume: the newest cursor.
    pub fn cursor(&self) -> String {
        let frames = self.frames();
        let cursor = frames.iter().rev().find_map(|frame| frame["cursor"].as_str());
        cursor.expect("the greeting has a cursor").to_owned()
    }

    /// Sends a message of a client.
    pub async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("the program listens");
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
