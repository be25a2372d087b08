//! The passport host: login by QR code, and the refresh of cookies.
//!
//! Paths, codes and odd forms are those of the protocol notes, 1.11 and 1.12. Who holds the phone is decided
//! on the control page. The correspondence path is RSA-encrypted with a key whose other half nobody has: what
//! can be checked is its form.

use actix_web::{HttpRequest, HttpResponse, http::header::SET_COOKIE, web};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::json;

use super::{
    accounts::{Login, NOT_LOGGED_IN, Polled, Refused, WRONG_CSRF, WRONG_REFRESH},
    asking::{cookie, parameter},
    envelope::{refuse, reply},
    world::{World, lock, now_ms},
};

/// Length of the encrypted path: 1024 bits in hex.
const CORRESPOND_LENGTH: usize = 256;

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/x/passport-login/web/qrcode/generate", web::get().to(generate))
        .route("/x/passport-login/web/qrcode/poll", web::get().to(poll))
        .route("/x/passport-login/web/cookie/info", web::get().to(cookie_info))
        .route("/correspond/1/{path}", web::get().to(correspond))
        .route("/x/passport-login/web/cookie/refresh", web::post().to(refresh))
        .route("/x/passport-login/web/confirm/refresh", web::post().to(confirm_refresh));
}

async fn generate(world: web::Data<World>) -> HttpResponse {
    let key = lock(&world.accounts).new_code(now_ms());
    let url = format!("https://passport.bilibili.com/h5-app/passport/login/scan?navhide=1&qrcode_key={key}&from=");
    reply(json!({"url": url, "qrcode_key": key}))
}

async fn poll(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let key = parameter(&request, "qrcode_key").unwrap_or_default();
    let now = now_ms();
    let polled = lock(&world.accounts).poll(&key, now);
    let (code, message) = match polled {
        Polled::Waiting => (86_101, "未扫码"),
        Polled::Scanned => (86_090, "二维码已扫码未确认"),
        Polled::Expired => (86_038, "二维码已失效"),
        Polled::LoggedIn(login) => {
            let pairs: Vec<String> = login.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
            let url = format!(
                "https://passport.biligame.com/x/passport-login/web/crossDomain?{}&Expires={}&gourl=https%3A%2F%2Fwww.bilibili.com",
                pairs.join("&"),
                login.expires
            );
            let answer = reply(
                json!({"url": url, "refresh_token": login.refresh_token, "timestamp": now, "code": 0, "message": ""}),
            );
            return with_cookies(answer, &login);
        }
    };
    reply(json!({"url": "", "refresh_token": "", "timestamp": 0, "code": code, "message": message}))
}

async fn cookie_info(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let accounts = lock(&world.accounts);
    let login = cookie(&request, "SESSDATA").and_then(|sessdata| accounts.login(&sessdata));
    let Some(user) = login.and_then(|login| accounts.user(login.uid)) else { return refused(NOT_LOGGED_IN) };
    reply(json!({"refresh": user.should_refresh, "timestamp": now_ms()}))
}

async fn correspond(request: HttpRequest, world: web::Data<World>, path: web::Path<String>) -> HttpResponse {
    let is_path = path.len() == CORRESPOND_LENGTH && path.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let sessdata = cookie(&request, "SESSDATA").filter(|_| is_path);
    let told = sessdata.and_then(|sessdata| lock(&world.accounts).correspond(&sessdata).ok());
    let page =
        |body: &str| format!("<!DOCTYPE html><html><head><meta charset=\"utf-8\"></head><body>{body}</body></html>");
    match told {
        Some(refresh_csrf) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .body(page(&format!("<div id=\"1-name\">{refresh_csrf}</div><div id=\"1-status\"></div>"))),
        None => HttpResponse::NotFound().content_type("text/html; charset=utf-8").body(page("<h1>404</h1>")),
    }
}

#[derive(Deserialize)]
struct Refresh {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    refresh_csrf: String,
    #[serde(default)]
    refresh_token: String,
    #[serde(default)]
    source: String,
}

async fn refresh(request: HttpRequest, world: web::Data<World>, form: web::Form<Refresh>) -> HttpResponse {
    if form.source != "main_web" {
        return refused(-400);
    }
    let sessdata = cookie(&request, "SESSDATA").unwrap_or_default();
    let refreshed =
        lock(&world.accounts).refresh(&sessdata, &form.csrf, &form.refresh_csrf, &form.refresh_token, now_ms());
    match refreshed {
        Ok(login) => {
            with_cookies(reply(json!({"status": 0, "message": "", "refresh_token": login.refresh_token})), &login)
        }
        Err(code) => refused(code),
    }
}

async fn confirm_refresh(request: HttpRequest, world: web::Data<World>, form: web::Form<Refresh>) -> HttpResponse {
    let sessdata = cookie(&request, "SESSDATA").unwrap_or_default();
    match lock(&world.accounts).confirm_refresh(&sessdata, &form.csrf, &form.refresh_token) {
        Ok(()) => reply(json!({})),
        Err(code) => refused(code),
    }
}

fn refused(code: Refused) -> HttpResponse {
    let message = match code {
        NOT_LOGGED_IN => "账号未登录",
        WRONG_CSRF => "csrf 校验失败",
        WRONG_REFRESH => "refresh_csrf 错误或 refresh_token 与 cookie 不匹配",
        _ => "请求错误",
    };
    refuse(code, message)
}

/// Sets the cookies as the platform does, without `Secure` and `Domain`: there is no TLS here and no such name.
fn with_cookies(mut answer: HttpResponse, login: &Login) -> HttpResponse {
    let expires = DateTime::from_timestamp(login.expires, 0).unwrap_or_default().format("%a, %d %b %Y %H:%M:%S GMT");
    for (name, value) in login.cookies() {
        let guarded = if name == "SESSDATA" { "; HttpOnly" } else { "" };
        let cookie = format!("{name}={value}; Path=/; Expires={expires}{guarded}");
        // Letters, digits and signs only: always a header.
        if let Ok(header) = cookie.parse() {
            answer.headers_mut().append(SET_COOKIE, header);
        }
    }
    answer
}
