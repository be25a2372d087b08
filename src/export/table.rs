//! Events as rows of one wide table: CSV and XLSX.
//!
//! A spreadsheet runs what looks like a formula, and chat is written by strangers. In CSV such a text gets an
//! apostrophe in front, as spreadsheets themselves mark text; in a workbook every text is stored as text.

use std::io::{self, Seek, SeekFrom, Write};

use rust_xlsxwriter::{Workbook as Book, Worksheet, XlsxError};

use super::{ExportError, Writer};
use crate::domain::{Body, Event, Medal, moment};

/// The columns, in order.
const COLUMNS: [&str; 25] = [
    "id",
    "kind",
    "room_id",
    "time_utc8",
    "timestamp_ms",
    "received_ms",
    "source",
    "uid",
    "username",
    "masked",
    "message",
    "gift_id",
    "gift_name",
    "num",
    "unit",
    "coin_type",
    "price_cny",
    "paid_cny",
    "paid_gold",
    "value_gold",
    "blind_box",
    "guard_level",
    "estimated",
    "medal_name",
    "medal_level",
];

/// What stands in a cell.
enum Cell {
    None,
    Number(i64),
    Money(String),
    Text(String),
}

fn row(event: &Event) -> Vec<Cell> {
    use Cell::{Money, None, Number, Text};
    let text = |text: &str| if text.is_empty() { None } else { Text(text.to_owned()) };
    let medal = |medal: &Option<Medal>| match medal {
        Some(medal) => [text(&medal.name), Number(medal.level)],
        Option::None => [None, None],
    };
    let flag = |flag| Number(i64::from(flag));
    let mut cells = vec![
        Text(event.id.to_string()),
        text(event.kind().as_str()),
        Number(event.room_id.0 as i64),
        Text(moment::in_china(event.timestamp_ms)),
        Number(event.timestamp_ms),
        Number(event.received_ms),
        text(event.source.as_str()),
        Number(event.user.uid.0 as i64),
        text(&event.user.username),
        flag(event.user.masked),
    ];
    let paid = [Money(event.paid().cny().to_string()), Number(event.paid().0)];
    match &event.body {
        Body::Danmaku(danmaku) => {
            cells.push(text(&danmaku.message));
            cells.extend((0..10).map(|_| None));
            cells.push(Number(danmaku.guard_level));
            cells.push(None);
            cells.extend(medal(&danmaku.medal));
        }
        Body::Gift(gift) => {
            cells.push(None);
            cells.extend([Number(gift.gift_id), text(&gift.gift_name), Number(gift.num), None]);
            cells.extend([text(gift.coin_type.as_str()), Money(gift.price.cny().to_string())]);
            cells.extend(paid);
            cells.push(Number(gift.value.0));
            cells.push(gift.blind_box.as_ref().map_or(None, |blind| text(&blind.name)));
            cells.extend([None, None]);
            cells.extend(medal(&gift.medal));
        }
        Body::SuperChat(super_chat) => {
            cells.push(text(&super_chat.message));
            cells.extend((0..6).map(|_| None));
            cells.extend(paid);
        }
        Body::Guard(guard) => {
            cells.extend([None, None, None, Number(guard.num), text(&guard.unit), None, None]);
            cells.extend(paid);
            cells.extend([None, None, Number(guard.guard_level), flag(guard.estimated)]);
        }
        _ => {}
    }
    cells.resize_with(COLUMNS.len(), || None);
    cells
}

/// The text as a cell that no spreadsheet takes for a formula, half or full width, behind whatever blanks.
pub(super) fn harmless(text: &str) -> String {
    let starts = text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    match starts.chars().next() {
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') => format!("'{text}"),
        _ if text.starts_with(['\t', '\r', '\n']) => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// CSV.
pub(super) struct Table<W: Write>(csv::Writer<W>);

impl<W: Write> Table<W> {
    pub(super) fn csv(mut out: W, bom: bool) -> Result<Table<W>, ExportError> {
        if bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        // As spreadsheets write it themselves.
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        writer.write_record(COLUMNS).map_err(io::Error::from)?;
        Ok(Table(writer))
    }
}

impl<W: Write> Writer for Table<W> {
    fn event(&mut self, event: &Event) -> Result<(), ExportError> {
        let cells = row(event).into_iter().map(|cell| match cell {
            Cell::None => String::new(),
            Cell::Number(n) => n.to_string(),
            Cell::Money(amount) => amount,
            Cell::Text(text) => harmless(&text),
        });
        Ok(self.0.write_record(cells).map_err(io::Error::from)?)
    }

    fn end(mut self: Box<Self>) -> Result<(), ExportError> {
        Ok(self.0.flush()?)
    }
}

/// Rows of a sheet.
const SHEET_ROWS: u32 = if cfg!(test) { 4 } else { 1_048_576 };
/// Characters a cell holds.
const CELL_CHARS: usize = 32_767;

/// XLSX. Rows go to a file of their own as they come; the workbook is put together at the end.
pub(super) struct Workbook<W: Write> {
    book: Book,
    out: W,
    next_row: u32,
    sheets: usize,
}

impl<W: Write> Workbook<W> {
    pub(super) fn new(out: W) -> Result<Workbook<W>, ExportError> {
        let mut workbook = Workbook { book: Book::new(), out, next_row: 0, sheets: 0 };
        workbook.begin_sheet()?;
        Ok(workbook)
    }

    fn begin_sheet(&mut self) -> Result<(), XlsxError> {
        let sheet = self.book.add_worksheet_with_constant_memory()?;
        for (column, name) in (0..).zip(COLUMNS) {
            sheet.write_string(0, column, name)?;
        }
        self.next_row = 1;
        self.sheets += 1;
        Ok(())
    }

    fn write(&mut self, cells: Vec<Cell>) -> Result<(), XlsxError> {
        if self.next_row >= SHEET_ROWS {
            self.begin_sheet()?;
        }
        let row = self.next_row;
        self.next_row += 1;
        let sheet: &mut Worksheet = self.book.worksheet_from_index(self.sheets - 1)?;
        for (column, cell) in (0u16..).zip(cells) {
            match cell {
                Cell::None => {}
                // Above 2^53 a number would be rounded; such an id is text.
                Cell::Number(n) if n.unsigned_abs() <= 1 << 53 => {
                    sheet.write_number(row, column, n as f64)?;
                }
                Cell::Number(n) => {
                    sheet.write_string(row, column, n.to_string())?;
                }
                Cell::Money(amount) => {
                    let amount: f64 = amount.parse().unwrap_or(0.0);
                    sheet.write_number(row, column, amount)?;
                }
                Cell::Text(text) => {
                    let short: String = text.chars().take(CELL_CHARS / 2).collect();
                    sheet.write_string(row, column, short)?;
                }
            }
        }
        Ok(())
    }
}

impl<W: Write> Writer for Workbook<W> {
    fn event(&mut self, event: &Event) -> Result<(), ExportError> {
        Ok(self.write(row(event))?)
    }

    fn end(mut self: Box<Self>) -> Result<(), ExportError> {
        // A workbook is an archive, which is written forwards and backwards: into a file first.
        let mut file = tempfile::tempfile()?;
        self.book.save_to_writer(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut file, &mut self.out)?;
        Ok(self.out.flush()?)
    }
}
