//! The dashboard: how all rooms are now, and which of them somebody wants to see.
//!
//! A wall holds a thousand rooms, so they are chosen by state, area and name, sorted and put in groups: here for
//! whoever has no scripts, and by `dashboard.js` in place for the others. Both do it alike. The tiles are always of
//! all rooms.

use std::collections::{BTreeMap, HashMap};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Site,
    api::params::{self, Params},
    audience::Audience,
    fresh::{Fresh, is_chat_or_money},
    pages::{answer, names, of_kind, rows},
    today::since,
};
use crate::{
    actors::wall::{Counts, RoomSummary},
    domain::{Event, Gold, LiveStatus, RoomId},
    store::{
        lately::Spent,
        queries::{Filter, Page},
        series::Step,
        sqlite::{Database, QueryError},
    },
    supervise::vitals::{State, unix_ms},
};

const MINUTE_MS: i64 = 60_000;
/// Minutes that a sparkline shows.
const SPARK_MINUTES: i64 = 30;
/// Lines of the feed.
const FEED_ROWS: usize = 30;

/// The states by which rooms are shown and grouped, in that order.
const STATES: [&str; 3] = ["trouble", "live", "off"];
const SORTS: [&str; 4] = ["rate", "income", "danmaku", "name"];
const GROUPS: [&str; 3] = ["none", "area", "state"];

/// Which rooms somebody wants to see, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Choice {
    /// A state, or `all`.
    show: &'static str,
    /// An area, or nothing for all.
    area: String,
    /// In the streamer's name, the title or the number.
    find: String,
    sort: &'static str,
    group: &'static str,
}

impl Choice {
    /// What stands in the address; what is not known there is as if nothing stood.
    fn of(params: &HashMap<String, String>, audience: Audience) -> Choice {
        let one_of = |name, known: &[&'static str]| {
            let asked = params::text(params, name)?;
            known.iter().copied().find(|known| *known == asked)
        };
        let text = |name| params::text(params, name).unwrap_or_default().chars().take(100).collect();
        // An order by money would tell it.
        let sort = one_of("sort", &SORTS).filter(|sort| *sort != "income" || audience == Audience::Everything);
        Choice {
            show: one_of("show", &STATES).unwrap_or("all"),
            area: text("area"),
            find: text("find"),
            sort: sort.unwrap_or("rate"),
            group: one_of("group", &GROUPS).unwrap_or("none"),
        }
    }

    fn wants(&self, room: &RoomSummary, now_ms: i64) -> bool {
        let find = self.find.to_lowercase();
        let texts = [room.info.uname.to_lowercase(), room.info.title.to_lowercase(), room.info.room_id.to_string()];
        (self.show == "all" || self.show == state(room, now_ms))
            && (self.area.is_empty() || self.area == area(room))
            && (find.is_empty() || texts.iter().any(|text| text.contains(&find)))
    }

    /// The places of the rooms that are wanted, in their order, by group.
    fn arranged<'a>(&self, rooms: &'a [RoomSummary], spent: &[Spent], now_ms: i64) -> Vec<(&'a str, Vec<usize>)> {
        let mut places: Vec<usize> = (0..rooms.len()).filter(|place| self.wants(&rooms[*place], now_ms)).collect();
        let is_off = |room: &RoomSummary| room.info.status != LiveStatus::Live;
        places.sort_by(|one, other| {
            let (a, b) = (&rooms[*one], &rooms[*other]);
            let by = match self.sort {
                "income" => spent[*other].total().cmp(&spent[*one].total()),
                "danmaku" => b.counts.danmaku.cmp(&a.counts.danmaku),
                "name" => a.info.uname.cmp(&b.info.uname),
                _ => is_off(a).cmp(&is_off(b)).then(b.rates.danmaku_per_minute.cmp(&a.rates.danmaku_per_minute)),
            };
            by.then(a.info.room_id.cmp(&b.info.room_id))
        });
        let mut groups: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
        for place in places {
            let name = match self.group {
                "area" => area(&rooms[place]),
                "state" => state(&rooms[place], now_ms),
                _ => "",
            };
            // States in their order, areas by name, those without one last.
            let rank = match self.group {
                "state" => STATES.iter().position(|known| *known == name).unwrap_or(0),
                _ => usize::from(name.is_empty()),
            };
            groups.entry((rank, name)).or_default().push(place);
        }
        groups.into_iter().map(|((_, name), places)| (name, places)).collect()
    }
}

/// The area above a room's, or its own.
fn area(room: &RoomSummary) -> &str {
    match room.info.parent_area_name.as_str() {
        "" => &room.info.area_name,
        parent => parent,
    }
}

fn state(room: &RoomSummary, now_ms: i64) -> &'static str {
    match room.info.status {
        _ if needs_attention(room, now_ms) => "trouble",
        LiveStatus::Live => "live",
        _ => "off",
    }
}

/// `/live/`.
pub async fn page(request: HttpRequest, params: Params, site: web::Data<Site>) -> HttpResponse {
    answer(&request, &site, "dashboard.html", async {
        let rooms = site.web.wall.summaries();
        let now_ms = unix_ms();
        let choice = Choice::of(&params, Audience::of(&request, &site));
        let fresh = Fresh::look(&site.web.ring, None);
        let (sparks, feed) = site
            .ask("drawing the dashboard", {
                let rooms: Vec<RoomId> = rooms.iter().map(|room| room.info.room_id).collect();
                move |database| {
                    let sparks = rooms.iter().map(|room| spark(database, *room)).collect::<Result<Vec<_>, _>>()?;
                    Ok((sparks, newest(database, None, FEED_ROWS)?))
                }
            })
            .await?;
        let today = site.today.read(&site).await?;
        let names = names(&rooms);
        let troubled: Vec<&RoomSummary> = rooms.iter().filter(|room| needs_attention(room, now_ms)).collect();
        let of_room = |room: &RoomSummary| today.rooms.get(&room.info.room_id).copied().unwrap_or_default();
        let spent: Vec<Spent> = rooms.iter().map(|room| since(room, &of_room(room).before_day)).collect();
        let part = |of: fn(&Spent) -> Gold| spent.iter().map(of).sum::<Gold>();
        let stored = |of: &Counts| of.danmaku + of.gifts + of.super_chats + of.guards;
        let tiles = json!({
            "monitored": rooms.len(),
            "live": rooms.iter().filter(|room| room.info.status == LiveStatus::Live).count(),
            "attention": troubled.len(),
            "per_minute": rooms.iter().map(|room| room.rates.danmaku_per_minute).sum::<u64>(),
            "people": today.people,
            "coverage": today.coverage,
            "accounts_ok": today.accounts_ok,
            "accounts_all": today.accounts_all,
            "income": part(Spent::total),
            "gift_gold": part(|spent| spent.gift_gold),
            "super_chat_gold": part(|spent| spent.super_chat_gold),
            "guard_gold": part(|spent| spent.guard_gold),
            "total_gold": rooms.iter().map(|room| room.income.total_gold).sum::<Gold>(),
            "stored": rooms.iter().map(|room| stored(&room.counts)).sum::<i64>(),
        });
        let mut cards: Vec<Value> = Vec::new();
        for (room, spark) in rooms.iter().zip(sparks) {
            let mut card = json!(room);
            card["spark"] = json!(points(&spark));
            card["spark_values"] = json!(spark);
            let of_room = of_room(room);
            card["people"] = json!(of_room.people);
            card["broadcast"] = json!(of_room.broadcast.map(|broadcast| {
                let total_gold = since(room, &broadcast.before_broadcast).total();
                json!({"total_gold": total_gold, "coverage": broadcast.coverage})
            }));
            cards.push(card);
        }
        let mut areas: Vec<&str> = rooms.iter().map(area).filter(|area| !area.is_empty()).collect();
        areas.sort_unstable();
        areas.dedup();
        let groups = choice.arranged(&rooms, &spent, now_ms);
        let shown = groups.iter().map(|(_, places)| places.len()).sum::<usize>();
        let mut cards: Vec<Option<Value>> = cards.into_iter().map(Some).collect();
        let mut take = |place: usize| cards.get_mut(place).and_then(Option::take);
        let mut groups: Vec<Value> = groups
            .into_iter()
            .map(|(name, places)| json!({"name": name, "rooms": places.into_iter().filter_map(&mut take).collect::<Vec<_>>()}))
            .collect();
        // What is not chosen is there all the same: the script shows it without asking again.
        let left: Vec<Value> = cards.into_iter().flatten().collect();
        if !left.is_empty() {
            groups.push(json!({"name": "", "rooms": left, "left": true}));
        }
        Ok(json!({
            "section": "dashboard", "now_ms": now_ms, "tiles": tiles, "troubled": troubled, "groups": groups,
            "any": !rooms.is_empty(), "areas": areas, "shown": shown, "choice": choice,
            "data": {"today": *today},
            "feed": rows(&fresh.over(feed, is_chat_or_money, FEED_ROWS), &names, None), "cursor": fresh.cursor,
        }))
    })
    .await
}

/// What a person should look at: watched, not paused, and yet not received.
fn needs_attention(room: &RoomSummary, now_ms: i64) -> bool {
    !matches!(room.state, State::Live | State::Paused) && now_ms - room.state_since_ms > 15_000
        || matches!(room.state, State::Failed | State::Backoff)
}

fn newest(database: &Database, room: Option<RoomId>, limit: usize) -> Result<Vec<Event>, QueryError> {
    let filter = Filter { room, ..Filter::default() };
    Ok(of_kind(database, "all", &filter, &Page { limit, before: None, since: None })?.events)
}

/// Danmaku a minute over the last half hour, the running minute left out.
fn spark(database: &Database, room: RoomId) -> Result<Vec<i64>, QueryError> {
    let to_ms = Step::Minute.start_of(unix_ms());
    let from_ms = to_ms - SPARK_MINUTES * MINUTE_MS;
    let stored: HashMap<i64, i64> =
        database.trend(room, from_ms, to_ms, Step::Minute)?.iter().map(|point| (point.at_ms, point.danmaku)).collect();
    Ok((0..SPARK_MINUTES).map(|n| stored.get(&(from_ms + n * MINUTE_MS)).copied().unwrap_or(0)).collect())
}

/// The points of a line in a box of 100 by 24.
fn points(values: &[i64]) -> String {
    let top = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = 100.0 / (values.len().max(2) - 1) as f64;
    let place = |(n, value): (usize, &i64)| format!("{:.1},{:.1}", n as f64 * step, 23.0 - *value as f64 / top * 22.0);
    values.iter().enumerate().map(place).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_stays_in_its_box() {
        assert_eq!(points(&[0, 5, 10]), "0.0,23.0 50.0,12.0 100.0,1.0");
        assert_eq!(points(&[0]), "0.0,23.0");
        assert_eq!(points(&[]), "");
    }

    /// Rooms 1 to 5; the second waits for its connection too long, the third is off air.
    fn wall() -> Vec<RoomSummary> {
        let (web, _, _folder) = crate::web::tests::web();
        let one = web.wall.summaries().remove(0);
        let areas = ["虚拟主播", "网游", "虚拟主播", "", "网游"];
        let room = |(n, area): (usize, &&str)| {
            let mut room = one.clone();
            room.info.room_id = RoomId(n as u64 + 1);
            room.info.uname = ["Beta", "Alpha", "Gamma", "Delta", "Epsilon"][n].to_owned();
            room.info.title = format!("第{}场", n + 1);
            room.info.parent_area_name = (*area).to_owned();
            room.info.area_name = String::new();
            room.info.status = if n == 2 { LiveStatus::Off } else { LiveStatus::Live };
            room.state = if n == 1 { State::Connecting } else { State::Live };
            room.state_since_ms = 0;
            room.rates.danmaku_per_minute = [5, 9, 7, 1, 3][n];
            room.counts.danmaku = [10, 20, 30, 40, 50][n];
            room
        };
        areas.iter().enumerate().map(room).collect()
    }

    fn arranged(query: &[(&str, &str)], audience: Audience) -> String {
        let params = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let rooms = wall();
        let spent = |n: i64| Spent { gift_gold: Gold(n), ..Spent::default() };
        let spent: Vec<Spent> = [1, 2, 3, 5, 4].map(spent).to_vec();
        let groups = Choice::of(&params, audience).arranged(&rooms, &spent, 1_000_000);
        let group = |(name, places): &(&str, Vec<usize>)| {
            let numbers: Vec<String> = places.iter().map(|place| rooms[*place].info.room_id.to_string()).collect();
            format!("{name}:{}", numbers.join(" "))
        };
        groups.iter().map(group).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn rooms_are_chosen_sorted_and_grouped_as_the_address_says() {
        for (query, expected) in [
            (vec![], ":2 1 5 4 3"),
            (vec![("sort", "name")], ":2 1 4 5 3"),
            (vec![("sort", "danmaku")], ":5 4 3 2 1"),
            (vec![("sort", "income")], ":4 5 3 2 1"),
            (vec![("show", "live")], ":1 5 4"),
            (vec![("show", "trouble")], ":2"),
            (vec![("show", "off"), ("area", "虚拟主播")], ":3"),
            (vec![("find", "ALPHA")], ":2"),
            (vec![("find", "第4")], ":4"),
            (vec![("find", "5")], ":5"),
            (vec![("group", "state"), ("sort", "name")], "trouble:2 | live:1 4 5 | off:3"),
            (vec![("group", "area")], "网游:2 5 | 虚拟主播:1 3 | :4"),
            (vec![("find", "nobody")], ""),
            (vec![("show", "x"), ("sort", "x"), ("group", "x")], ":2 1 5 4 3"),
        ] {
            assert_eq!(arranged(&query, Audience::Everything), expected, "{query:?}");
        }
        assert_eq!(arranged(&[("sort", "income")], Audience::Public), ":2 1 5 4 3", "an order by money tells it");
    }
}
