//! Live connections of browsers and programs: one session each, and the reaper.
//!
//! A session actor *is* the response body: it is polled only while its socket has room, so a browser that
//! stops reading stops its session, timers included, and cannot notice that itself. That paralysis is the
//! signal: a session that has not moved for 20 s is cut by the reaper, which holds a second handle to the
//! socket. No data stands in a session's mailbox; it reads the ring when there is room for the answer.

use std::{
    any::Any,
    cell::RefCell,
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, Shutdown},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use actix::{Actor, ActorContext, AsyncContext, StreamHandler, WrapFuture};
use actix_web::{
    HttpRequest, HttpResponse,
    body::BoxBody,
    dev::Extensions,
    http::{StatusCode, header},
    rt::net::TcpStream,
    web,
};
use actix_web_actors::ws;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use socket2::{SockRef, Socket};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::{
    Site,
    api::openapi::Push,
    audience::Audience,
    error::Refusal,
    filter::Filter,
    push::{self, Bell, Reader},
    side_by_side::SideBySide,
    today,
    visitor::{Visitor, same_origin},
};
use crate::{
    actors::ring::Ring,
    supervise::{
        board::Board,
        vitals::{Doing, State, Vitals, unix_ms},
    },
};

/// A ping this often, and a sign of life to the reaper.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Without an answer for so long the browser is gone.
const GONE_AFTER: Duration = Duration::from_secs(45);
/// A session beats this often while its socket has room.
const BEAT_EVERY: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 5000 });
/// One that has not moved for so long is cut.
const STALLED_AFTER_MS: i64 = if cfg!(test) { 1500 } else { 20_000 };
/// The longest message a browser may send.
const MESSAGE_MAX: usize = 4096;
/// Messages a second from one browser.
const MESSAGES_A_SECOND: u32 = 20;

/// A second handle to the socket of a connection.
struct Peer(Arc<Socket>);

/// Takes the second handle when a connection opens, and lets Linux give up on peers that take nothing.
pub fn on_connect(connection: &dyn Any, extensions: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    if let Err(error) = socket.set_tcp_user_timeout(Some(Duration::from_secs(30))) {
        tracing::debug!(%error, "web: a connection goes without TCP_USER_TIMEOUT");
    }
    if let Ok(twin) = socket.try_clone() {
        extensions.insert(Peer(Arc::new(twin)));
    }
}

/// All live connections.
pub struct Sessions {
    board: Arc<Board>,
    seats: Mutex<HashMap<u64, Place>>,
    next: AtomicU64,
    max: usize,
    max_per_address: usize,
    closing: watch::Sender<bool>,
    refusing: AtomicBool,
}

struct Place {
    address: IpAddr,
    vitals: Arc<Vitals>,
    socket: Option<Arc<Socket>>,
}

/// A place among the sessions; leaves when dropped.
struct Seat {
    sessions: Arc<Sessions>,
    number: u64,
    vitals: Arc<Vitals>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sessions.board.remove(self.vitals.name());
        self.sessions.seats.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

impl Sessions {
    /// No connections yet, and how many there may be.
    pub fn new(board: Arc<Board>, max: usize, max_per_address: usize) -> Arc<Sessions> {
        Arc::new(Sessions {
            board,
            seats: Mutex::default(),
            next: AtomicU64::new(1),
            max,
            max_per_address,
            closing: watch::Sender::new(false),
            refusing: AtomicBool::new(false),
        })
    }

    fn take_seat(self: &Arc<Sessions>, request: &HttpRequest) -> Result<Seat, Refusal> {
        let full = |text| Refusal::later(StatusCode::SERVICE_UNAVAILABLE, "too_many_sessions", text, 10);
        if self.is_closing() {
            return Err(full("the program is stopping"));
        }
        let address = Visitor::of(request).address;
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.len() >= self.max {
            return Err(full("too many live connections"));
        }
        if seats.values().filter(|place| place.address == address).count() >= self.max_per_address {
            return Err(full("too many live connections from this address"));
        }
        let number = self.next.fetch_add(1, Relaxed);
        let vitals = Vitals::new(format!("session {number}"), "session", "web", None);
        vitals.begin_life();
        vitals.enter(State::Running);
        vitals.doing(Doing::Sending);
        self.board.add(vitals.clone());
        let socket = request.conn_data::<Peer>().map(|peer| peer.0.clone());
        seats.insert(number, Place { address, vitals: vitals.clone(), socket });
        Ok(Seat { sessions: self.clone(), number, vitals })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether the program is on its way out.
    pub fn is_closing(&self) -> bool {
        self.refusing.load(Relaxed)
    }

    /// New connections are refused from now on.
    pub fn refuse_new(&self) {
        self.refusing.store(true, Relaxed);
    }

    /// Those that read say goodbye and end.
    pub fn say_goodbye(&self, ring: &Ring) {
        self.refuse_new();
        self.closing.send_replace(true);
        // They wait for frames, and look at this when they are woken.
        ring.wake();
    }

    /// Shuts down the sockets of those that are left; without this one stalled browser holds up a graceful stop.
    pub fn cut_all(&self) {
        self.cut(|_| true);
    }

    /// Cuts the sessions that no longer move, for as long as there is a program.
    pub async fn reap(self: Arc<Sessions>) {
        loop {
            tokio::time::sleep(BEAT_EVERY).await;
            self.cut(|place| unix_ms() - place.vitals.reading(unix_ms()).beat > STALLED_AFTER_MS);
        }
    }

    fn cut(&self, whom: impl Fn(&Place) -> bool) {
        for place in self.seats.lock().unwrap_or_else(PoisonError::into_inner).values().filter(|place| whom(place)) {
            if let Some(socket) = &place.socket {
                tracing::info!(address = %place.address, "web: {} takes nothing any more, cut", place.vitals.name());
                // It may be gone already; then this is what was wanted.
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
    }
}

/// What a live connection is asked for with.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    rooms: String,
    #[serde(default)]
    kinds: String,
    after: Option<String>,
    /// Whether it is told of today, too; server-sent events are not.
    #[serde(default)]
    today: bool,
}

/// `/live/ws/`.
pub async fn websocket(
    request: HttpRequest,
    wanted: web::Query<Wanted>,
    body: web::Payload,
    site: web::Data<Site>,
) -> Result<HttpResponse, actix_web::Error> {
    same_origin(&request)?;
    let filter = Filter::parse(&wanted.rooms, &wanted.kinds)?;
    let reader = Reader::new(site.web.ring.clone(), site.shared_for(&request), filter, wanted.after.as_deref());
    let seat = site.sessions.take_seat(&request)?;
    let today = wanted.today.then(|| Audience::of(&request, &site));
    let hello = reader.hello(&site.web.wall).frame;
    let reader = Rc::new(RefCell::new(reader));
    let (goes_on, all_pushed) = oneshot::channel();
    let pushed = pushed(
        reader.clone(),
        Bell::of(&request, &site.web.ring),
        site.sessions.closing.subscribe(),
        seat.vitals.clone(),
        goes_on,
    );
    let session = Session {
        reader,
        site,
        seat,
        heard: Instant::now(),
        second: Instant::now(),
        messages: 0,
        health: false,
        today,
        all_pushed: Some(all_pushed),
    };
    let response = ws::WsResponseBuilder::new(session, &request, body).frame_size(MESSAGE_MAX).start()?;
    Ok(response.map_body(|_, said| BoxBody::new(SideBySide::new(hello, said, pushed))))
}

/// What is pushed to one browser. `goes_on` is dropped at its end.
fn pushed(
    reader: Rc<RefCell<Reader>>,
    bell: Bell,
    closing: watch::Receiver<bool>,
    vitals: Arc<Vitals>,
    goes_on: oneshot::Sender<Infallible>,
) -> impl Stream<Item = Bytes> {
    push::stream(reader.clone(), bell, closing).map(move |message| {
        // Held as long as this is asked for more.
        let _ = &goes_on;
        vitals.handed_on(message.events, None);
        vitals.sent(message.frame.len() as u64, reader.borrow().behind());
        vitals.beat();
        message.frame
    })
}

/// One browser.
struct Session {
    reader: Rc<RefCell<Reader>>,
    site: web::Data<Site>,
    seat: Seat,
    heard: Instant,
    second: Instant,
    messages: u32,
    health: bool,
    /// Who is told of today; nobody when it was not asked for.
    today: Option<Audience>,
    /// Ends when nothing is pushed any more: the program goes.
    all_pushed: Option<oneshot::Receiver<Infallible>>,
}

type Context = ws::WebsocketContext<Session>;

impl Actor for Session {
    type Context = Context;

    fn started(&mut self, ctx: &mut Context) {
        if let Some(all_pushed) = self.all_pushed.take() {
            ctx.spawn(actix::fut::ActorFutureExt::map(all_pushed.into_actor(self), |_, _, ctx: &mut Context| {
                ctx.close(Some(ws::CloseCode::Away.into()));
                ctx.stop();
            }));
        }
        ctx.run_interval(BEAT_EVERY, |session, _| session.seat.vitals.beat());
        ctx.run_interval(PING_EVERY, |session, ctx| {
            if session.heard.elapsed() > GONE_AFTER {
                ctx.stop();
            } else {
                ctx.ping(b"");
            }
        });
        if let Some(audience) = self.today {
            self.send_today(audience, ctx);
            ctx.run_interval(today::EVERY, move |session, ctx| session.send_today(audience, ctx));
        }
    }
}

/// Something died.
struct News;

/// When many die together it is told once.
const NEWS_GATHER: Duration = Duration::from_millis(150);

/// Tells when something is worth a look at once.
fn news(news: watch::Receiver<u64>) -> impl Stream<Item = News> {
    stream::unfold(news, |mut news| async {
        news.changed().await.ok()?;
        tokio::time::sleep(NEWS_GATHER).await;
        news.borrow_and_update();
        Some((News, news))
    })
}

impl StreamHandler<News> for Session {
    fn handle(&mut self, _: News, ctx: &mut Context) {
        self.send_health(ctx);
    }

    /// The session goes on without news.
    fn finished(&mut self, _: &mut Context) {}
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Session {
    fn handle(&mut self, message: Result<ws::Message, ws::ProtocolError>, ctx: &mut Context) {
        self.heard = Instant::now();
        self.seat.vitals.beat();
        if self.second.elapsed() > Duration::from_secs(1) {
            (self.second, self.messages) = (Instant::now(), 0);
        }
        self.messages += 1;
        if self.messages > MESSAGES_A_SECOND {
            return self.end(ws::CloseCode::Policy, "too many messages", ctx);
        }
        match message {
            Ok(ws::Message::Ping(bytes)) => ctx.pong(&bytes),
            Ok(ws::Message::Text(text)) => match self.take(&text, ctx) {
                Ok(()) => {}
                Err(refusal) => {
                    ctx.text(json!({"type": "error", "code": refusal.code, "error": refusal.text}).to_string());
                }
            },
            Ok(ws::Message::Close(reason)) => {
                ctx.close(reason);
                ctx.stop();
            }
            Ok(ws::Message::Pong(_) | ws::Message::Nop) => {}
            Ok(ws::Message::Binary(_) | ws::Message::Continuation(_)) => {
                self.end(ws::CloseCode::Unsupported, "text only", ctx);
            }
            Err(ws::ProtocolError::Overflow) => self.end(ws::CloseCode::Size, "message too long", ctx),
            Err(_) => self.end(ws::CloseCode::Protocol, "not understood", ctx),
        }
    }
}

impl Session {
    fn take(&mut self, text: &str, ctx: &mut Context) -> Result<(), Refusal> {
        let message: Value = serde_json::from_str(text).map_err(|_| Refusal::bad_parameter("this is not JSON"))?;
        if message["type"] != "subscribe" {
            return Err(Refusal::bad_parameter("type: only \"subscribe\" is known"));
        }
        let filter = Filter::from_message(&message)?;
        // At most one read of the old subscription; the rest of the ring is read with the new one.
        let coming = self.reader.borrow_mut().subscribe(filter);
        for message in coming {
            self.seat.vitals.handed_on(message.events, None);
            ctx.text(message.text());
        }
        ctx.text(self.reader.borrow().hello(&self.site.web.wall).text());
        if message["health"] == true && !self.health {
            self.health = true;
            self.send_health(ctx);
            ctx.run_interval(Duration::from_secs(1), |session, ctx| session.send_health(ctx));
            ctx.add_stream(news(self.site.web.board.news()));
        }
        Ok(())
    }

    fn send_health(&self, ctx: &mut Context) {
        let site = self.site.clone();
        let health = async move { site.health_json().await }.into_actor(self);
        ctx.spawn(actix::fut::ActorFutureExt::map(health, |health, session: &mut Session, ctx: &mut Context| {
            session.seat.vitals.sent(health.len() as u64, session.reader.borrow().behind());
            ctx.text(format!("{{\"type\":\"health\",\"health\":{health}}}"));
        }));
    }

    /// Tells of today; when the history does not answer, the page keeps what it has.
    fn send_today(&self, audience: Audience, ctx: &mut Context) {
        let site = self.site.clone();
        let today = async move { site.today.read(&site).await.ok() }.into_actor(self);
        ctx.spawn(actix::fut::ActorFutureExt::map(today, move |today, session: &mut Session, ctx: &mut Context| {
            let Some(today) = today else { return };
            let text = audience.view(json!({"type": "today", "today": *today})).to_string();
            session.seat.vitals.sent(text.len() as u64, session.reader.borrow().behind());
            ctx.text(text);
        }));
    }

    fn end(&self, code: ws::CloseCode, why: &str, ctx: &mut Context) {
        ctx.close(Some((code, why).into()));
        ctx.stop();
    }
}

/// `/live/api/events/`: the same as server-sent events, one message each, `id:` being the cursor.
#[utoipa::path(
    get, path = "/live/api/events/", tag = "push", operation_id = "events",
    summary = "The push as server-sent events; id: is the cursor, Last-Event-ID resumes",
    params(Push, ("Last-Event-ID" = Option<String>, Header, description = "Where to go on")),
    responses((status = 200, description = "One message each, without end", body = String, content_type = "text/event-stream"))
)]
pub async fn server_sent(
    request: HttpRequest,
    wanted: web::Query<Wanted>,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    same_origin(&request)?;
    let filter = Filter::parse(&wanted.rooms, &wanted.kinds)?;
    let last = request.headers().get("Last-Event-ID").and_then(|value| value.to_str().ok());
    let reader =
        Reader::new(site.web.ring.clone(), site.shared_for(&request), filter, last.or(wanted.after.as_deref()));
    let seat = site.sessions.take_seat(&request)?;
    let hello = reader.hello(&site.web.wall);
    let messages = push::stream(
        Rc::new(RefCell::new(reader)),
        Bell::of(&request, &site.web.ring),
        site.sessions.closing.subscribe(),
    );
    let hello = stream::once(async move { hello });
    let body = stream::unfold((Box::pin(hello.chain(messages)), seat), |(mut messages, seat)| async move {
        seat.vitals.beat();
        let bytes = match tokio::time::timeout(BEAT_EVERY, messages.next()).await {
            Ok(Some(message)) => {
                seat.vitals.handed_on(message.events, None);
                seat.vitals.sent(message.frame.len() as u64, 0);
                Bytes::from(format!("id: {}\ndata: {}\n\n", message.cursor, message.text()))
            }
            Ok(None) => return None,
            Err(_) => Bytes::from_static(b": still here\n\n"),
        };
        Some((Ok::<_, Infallible>(bytes), (messages, seat)))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Compressing would hold messages back.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .streaming(body))
}
