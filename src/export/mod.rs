//! Copies of the history for other programs: CSV, ndjson, XLSX, Bilibili's danmaku XML.
//!
//! Written as the history is walked, so a copy of years takes no more memory than one of an hour. Texts
//! come from strangers: none of them becomes a formula in a table or markup in a document.
//!
//! Not here: who may have a copy, and how it travels (`web::api::export`, `commands::export`).

mod document;
mod table;

use std::{
    io::{self, Write},
    ops::ControlFlow,
    str::FromStr,
};

use serde::Deserialize;
use thiserror::Error;

use self::{document::Document, table::Table};
use crate::{
    domain::{Event, Kind, Uid},
    store::{
        sqlite::{Database, QueryError},
        walk::Walk,
    },
};

/// How a copy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A table as text.
    Csv,
    /// The contract's JSON, one event a line.
    Ndjson,
    /// A workbook; a sheet holds a million rows, then the next begins.
    Xlsx,
    /// What danmaku players and converters read: chat as `<d>`, the rest as the recorders write it.
    Xml,
}

impl Format {
    /// All, by name.
    pub const ALL: [(&'static str, Format); 4] =
        [("csv", Format::Csv), ("ndjson", Format::Ndjson), ("xlsx", Format::Xlsx), ("xml", Format::Xml)];

    /// Its name, which is also the ending of its files.
    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
            Format::Xlsx => "xlsx",
            Format::Xml => "xml",
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::Ndjson => "application/x-ndjson",
            Format::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Format::Xml => "text/xml; charset=utf-8",
        }
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Format, String> {
        let found = Format::ALL.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, format)| format).ok_or_else(|| format!("{text:?} is none of csv, ndjson, xlsx, xml"))
    }
}

/// Kinds a copy holds when nobody says which.
pub const KINDS: [Kind; 4] = [Kind::Danmaku, Kind::Gift, Kind::SuperChat, Kind::Guard];

/// Reads `danmaku,gift,…`; chat and purchases for nothing or `all`.
pub fn kinds(text: &str) -> Result<Vec<Kind>, String> {
    let mut kinds = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "all") {
        match Kind::from_name(name).filter(|kind| KINDS.contains(kind)) {
            Some(kind) if kinds.contains(&kind) => {}
            Some(kind) => kinds.push(kind),
            None => return Err(format!("{name:?} is none of danmaku, gift, super_chat, guard")),
        }
    }
    Ok(if kinds.is_empty() { KINDS.to_vec() } else { kinds })
}

/// What is to be copied, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// The stretch.
    pub walk: Walk,
    /// Only by this user.
    pub uid: Option<Uid>,
    /// Only with this text in the message, the gift's name or the user's name.
    pub q: Option<String>,
    /// How.
    pub format: Format,
    /// CSV begins with a byte order mark, by which Excel knows that it is UTF-8.
    pub bom: bool,
}

/// Why a copy was not finished.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The history could not be read.
    #[error(transparent)]
    Read(#[from] QueryError),
    /// It could not be written; whoever takes it may have gone.
    #[error("the copy cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The workbook could not be made.
    #[error("the workbook cannot be made: {0}")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
}

/// One way to write events.
trait Writer {
    fn event(&mut self, event: &Event) -> Result<(), ExportError>;
    fn end(self: Box<Self>) -> Result<(), ExportError>;
}

/// Writes the copy; how many events are in it.
pub fn export(database: &Database, order: &Order, out: impl Write + Send) -> Result<u64, ExportError> {
    let mut writer: Box<dyn Writer + '_> = match order.format {
        Format::Csv => Box::new(Table::csv(out, order.bom)?),
        Format::Ndjson => Box::new(Lines(out)),
        Format::Xlsx => Box::new(table::Workbook::new(out)?),
        Format::Xml => Box::new(Document::begin(out, order.walk.room)?),
    };
    let mut events = 0;
    let q = order.q.as_ref().map(|q| q.to_ascii_lowercase());
    database.walk(&order.walk, |event| {
        if order.uid.is_none_or(|uid| event.user.uid == uid) && q.as_ref().is_none_or(|q| mentions(&event, q)) {
            writer.event(&event)?;
            events += 1;
        }
        Ok::<_, ExportError>(ControlFlow::Continue(()))
    })?;
    writer.end()?;
    Ok(events)
}

/// Whether `q` stands in what the history's search looks into. `q` is in lower case.
fn mentions(event: &Event, q: &str) -> bool {
    use crate::domain::Body;
    let text = match &event.body {
        Body::Danmaku(danmaku) => danmaku.message.as_str(),
        Body::Gift(gift) => gift.gift_name.as_str(),
        Body::SuperChat(super_chat) => super_chat.message.as_str(),
        _ => "",
    };
    [text, event.user.username.as_str()].iter().any(|text| text.to_ascii_lowercase().contains(q))
}

/// ndjson.
struct Lines<W>(W);

impl<W: Write> Writer for Lines<W> {
    fn event(&mut self, event: &Event) -> Result<(), ExportError> {
        serde_json::to_writer(&mut self.0, event).map_err(io::Error::from)?;
        Ok(self.0.write_all(b"\n")?)
    }

    fn end(mut self: Box<Self>) -> Result<(), ExportError> {
        Ok(self.0.flush()?)
    }
}

#[cfg(test)]
mod tests;
