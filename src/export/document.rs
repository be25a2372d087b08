//! Bilibili's danmaku XML: what players, converters and subtitle tools read.
//!
//! `<d p="s,mode,size,colour,unix,pool,user,row">text</d>` for chat, with seconds from the first event of the
//! copy; super chats, gifts and guards as `<sc>`, `<gift>` and `<guard>` with `ts`, the way the recorders write
//! them. Mode, size and colour of a line are not kept: all scroll, in white.

use std::io::Write;

use super::{ExportError, Writer};
use crate::domain::{Body, Event, RoomId};

pub(super) struct Document<W> {
    out: W,
    first_ms: Option<i64>,
    row: u64,
}

impl<W: Write> Document<W> {
    pub(super) fn begin(mut out: W, room: Option<RoomId>) -> Result<Document<W>, ExportError> {
        write!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<i><chatserver>chat.bilibili.com</chatserver><chatid>{}</chatid>\
             <mission>0</mission><state>0</state><real_name>0</real_name><source>0</source>\n",
            room.map_or(0, |room| room.0)
        )?;
        Ok(Document { out, first_ms: None, row: 0 })
    }
}

impl<W: Write> Writer for Document<W> {
    fn event(&mut self, event: &Event) -> Result<(), ExportError> {
        let first = *self.first_ms.get_or_insert(event.timestamp_ms);
        let ts = (event.timestamp_ms - first) as f64 / 1000.0;
        let (user, uid, out) = (escaped(&event.user.username), event.user.uid, &mut self.out);
        self.row += 1;
        match &event.body {
            Body::Danmaku(danmaku) => writeln!(
                out,
                "<d p=\"{ts:.3},1,25,16777215,{},0,{uid},{}\" user=\"{user}\">{}</d>",
                event.timestamp_ms.div_euclid(1000),
                self.row,
                escaped(&danmaku.message)
            )?,
            Body::SuperChat(super_chat) => writeln!(
                out,
                "<sc ts=\"{ts:.3}\" user=\"{user}\" uid=\"{uid}\" price=\"{}\" time=\"{}\">{}</sc>",
                super_chat.paid.cny(),
                super_chat.end_time.saturating_sub(super_chat.start_time),
                escaped(&super_chat.message)
            )?,
            Body::Gift(gift) => writeln!(
                out,
                "<gift ts=\"{ts:.3}\" user=\"{user}\" uid=\"{uid}\" giftname=\"{}\" giftcount=\"{}\" price=\"{}\"/>",
                escaped(&gift.gift_name),
                gift.num,
                gift.paid.cny()
            )?,
            Body::Guard(guard) => writeln!(
                out,
                "<guard ts=\"{ts:.3}\" user=\"{user}\" uid=\"{uid}\" level=\"{}\" count=\"{}\" price=\"{}\"/>",
                guard.guard_level,
                guard.num,
                guard.paid.cny()
            )?,
            _ => {}
        }
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<(), ExportError> {
        self.out.write_all(b"</i>\n")?;
        Ok(self.out.flush()?)
    }
}

/// Text as it may stand in an element or an attribute; what XML cannot hold at all is left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\n' | '\r' | '\t' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => safe.push(c),
        }
    }
    safe
}
