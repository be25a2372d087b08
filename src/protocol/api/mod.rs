//! Reads the upstream's HTTP replies: one function for each endpoint, one file for each family.
//!
//! Not here: sending requests, cookies, what every reply has in common (`envelope`).
//!
//! Invariant: a value that comes out is usable: a room has a number, a ticket a token and a host. Numbers
//! may be text, and times come as unix seconds or as text of Shanghai; a time that means off is none.

mod account;
mod identity;
mod recent;
mod renewal;
mod room;
mod status;
mod stream;
mod time;
mod web_ticket;

pub use self::{
    account::{
        Account, QrCode, QrState, parse_account, parse_consent, parse_cookie_info, parse_qr_code, parse_qr_state,
        parse_renewed,
    },
    identity::{Buvid, parse_nav, parse_spi},
    recent::{parse_chat_history, parse_super_chats},
    renewal::{correspond_path, parse_refresh_csrf},
    room::{
        Anchor, Seal, parse_get_info, parse_master_info, parse_room_base_info, parse_room_init, room_base_info_path,
    },
    status::{STREAMERS_A_CALL, parse_status_by_uids, status_by_uids_path},
    stream::{StreamHost, StreamTicket, parse_danmu_info},
    web_ticket::{WebTicket, parse_web_ticket, web_ticket_path},
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ApiError, Refusal};

    fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>) -> Refusal {
        result.expect_err("is a refusal").refusal().expect("is a refusal")
    }

    #[test]
    fn each_refusal_is_known_for_what_it_is() {
        for (code, kind) in [
            (-352, Refusal::RiskControl),
            (-412, Refusal::Blocked),
            (-509, Refusal::TooMany),
            (-799, Refusal::TooMany),
            (60004, Refusal::NoSuchRoom),
            (1, Refusal::Other),
            (-101, Refusal::NotLoggedIn),
            (65530, Refusal::Identity),
            (-503, Refusal::Server),
            (777, Refusal::Other),
        ] {
            let body = format!(r#"{{"code":{code},"msg":"说不","data":[]}}"#);
            assert_eq!(refused(parse_room_init(body.as_bytes())), kind, "{code}");
            let error = parse_danmu_info(body.as_bytes()).expect_err("is refused");
            assert_eq!(error.to_string(), format!("refused with code {code}: 说不"));
        }
        assert_eq!(refused(parse_get_info(br#"{"code":1,"data":[]}"#)), Refusal::NoSuchRoom);
    }

    #[test]
    fn what_is_no_reply_is_not_read_as_one() {
        for body in ["", "<html>", "[]", "null", "{}", "{\"code\":\"x\"}", "{\"code\":0", "\u{feff}{}"] {
            assert!(matches!(parse_spi(body.as_bytes()), Err(ApiError::NotAReply { .. })), "{body}");
        }
        for data in ["null", "[]", "{}", "\"\"", "7"] {
            let body = format!(r#"{{"code":0,"data":{data}}}"#);
            assert!(matches!(parse_spi(body.as_bytes()), Err(ApiError::Missing(_))), "{body}");
            assert!(matches!(parse_danmu_info(body.as_bytes()), Err(ApiError::Missing(_))), "{body}");
            assert!(matches!(parse_room_init(body.as_bytes()), Err(ApiError::Missing(_))), "{body}");
            assert!(matches!(parse_room_base_info(body.as_bytes()).as_deref(), Ok([])), "{body}");
        }
    }
}
