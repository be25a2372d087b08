//! Every page as people have it: in both languages, light and dark, on a telephone, a desk and a wall.
//!
//! One browser walks them all; a page is loaded once per language and then turned and resized. What it saw is
//! written to `target/screenshots` for a person to look at.

use serde_json::Value;

use crate::support::{
    axe,
    browser::Browser,
    eventually,
    fake::{FakeBilibili, Room, unix_ms},
    monitor::{Monitor, Setup},
    packet::Packing,
    past,
    story::Story,
};

/// A page: its name in file names, its address, and whether it lives by push.
struct Page {
    name: &'static str,
    path: String,
    is_pushed: bool,
}

fn page(name: &'static str, path: &str, is_pushed: bool) -> Page {
    Page { name, path: path.to_owned(), is_pushed }
}

fn pages(room: &Value) -> Vec<Page> {
    vec![
        page("dashboard", "/live/", true),
        page("danmaku", "/live/danmaku/", true),
        page("search", "/live/danmaku/?q=%E4%B8%BB%E6%92%AD", false),
        page("charts", "/live/charts/", true),
        page("charts-one", &format!("/live/charts/?room={room}&span=30m"), true),
        page("methodology", "/live/methodology/", false),
        page("room", &format!("/live/room/{room}/"), true),
        page("overlay", &format!("/live/overlay/{room}/"), false),
        page("debug", "/live/debug/", true),
        page("admin", "/live/admin/", false),
        page("api", "/live/api/", false),
        page("nowhere", "/live/nowhere/", false),
        page("no-room", "/live/room/424242/", false),
    ]
}

/// What whoever starts the program for the first time sees: no room, no event, nobody signed in.
fn first_pages() -> Vec<Page> {
    vec![
        page("empty-dashboard", "/live/", true),
        page("empty-danmaku", "/live/danmaku/", true),
        page("empty-charts", "/live/charts/", false),
        page("empty-debug", "/live/debug/", true),
        page("sign-in", "/live/admin/", false),
    ]
}

/// The program with the simulator's rooms, until there is something of every kind to look at.
async fn lively() -> Monitor {
    let monitor = Setup::new().with(&["--demo"]).start().await;
    eventually("there is something to look at", async || {
        let stats = monitor.data("/live/api/system/stats/").await["stats"].take();
        let enough = stats["total_danmaku"].as_i64() > Some(60) && stats["total_gifts"].as_i64() > Some(3);
        if enough { Ok(()) } else { Err(stats.to_string()) }
    })
    .await;
    monitor
}

/// Everything that is wrong with the page at one width, in the theme and language it has now.
async fn look(browser: &Browser, at: &str, picture: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let overflow = browser.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
    if overflow.as_i64().unwrap_or(i64::MAX) > 0 {
        let widest = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).slice(0, 5).map(e => e.tagName + '.' + e.className).join(' | ')";
        wrong.push(format!("{at}: {overflow} px too wide: {}", browser.eval(widest).await));
    }
    // A table is read as it stands; only the hours of a week and the figures of every minute do not fit a telephone.
    let sideways = "[...document.querySelectorAll('.scroll:not(:has(.heat), .table-view *)')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => `${e.closest('section')?.querySelector('h2')?.textContent.trim()} by ${e.scrollWidth - e.clientWidth} px`).join(' | ')";
    let sideways = browser.eval(sideways).await;
    if sideways != "" {
        wrong.push(format!("{at}: tables are to be scrolled sideways: {sideways}"));
    }
    wrong.extend(axe::violations(browser).await.into_iter().map(|found| format!("{at}: {found}")));
    browser.picture(picture).await;
    wrong
}

/// Everything that is wrong with the pages, in every form they have.
async fn walk(browser: &Browser, pages: Vec<Page>) -> Vec<String> {
    let mut wrong = Vec::new();
    for Page { name, path, is_pushed } in pages {
        for lang in ["zh-CN", "en"] {
            browser.resize(1280).await;
            browser.goto(&format!("{path}{}lang={lang}", if path.contains('?') { '&' } else { '?' })).await;
            if is_pushed {
                let live = "document.getElementById('push')?.dataset.push === 'live' && /[\\d–]/.test(document.querySelector('.push-text').textContent)";
                browser.wait(&format!("data arrive by push on {path}"), live).await;
            }
            for theme in ["light", "dark"] {
                // The overlay lies over somebody's picture: it has no theme.
                let turn = format!(
                    "(document.documentElement.dataset.bsTheme === '{theme}' || window.blmTheme?.toggle(), true)"
                );
                browser.eval(&turn).await;
                for width in [360, 1280, 2560] {
                    browser.resize(width).await;
                    let at = format!("{path} in {lang}, {theme}, at {width} px");
                    wrong.extend(look(browser, &at, &format!("{name}-{lang}-{theme}-{width}")).await);
                }
            }
            let complaints = browser.complaints().await;
            // The answer 404 itself stands on the console.
            let complaints = complaints.into_iter().filter(|_| !["nowhere", "no-room"].contains(&name));
            wrong.extend(complaints.map(|complaint| format!("{path} in {lang}: {complaint}")));
        }
    }
    wrong
}

#[tokio::test]
async fn every_page_is_accessible_fits_and_is_clean_in_both_languages_light_and_dark_at_every_width() {
    let monitor = lively().await;
    let room = monitor.data("/live/api/rooms/?status=live").await["rooms"][0]["room_id"].take();
    let browser = Browser::open(monitor.url()).await;
    browser.sign_in().await;
    let _ = browser.complaints().await;
    let wrong = walk(&browser, pages(&room)).await;
    assert!(wrong.is_empty(), "{} complaints\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn the_pages_of_a_first_start_say_what_to_do_and_are_as_accessible_and_clean() {
    let fake = FakeBilibili::start([]);
    let monitor = Setup::watching(&fake, &[]).start().await;
    let admin = format!("no room is monitored yet: sign in and add one on {}/live/admin/", monitor.url());
    eventually("the terminal says where to begin", async || {
        if monitor.stdout().contains(&admin) { Ok(()) } else { Err(monitor.stdout().join("\n")) }
    })
    .await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto("/live/").await;
    assert_eq!(browser.eval("!!document.querySelector('main a[href=\"/live/admin/#add\"]')").await, true);
    let wrong = walk(&browser, first_pages()).await;
    assert!(wrong.is_empty(), "{} complaints\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_room_with_a_past_is_as_accessible_and_clean_with_all_that_is_said_of_it() {
    let mut room = Room::new(92_008_701, Packing::Brotli);
    room.live_time = unix_ms() / 1000 - 2400;
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    past::write(&monitor.setup().database(), room.room_id);
    let mut story = Story::empty(&room);
    (0..4).for_each(|round| story.round(round));
    fake.send(room.room_id, &story.messages);
    eventually("what is said now is stored", async || {
        if monitor.rows("id", "live_data_guard").len() == 4 { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    let browser = Browser::open(monitor.url()).await;
    let number = room.room_id;
    let pages = vec![
        page("past-room", &format!("/live/room/{number}/"), true),
        page("past-charts", &format!("/live/charts/?room={number}&span=2h"), true),
        page("past-week", &format!("/live/charts/?room={number}&span=7d"), true),
        page("past-grouped", "/live/?group=state&sort=name", true),
    ];
    let wrong = walk(&browser, pages).await;
    assert!(wrong.is_empty(), "{} complaints\n{}", wrong.len(), wrong.join("\n"));
}
