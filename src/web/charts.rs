//! The charts page: what happened over time, when in the week, and rooms compared.
//!
//! All figures stand in the page as tables, drawn here; the script makes charts of the same values and counts
//! on by push. People by the minute are counted from the stored events themselves, so only for spans that are
//! drawn by the minute. What is added up from many minutes, the week and the comparison, is kept for a while and
//! says as of when it is.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::{
    Site,
    api::{
        params::{self, Params},
        trend::{Stretch, series},
    },
    broadcasts, cloud,
    error::Refusal,
    kept::Kept,
    pages::{answer, names},
    usual::{self, Band},
    week::{self, Hour},
};
use crate::{
    domain::{RoomId, RoomInfo},
    store::{
        coverage::Received,
        figures::RankedRoom,
        series::Step,
        sqlite::{Database, QueryError},
    },
    supervise::vitals::unix_ms,
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// More lines than this nobody can read.
const LINES: usize = 8;
/// The heat map averages over so many days.
const HEAT_DAYS: i64 = 28;
/// The word cloud is made of the newest lines, of all rooms together.
const CLOUD_LINES: i64 = 6000;
/// Its phrases.
const CLOUD_PHRASES: usize = 60;
/// A page that stays open knows for so long what will be usual.
const AHEAD_MS: i64 = 6 * HOUR_MS;

/// An average over weeks changes little in a minute.
const HEAT_FRESH: Duration = Duration::from_secs(60);

/// Nobody sees at once that a phrase is said once more.
const WORDS_FRESH: Duration = Duration::from_secs(20);

/// What was added up from many minutes or lines: of each room its hours, of each span all rooms, of both what is said.
pub struct Memo {
    words: Kept<(Option<RoomId>, &'static str), Words>,
    weeks: Kept<RoomId, Weeks>,
    ranking: Kept<&'static str, Ranking>,
}

/// The hours of a room's weeks.
struct Weeks {
    at_ms: i64,
    hours: Vec<Hour>,
}

/// What is said most.
struct Words {
    at_ms: i64,
    phrases: Vec<cloud::Phrase>,
    /// Of so many lines.
    lines: usize,
}

/// Rooms compared.
struct Ranking {
    at_ms: i64,
    rooms: Vec<RankedRoom>,
}

impl Default for Memo {
    fn default() -> Memo {
        Memo { words: Kept::new(WORDS_FRESH), weeks: Kept::new(HEAT_FRESH), ranking: Kept::new(Duration::ZERO) }
    }
}

impl Memo {
    async fn weeks(&self, site: &Site, rooms: &[RoomId]) -> Result<Vec<Arc<Weeks>>, Refusal> {
        let mut all = Vec::new();
        for room in rooms.iter().copied() {
            let asked = site.ask("adding up a room's weeks", move |database| {
                let at_ms = unix_ms();
                Ok(Weeks { at_ms, hours: hours(database, room, at_ms)? })
            });
            all.push(self.weeks.get(room, asked).await?);
        }
        Ok(all)
    }

    /// What is said most in these rooms in the last so many ms; `of` names the rooms and the span.
    async fn words(
        &self,
        site: &Site,
        of: (Option<RoomId>, &'static str),
        rooms: &[RoomId],
        length: i64,
    ) -> Result<Arc<Words>, Refusal> {
        let rooms = rooms.to_vec();
        let asked = site.ask("reading what is said", move |database| {
            let at_ms = unix_ms();
            let each = CLOUD_LINES / i64::try_from(rooms.len()).unwrap_or(i64::MAX).max(1);
            let mut lines = Vec::new();
            for room in rooms {
                lines.extend(database.newest_lines(room, at_ms - length, at_ms, each)?);
            }
            let phrases = cloud::phrases(lines.iter().map(String::as_str), CLOUD_PHRASES);
            Ok(Words { at_ms, phrases, lines: lines.len() })
        });
        self.words.get(of, asked).await
    }

    /// The rooms of the last so many ms, in the steps of that span.
    async fn ranking(&self, site: &Site, span: &'static str, length: i64, step: Step) -> Result<Arc<Ranking>, Refusal> {
        let asked = site.ask("comparing rooms", move |database| {
            let at_ms = unix_ms();
            Ok(Ranking { at_ms, rooms: database.ranking(step.start_of(at_ms - length), at_ms)? })
        });
        self.ranking.get(span, asked).await
    }
}

/// What a person may choose: its name, its length and the width of its points.
const SPANS: [(&str, i64, Step); 5] = [
    ("30m", 30 * MINUTE_MS, Step::Minute),
    ("2h", 2 * HOUR_MS, Step::Minute),
    ("12h", 12 * HOUR_MS, Step::Minute),
    ("7d", 7 * DAY_MS, Step::Hour),
    ("30d", 30 * DAY_MS, Step::Day),
];

/// `/live/charts/`.
pub async fn page(request: HttpRequest, params: Params, site: web::Data<Site>) -> HttpResponse {
    answer(&request, &site, "charts.html", async {
        let mut rooms = site.web.wall.summaries();
        rooms.sort_by_key(|room| Reverse(room.counts.danmaku));
        let room = params::text(&params, "room").and_then(|room| room.parse().ok()).map(RoomId);
        let info = rooms.iter().map(|known| &known.info).find(|info| room == Some(info.room_id)).cloned();
        let chosen = info.as_ref().map(|info| info.room_id);
        let asked = params::text(&params, "span").unwrap_or_default();
        let (span, length, step) = SPANS.into_iter().find(|(name, ..)| *name == asked).unwrap_or(SPANS[1]);
        let is_chosen = asked == span;
        let to_ms = unix_ms();
        let stretch = Stretch { from_ms: to_ms - length, to_ms, step };
        let shown: Vec<RoomId> = match chosen {
            Some(room) => vec![room],
            None => rooms.iter().take(LINES).map(|room| room.info.room_id).collect(),
        };
        let names = names(&rooms);
        let asked = shown.clone();
        let (mut lines, usual) = site
            .ask("drawing the charts", move |database| {
                let lines = asked.iter().map(|room| line(database, *room, stretch)).collect::<Result<Vec<_>, _>>()?;
                let usual = info.map(|info| usual_of(database, &info, stretch)).transpose()?.unwrap_or_default();
                Ok((lines, usual))
            })
            .await?;
        let weeks = site.charts.weeks(&site, &shown).await?;
        let heat = week::week(weeks.iter().map(|of_room| of_room.hours.as_slice()));
        let ranking = site.charts.ranking(&site, span, length, step).await?;
        let words = site.charts.words(&site, (chosen, span), &shown, length).await?;
        // Whoever has just begun would look for a few points at the edge of two empty hours.
        let young_ms = to_ms - SPANS[0].1;
        let is_young =
            !is_chosen && !lines.iter().flatten().any(|point| is_before(point, young_ms) && is_received(point));
        let (span, from_ms) = if is_young { (SPANS[0].0, young_ms) } else { (span, stretch.from_ms) };
        lines.iter_mut().for_each(|points| points.retain(|point| !is_before(point, step.start_of(from_ms))));
        for point in lines.iter_mut().flatten() {
            let band = point["at_ms"].as_i64().and_then(|at_ms| usual.get(&at_ms));
            point["usual"] = json!(band);
        }
        let has_usual = lines.iter().flatten().any(|point| point["usual"].is_object());
        let ahead: BTreeMap<i64, Band> = usual.into_iter().filter(|(at_ms, _)| *at_ms > to_ms).collect();
        let series: Vec<Value> = shown
            .iter()
            .zip(lines)
            .map(|(room, points)| json!({"room_id": room, "name": names.get(room), "points": points}))
            .collect();
        let find = |phrase: &cloud::Phrase| {
            let room = chosen.map(|room| ("room", room.to_string()));
            let asked = [("kind", "danmaku".to_owned()), ("q", phrase.text.clone())].into_iter().chain(room);
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish()
        };
        let words_said: Vec<Value> = words
            .phrases
            .iter()
            .map(
                |phrase| json!({"text": phrase.text, "lines": phrase.lines, "size": phrase.size, "find": find(phrase)}),
            )
            .collect();
        let top = ranking.rooms.iter().map(|room| room.danmaku).max().unwrap_or(0).max(1);
        let rows: Vec<Value> = ranking
            .rooms
            .iter()
            .filter_map(|room| {
                let mut row = json!(room);
                row["name"] = json!(names.get(&room.room_id)?);
                row["share"] = json!(room.danmaku * 100 / top);
                Some(row)
            })
            .collect();
        let left_out = if chosen.is_some() { 0 } else { rooms.len().saturating_sub(shown.len()) };
        let spans: Vec<&str> = SPANS.iter().map(|(name, ..)| *name).collect();
        let data = json!({"step_ms": step.ms(), "from_ms": from_ms, "to_ms": to_ms, "series": &series, "ahead": ahead});
        Ok(json!({
            "section": "charts", "rooms": rooms, "room": chosen, "span": span, "spans": spans, "left_out": left_out,
            "series": series, "data": data, "by_minute": step == Step::Minute, "heat": heat, "heat_days": HEAT_DAYS,
            "has_usual": has_usual, "words_said": words_said, "words_of": words.lines, "words_at_ms": words.at_ms,
            "ranking": rows, "ranking_at_ms": ranking.at_ms,
            "heat_at_ms": weeks.iter().map(|of_room| of_room.at_ms).min(),
        }))
    })
    .await
}

fn is_before(point: &Value, ms: i64) -> bool {
    point["at_ms"].as_i64().is_some_and(|at_ms| at_ms < ms)
}

fn is_received(point: &Value) -> bool {
    point["coverage"].as_f64().is_some_and(|share| share > 0.0) || point["danmaku"].as_i64().is_some_and(|n| n > 0)
}

/// A room's points with the people of each minute and the gauges as they stood at its end.
fn line(database: &Database, room: RoomId, stretch: Stretch) -> Result<Vec<Value>, QueryError> {
    let Stretch { from_ms, to_ms, step } = stretch;
    let mut points = series(database, room, stretch)?;
    if step == Step::Minute {
        let from_ms = step.start_of(from_ms);
        let people: BTreeMap<i64, i64> =
            database.interaction(room, from_ms, to_ms)?.into_iter().map(|figure| (figure.at_ms, figure.n)).collect();
        let gauges = database.gauges(room, from_ms, to_ms)?;
        let gauges: BTreeMap<i64, _> = gauges.into_iter().map(|point| (point.at_ms, point.gauge)).collect();
        for point in &mut points {
            let at_ms = point["at_ms"].as_i64().unwrap_or_default();
            point["interaction"] = json!(people.get(&at_ms).copied().unwrap_or(0));
            if let Some(gauge) = gauges.get(&at_ms) {
                point["watched"] = json!(gauge.watched);
                point["online_rank"] = json!(gauge.online_rank);
            }
        }
    }
    Ok(points)
}

/// What is usual at each step of a stretch of one room, and for some hours after it.
fn usual_of(database: &Database, room: &RoomInfo, stretch: Stretch) -> Result<BTreeMap<i64, Band>, QueryError> {
    let Stretch { from_ms, to_ms, step } = stretch;
    let steps = |to_ms: i64| {
        let first_ms = step.start_of(from_ms);
        (0..).map(move |n| first_ms + n * step.ms()).take_while(move |at_ms| *at_ms < to_ms)
    };
    if step == Step::Minute {
        let courses = broadcasts::courses(database, room, to_ms)?;
        let band = |at_ms| Some((at_ms, usual::in_broadcast(&courses, at_ms)?));
        return Ok(steps(to_ms + AHEAD_MS).filter_map(band).collect());
    }
    let before = Stretch { from_ms: from_ms - usual::WEEKS * usual::WEEK_MS, ..stretch };
    let points = series(database, room.room_id, before)?;
    let said =
        |point: &Value| Some((point["at_ms"].as_i64()?, (point["danmaku"].as_i64()?, point["coverage"].as_f64()?)));
    let said: BTreeMap<i64, (i64, f64)> = points.iter().filter_map(said).collect();
    let band = |at_ms| Some((at_ms, usual::in_week(at_ms, |before_ms| said.get(&before_ms).copied())?));
    Ok(steps(to_ms).filter_map(band).collect())
}

/// The hours of the heat map.
fn hours(database: &Database, room: RoomId, to_ms: i64) -> Result<Vec<Hour>, QueryError> {
    let from_ms = Step::Hour.start_of(to_ms - HEAT_DAYS * DAY_MS);
    let stored = database.danmaku_by_hour(room, from_ms, to_ms)?;
    let received = Received::of(database, room, from_ms..to_ms, to_ms)?;
    let stored: BTreeMap<i64, i64> = stored.into_iter().map(|figure| (figure.at_ms, figure.n)).collect();
    let hour = |at_ms: i64| {
        // Of the hour that has not ended, what has passed of it.
        let passed = (to_ms - at_ms).min(HOUR_MS) as f64 / HOUR_MS as f64;
        let coverage = received.share(at_ms, at_ms + HOUR_MS).map(|share| share * passed);
        Hour { at_ms, danmaku: stored.get(&at_ms).copied().unwrap_or(0), coverage }
    };
    Ok((0..).map(|n| from_ms + n * HOUR_MS).take_while(|at_ms| *at_ms < to_ms).map(hour).collect())
}
