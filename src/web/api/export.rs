//! Copies of the history over HTTP, streamed while they are written.
//!
//! The copy is made where it may block, and goes through a few buffers to whoever takes it at their own
//! pace; a taker who leaves ends it. A copy that cannot be finished breaks off, so that it is not taken
//! for a whole one.

use std::io::{self, Write};

use actix_web::{HttpResponse, http::StatusCode, http::header, web};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tokio::sync::mpsc;

use super::params::{self, Params};
use crate::{
    domain::RoomId,
    export::{self, Format, Order},
    store::walk::Walk,
    web::{Site, audience::Audience, error::Refusal},
};

/// Bytes that travel together.
const BUFFER: usize = 64 * 1024;
/// Buffers between the writer and the taker.
const BUFFERS: usize = 4;

/// GET `/room/{id}/export/`.
#[utoipa::path(
    get, path = "/live/api/room/{room}/export/", tag = "history", operation_id = "export_room",
    summary = "A room's history as a file", params(super::openapi::Room, super::openapi::Export),
    responses((status = 200, description = "The copy, oldest first; streamed", content(
        (String = "text/csv"), (String = "application/x-ndjson"), (String = "text/xml"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    )))
)]
pub async fn of_room(
    audience: Audience,
    room: web::Path<u64>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    super::rooms::known(&site, RoomId(*room)).await?;
    copy(audience, Some(RoomId(*room)), &params, &site)
}

/// GET `/export/`.
#[utoipa::path(
    get, path = "/live/api/export/", tag = "history", operation_id = "export_all",
    summary = "The history of all rooms as a file", params(super::openapi::Export),
    responses((status = 200, description = "The copy, oldest first; streamed", content(
        (String = "text/csv"), (String = "application/x-ndjson"), (String = "text/xml"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    )))
)]
pub async fn of_all(audience: Audience, params: Params, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    let room = params::text(&params, "room").filter(|room| *room != "all");
    let room = room.map(|room| room.parse().map(RoomId).map_err(|_| Refusal::bad_parameter("room: not a number")));
    copy(audience, room.transpose()?, &params, &site)
}

fn copy(audience: Audience, room: Option<RoomId>, params: &Params, site: &Site) -> Result<HttpResponse, Refusal> {
    audience.sees_all()?;
    let order = order(room, params)?;
    let place = site.copies.clone().try_acquire_owned().map_err(|_| {
        Refusal::later(StatusCode::SERVICE_UNAVAILABLE, "busy", "other copies are being made; try again", 5)
    })?;
    let (format, name) = (order.format, file_name(&order));
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(BUFFERS);
    let database = site.web.database.clone();
    tokio::task::spawn_blocking(move || {
        // Kept until the copy is done.
        let _place = place;
        let mut pipe = Pipe { sender, buffer: BytesMut::with_capacity(BUFFER) };
        let made = export::export(&database, &order, &mut pipe);
        if let Err(error) = made
            && !pipe.sender.is_closed()
        {
            tracing::error!(%error, "web: a copy of the history was not finished: {error}");
            // Who takes it sees that it breaks off.
            let _ = pipe.sender.blocking_send(Err(io::Error::other("the copy was not finished")));
        }
    });
    let body = stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|bytes| (bytes, receiver)) });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, format.media_type()))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(body))
}

fn order(room: Option<RoomId>, params: &Params) -> Result<Order, Refusal> {
    let format = params::text(params, "format").unwrap_or("csv").parse::<Format>();
    let format = format.map_err(|why| Refusal::bad_parameter(format!("format: {why}")))?;
    let kinds = export::kinds(params::text(params, "kinds").or(params::text(params, "kind")).unwrap_or_default());
    let kinds = kinds.map_err(|why| Refusal::bad_parameter(format!("kinds: {why}")))?;
    let bom = match params::text(params, "bom").unwrap_or("false") {
        "true" | "1" => true,
        "false" | "0" => false,
        other => return Err(Refusal::bad_parameter(format!("bom: {other:?} is neither true nor false"))),
    };
    let filter = params::filter(params, room)?;
    let from_ms = params::moment(params, "from")?.unwrap_or(0);
    let to_ms = params::moment(params, "to")?.unwrap_or(params::MOMENT_MAX);
    Ok(Order { walk: Walk { room, kinds, from_ms, to_ms }, uid: filter.uid, q: filter.q, format, bom })
}

fn file_name(order: &Order) -> String {
    let room = order.walk.room.map_or_else(|| "all".to_owned(), |room| room.to_string());
    format!("bilibili-live-{room}.{}", order.format.name())
}

/// The writer's end of the stream: waits where the taker is slow, fails when the taker has gone.
struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = self.buffer.split().freeze();
        self.sender.blocking_send(Ok(bytes)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
