//! The envelopes in which the platform answers and refuses. One function each, nothing else.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::signature::hex;

/// The usual envelope.
pub(super) fn reply(data: Value) -> HttpResponse {
    HttpResponse::Ok().json(json!({"code": 0, "message": "0", "ttl": 1, "data": data}))
}

/// The envelope of older endpoints.
pub(super) fn old_reply(data: Value) -> HttpResponse {
    HttpResponse::Ok().json(json!({"code": 0, "msg": "ok", "message": "ok", "data": data}))
}

/// A refusal; `data` is an empty list where an object belongs, as the real ones do it.
pub(super) fn refuse(code: i64, message: &str) -> HttpResponse {
    HttpResponse::Ok().json(json!({"code": code, "msg": message, "message": message, "data": []}))
}

/// Risk control.
pub(super) fn suspect() -> HttpResponse {
    let n = hex(&rand::random::<[u8; 16]>());
    let voucher = format!("voucher_{}-{}-4{}-{}-{}", &n[..8], &n[8..12], &n[13..16], &n[16..20], &n[20..]);
    HttpResponse::Ok()
        .insert_header(("x-bili-gaia-vvoucher", voucher.as_str()))
        .json(json!({"code": -352, "message": "-352", "ttl": 1, "data": {"v_voucher": voucher}}))
}
