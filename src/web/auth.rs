//! Who may change something.
//!
//! One administrator with a password (argon2), signed in by form: the session is a random number in a
//! cookie, of which only the hash is kept here, and every write carries the session's token as well.
//! Programs send a bearer token instead. Whoever cannot show either gets 401 and nothing happens; a
//! request that a foreign page made is refused whatever it carries. Wrong passwords make an address wait.
//!
//! Passwords, tokens and cookies are never logged and never served.

use std::{
    collections::HashMap,
    fmt::Write as _,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration as CookieAge},
    http::{StatusCode, header},
};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    error::Refusal,
    keys::{Keys, Known, Scope},
    tries::Tries,
    visitor::{Visitor, same_origin},
};

/// The cookie of a signed-in session.
pub const SESSION_COOKIE: &str = "blm_session";
/// The cookie of a browser that opened a share link.
pub const SHARE_COOKIE: &str = "blm_share";
/// Where programs that use the cookie send the session's token.
pub const TOKEN_HEADER: &str = "X-CSRF-Token";

/// How long a session lasts.
const SESSION_LASTS: Duration = Duration::from_secs(12 * 3600);
/// Sessions kept; the oldest goes first.
const SESSIONS_KEPT: usize = 100;
/// Hashing is made to be costly: so many at a time for the whole program.
const VERIFIED_AT_ONCE: usize = 2;
/// Those who may wait for their turn.
const WAITING: usize = 8;

type Digested = [u8; 32];

/// Keeps the password's hash, the programs' token and who is signed in.
pub struct AdminAuth {
    password_hash: Option<String>,
    token: Option<Digested>,
    /// Keys and share links that the administrator made.
    pub keys: Keys,
    sessions: Mutex<HashMap<Digested, Session>>,
    tries: Mutex<Tries>,
    /// Places of those who wait or whose password is looked at.
    line: Arc<Semaphore>,
    /// Those whose password is looked at.
    turns: Arc<Semaphore>,
}

struct Session {
    csrf: String,
    until: Instant,
}

/// A session that has just begun.
pub struct SignedIn {
    /// What goes into the cookie.
    pub id: String,
}

/// Who asks for a change.
#[derive(Debug, PartialEq, Eq)]
pub enum Admin {
    /// A person, signed in by form.
    Person,
    /// A program with a bearer token.
    Program,
}

/// What a request shows in its `Authorization`.
enum Bearer {
    /// Nothing.
    Absent,
    /// Something that opens nothing.
    Wrong,
    /// A key, what it is called and what it allows.
    Known { name: String, scope: Scope },
}

/// A password for the first start: plain for the person, hashed for the database.
pub fn make_password() -> (String, String) {
    // Without characters that are easily taken for each other.
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes: [u8; 20] = rand::random();
    let mut plain = String::new();
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 && i % 5 == 0 {
            plain.push('-');
        }
        plain.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    let hashed = hash(&plain);
    (plain, hashed)
}

/// The hash of a password, for storing.
pub fn hash(plain: &str) -> String {
    let hash: PasswordHash =
        Argon2::default().hash_password(plain.as_bytes()).expect("the default parameters and salt are valid");
    hash.to_string()
}

impl AdminAuth {
    /// `password` from the environment wins over `stored_hash`; with neither nobody can sign in.
    pub fn new(password: Option<String>, token: Option<String>, stored_hash: Option<String>) -> AdminAuth {
        AdminAuth {
            password_hash: password.filter(|password| !password.is_empty()).map(|plain| hash(&plain)).or(stored_hash),
            token: token.filter(|token| !token.is_empty()).map(|token| digest(&token)),
            keys: Keys::default(),
            sessions: Mutex::default(),
            tries: Mutex::default(),
            line: Arc::new(Semaphore::new(VERIFIED_AT_ONCE + WAITING)),
            turns: Arc::new(Semaphore::new(VERIFIED_AT_ONCE)),
        }
    }

    /// Begins a session if the password is right.
    pub async fn sign_in(&self, address: IpAddr, password: String) -> Result<SignedIn, Refusal> {
        // Who must wait anyway takes no place from others.
        must_wait(self.locked(&self.tries).wait(address))?;
        let wrong = || Refusal::new(StatusCode::UNAUTHORIZED, "wrong_password", "the password is wrong");
        let known = self.password_hash.clone().ok_or_else(wrong)?;
        let place = self.line.clone().try_acquire_owned().map_err(|_| {
            Refusal::later(StatusCode::TOO_MANY_REQUESTS, "busy", "too many are signing in at this moment", 2)
        })?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|e| Refusal::inside("signing in", e))?;
        let tries = {
            // Others of this address may have failed while it waited.
            let mut tries = self.locked(&self.tries);
            must_wait(tries.wait(address))?;
            tries.book(address)
        };
        let right = actix_web::web::block(move || {
            // Kept until the work is done, even if whoever asked has gone.
            let _kept = (place, turn);
            PasswordHash::new(&known)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
        .map_err(|e| Refusal::inside("signing in", e))?;
        if !right {
            tracing::warn!(%address, tries, "web: wrong administrator password");
            return Err(wrong());
        }
        self.locked(&self.tries).forget(address);
        let (id, csrf) = (random_text(), random_text());
        let mut sessions = self.locked(&self.sessions);
        sessions.retain(|_, session| session.until > Instant::now());
        if sessions.len() >= SESSIONS_KEPT
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.until).map(|(id, _)| *id)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(digest(&id), Session { csrf, until: Instant::now() + SESSION_LASTS });
        Ok(SignedIn { id })
    }

    /// Ends the session of this request.
    pub fn sign_out(&self, request: &HttpRequest) {
        if let Some(cookie) = request.cookie(SESSION_COOKIE) {
            self.locked(&self.sessions).remove(&digest(cookie.value()));
        }
    }

    /// The token of the visitor's session, if the visitor is signed in.
    pub fn session_token(&self, request: &HttpRequest) -> Option<String> {
        let cookie = request.cookie(SESSION_COOKIE)?;
        let sessions = self.locked(&self.sessions);
        let session = sessions.get(&digest(cookie.value()))?;
        (session.until > Instant::now()).then(|| session.csrf.clone())
    }

    /// Whether this visitor may see what the public may not: by session, key or share link.
    pub fn sees_all(&self, request: &HttpRequest) -> bool {
        let shared = || self.keys.find(&digest_text(request.cookie(SHARE_COOKIE)?.value()));
        self.session_token(request).is_some()
            || matches!(self.bearer(request), Bearer::Known { .. })
            || shared().is_some_and(|key| key.scope == Scope::Share)
    }

    /// Whether this visitor administrates: signed in, or a program whose key may change things. A write needs
    /// more, see [`AdminAuth::admit`].
    pub fn administrates(&self, request: &HttpRequest) -> bool {
        self.session_token(request).is_some()
            || matches!(self.bearer(request), Bearer::Known { scope: Scope::Admin, .. })
    }

    /// Who makes this request, for the audit log; none for somebody unknown.
    pub fn actor(&self, request: &HttpRequest) -> Option<String> {
        match self.bearer(request) {
            Bearer::Known { name, .. } => Some(name),
            Bearer::Wrong => None,
            Bearer::Absent => self.session_token(request).map(|_| "password".to_owned()),
        }
    }

    /// Whose bearer token a request shows.
    fn bearer(&self, request: &HttpRequest) -> Bearer {
        let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Bearer::Absent };
        let Some(shown) = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")) else {
            return Bearer::Wrong;
        };
        let shown = shown.trim();
        // Two hashes are compared, so the time tells nothing about the token.
        if self.token.is_some_and(|token| digest(shown) == token) {
            return Bearer::Known { name: "BLM_ADMIN_TOKEN".to_owned(), scope: Scope::Admin };
        }
        let known = self.keys.find(&digest_text(shown));
        known.map_or(Bearer::Wrong, |Known { name, scope, .. }| Bearer::Known { name, scope })
    }

    /// Lets a write through, or says why not. `form_token` is the one that came in the form, if it was a form.
    pub fn admit(&self, request: &HttpRequest, form_token: Option<&str>) -> Result<Admin, Refusal> {
        same_origin(request)?;
        match self.bearer(request) {
            Bearer::Known { scope: Scope::Admin, .. } => return Ok(Admin::Program),
            Bearer::Known { .. } => {
                let text = "this key may read, but change nothing";
                return Err(Refusal::new(StatusCode::FORBIDDEN, "read_only", text));
            }
            Bearer::Wrong => return Err(Refusal::sign_in_first()),
            Bearer::Absent => {}
        }
        let token = self.session_token(request).ok_or_else(Refusal::sign_in_first)?;
        let header = request.headers().get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
        match form_token.or(header) {
            Some(shown) if digest(shown) == digest(&token) => Ok(Admin::Person),
            _ => Err(Refusal::forged("the token of the form is missing or old; load the page again")),
        }
    }

    fn locked<'a, T>(&self, of: &'a Mutex<T>) -> MutexGuard<'a, T> {
        of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn must_wait(wait: Duration) -> Result<(), Refusal> {
    if wait.is_zero() {
        return Ok(());
    }
    Err(Refusal::later(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_tries",
        "too many wrong passwords from this address",
        wait.as_secs() + 1,
    ))
}

fn digest(text: &str) -> Digested {
    Sha256::digest(text.as_bytes()).into()
}

/// The hash under which a key is kept: one that cannot be guessed needs no salt.
pub fn digest_text(text: &str) -> String {
    digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 256 random bits as text.
pub fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// The cookie of a browser that opened a share link.
pub fn share_cookie(request: &HttpRequest, secret: String) -> Cookie<'static> {
    Cookie::build(SHARE_COOKIE, secret)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(Visitor::of(request).https)
        .max_age(CookieAge::days(30))
        .finish()
}

/// The cookie that carries a session, or takes it away.
pub fn session_cookie(request: &HttpRequest, signed_in: Option<SignedIn>) -> Cookie<'static> {
    let (id, age) = match signed_in {
        Some(SignedIn { id }) => (id, SESSION_LASTS.as_secs()),
        None => (String::new(), 0),
    };
    Cookie::build(SESSION_COOKIE, id)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(Visitor::of(request).https)
        .max_age(CookieAge::seconds(i64::try_from(age).unwrap_or(0)))
        .finish()
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedIn")?;
        f.write_char('…')
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use actix_web::test::TestRequest;
    use futures_util::FutureExt;

    use super::*;
    use crate::web::tries::FREE_TRIES;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[actix_web::test]
    async fn writes_need_a_person_with_the_forms_token_or_a_program_with_its_token() {
        let auth = AdminAuth::new(Some("secret".into()), Some("robot".into()), None);
        let signed_in = auth.sign_in(HERE, "secret".into()).await.expect("the password is right");
        let asked = |headers: &[(&'static str, &str)]| {
            let mut request = TestRequest::post().insert_header(("Host", "here:8000"));
            for (name, value) in headers {
                request = request.insert_header((*name, *value));
            }
            request.to_http_request()
        };
        let cookie = format!("{SESSION_COOKIE}={}", signed_in.id);
        let csrf = auth.session_token(&asked(&[("Cookie", &cookie)])).expect("signed in");
        type Case<'a> = (&'a [(&'static str, &'a str)], Option<&'a str>, Result<Admin, u16>);
        let table: [Case<'_>; 12] = [
            (&[], None, Err(401)),
            (&[("Cookie", "blm_session=guess")], Some(&csrf), Err(401)),
            (&[("Cookie", &cookie)], None, Err(403)),
            (&[("Cookie", &cookie)], Some("wrong"), Err(403)),
            (&[("Cookie", &cookie)], Some(&csrf), Ok(Admin::Person)),
            (&[("Cookie", &cookie), (TOKEN_HEADER, &csrf)], None, Ok(Admin::Person)),
            (&[("Cookie", &cookie), ("Origin", "http://here:8000")], Some(&csrf), Ok(Admin::Person)),
            (&[("Cookie", &cookie), ("Origin", "http://evil.example")], Some(&csrf), Err(403)),
            (&[("Cookie", &cookie), ("Origin", "null")], Some(&csrf), Err(403)),
            (&[("Authorization", "Bearer robot")], None, Ok(Admin::Program)),
            (&[("Authorization", "Bearer robo")], None, Err(401)),
            (&[("Authorization", "Bearer robot"), ("Origin", "http://evil.example")], None, Err(403)),
        ];
        for (headers, form_token, expected) in table {
            let found = auth.admit(&asked(headers), form_token).map_err(|refusal| refusal.status.as_u16());
            assert_eq!(found, expected, "{headers:?} {form_token:?}");
        }
        auth.sign_out(&asked(&[("Cookie", &cookie)]));
        assert_eq!(auth.session_token(&asked(&[("Cookie", &cookie)])), None);
    }

    #[actix_web::test]
    async fn without_password_and_token_nobody_comes_in() {
        let auth = AdminAuth::new(None, Some(String::new()), None);
        assert_eq!(auth.sign_in(HERE, String::new()).await.expect_err("nobody").status, 401);
        let request = TestRequest::post().insert_header(("Authorization", "Bearer ")).to_http_request();
        assert_eq!(auth.admit(&request, None).expect_err("nobody").status, 401);
    }

    #[actix_web::test]
    async fn wrong_passwords_make_an_address_wait() {
        let (plain, hashed) = make_password();
        let auth = AdminAuth::new(None, None, Some(hashed));
        for _ in 0..FREE_TRIES {
            assert_eq!(auth.sign_in(HERE, "wrong".into()).await.expect_err("wrong").status, 401);
        }
        let refusal = auth.sign_in(HERE, plain.clone()).await.expect_err("must wait, even with the right one");
        assert_eq!((refusal.status.as_u16(), refusal.retry_after), (429, Some(1)));
        let other = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        assert!(auth.sign_in(other, plain).await.is_ok());
    }
    #[actix_web::test]
    async fn guesses_side_by_side_are_no_more_than_guesses_one_by_one() {
        let auth = AdminAuth::new(Some("secret".into()), None, None);
        let guesses = (0..40).map(|_| auth.sign_in(HERE, "wrong".into()));
        let answers = futures_util::future::join_all(guesses).await;
        let count = |code| answers.iter().filter(|answer| answer.as_ref().err().map(|e| e.code) == Some(code)).count();
        assert_eq!(count("wrong_password"), FREE_TRIES as usize);
        assert_eq!(count("busy"), 40 - VERIFIED_AT_ONCE - WAITING, "refused at once, they do not queue");
        assert_eq!(count("too_many_tries"), VERIFIED_AT_ONCE + WAITING - FREE_TRIES as usize);
        assert!(
            answers.iter().flat_map(|answer| answer.as_ref().err()).all(|e| matches!(e.status.as_u16(), 401 | 429))
        );
    }

    #[actix_web::test]
    async fn a_guess_whose_sender_hangs_up_counts_as_well() {
        let auth = AdminAuth::new(Some("secret".into()), None, None);
        for _ in 0..FREE_TRIES {
            while auth.turns.available_permits() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(auth.sign_in(HERE, "wrong".into()).now_or_never().is_none(), "its password is being looked at");
        }
        assert_eq!(auth.sign_in(HERE, "secret".into()).await.err().map(|e| e.code), Some("too_many_tries"));
    }
}
