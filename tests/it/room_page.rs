//! A room's page in a real Chromium: whom to thank, with marks that stay, and what happened.

use crate::support::{
    browser::Browser,
    eventually,
    fake::{FakeBilibili, Room},
    monitor::Setup,
    packet::Packing,
    same,
    story::Story,
};

#[tokio::test]
async fn whoever_paid_much_waits_to_be_thanked_and_a_mark_stays_over_a_reload() {
    let room = Room::new(92_008_101, Packing::Brotli);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let browser = Browser::open(monitor.url()).await;
    let page = format!("/live/room/{}/", room.room_id);
    browser.goto(&page).await;
    browser.wait("the page listens", "document.getElementById('push').dataset.push === 'live'").await;

    let story = Story::of(&room, 2);
    fake.send(room.room_id, &story.messages);
    let big = story.outcome.gifts.iter().filter(|gift| gift["paid_gold"].as_i64() >= Some(10_000)).count();
    let wanted = story.outcome.super_chats.len() + story.outcome.guards.len() + big;
    let left = |n: usize| format!("document.querySelectorAll('[data-lane=thanks] > :not(.is-thanked)').length === {n}");
    browser.wait(&format!("{wanted} wait to be thanked"), &left(wanted)).await;
    assert_eq!(browser.eval("document.getElementById('thank-left').textContent").await, wanted.to_string());

    browser.click("[data-lane=thanks] > :first-child .thank").await;
    browser.wait("one less", &left(wanted - 1)).await;
    eventually("all of it is in the history", async || {
        same(monitor.rows("event_id", "live_data_giftdata").len(), story.outcome.gifts.len())
    })
    .await;
    browser.goto(&page).await;
    browser.wait("the mark is there again", &left(wanted - 1)).await;
    let began = "!!document.querySelector('#timeline .tl-live')";
    browser.wait("the broadcast's begin stands in the timeline", began).await;
    let boxes = "document.querySelectorAll('.gain, .loss').length > 0";
    assert_eq!(browser.eval(boxes).await, true, "blind boxes have a result");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
