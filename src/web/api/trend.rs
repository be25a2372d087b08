//! What happened in a room over time, and when it was not received.
//!
//! Every point says which share of it was covered: 1 for all, 0 for nothing, null where nobody knows,
//! because the room was not watched yet. A quiet minute and a minute that was missed must not look alike.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{
    answer_to,
    openapi::{Answer, Page as PageQuery, Room, Trend, schema},
    params::{self, Params},
    rooms,
};
use crate::{
    domain::RoomId,
    store::{
        coverage::Received,
        series::{Step, TrendPoint},
        sqlite::{Database, QueryError},
    },
    supervise::vitals::unix_ms,
    web::{Site, audience::Audience, error::Refusal},
};

/// Points of one answer.
const POINTS_MAX: i64 = 10_000;

/// A stretch of time and how it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First ms.
    pub from_ms: i64,
    /// First ms after it.
    pub to_ms: i64,
    /// Width of its points.
    pub step: Step,
}

impl Stretch {
    /// A stretch that somebody asked for: forwards, and of no more points than an answer may have.
    fn checked(from_ms: i64, to_ms: i64, step: Step) -> Result<Stretch, Refusal> {
        if from_ms >= to_ms {
            return Err(Refusal::bad_parameter("from: must be before to"));
        }
        // The first point begins before `from`, where its step does.
        if to_ms.saturating_sub(step.start_of(from_ms)) > POINTS_MAX * step.ms() {
            return Err(Refusal::bad_parameter(format!("from, to: more than {POINTS_MAX} points; take a wider step")));
        }
        Ok(Stretch { from_ms, to_ms, step })
    }
}

/// GET `/room/{id}/trend/`.
#[utoipa::path(
    get, path = "/live/api/room/{room}/trend/", tag = "history", operation_id = "room_trend", summary = "What happened step by step, and how much of each step was received", params(Room, Trend),
    responses((status = 200, description = "What was asked for", body = Answer<schema::Trend>))
)]
pub async fn trend(
    audience: Audience,
    room: web::Path<u64>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    let room = RoomId(*room);
    let step = match params::text(&params, "step").unwrap_or("minute") {
        "minute" => Step::Minute,
        "hour" => Step::Hour,
        "day" => Step::Day,
        other => return Err(Refusal::bad_parameter(format!("step: {other:?} is none of minute, hour, day"))),
    };
    let to_ms = params::moment(&params, "to")?.unwrap_or_else(unix_ms);
    let default_span = step.ms() * if step == Step::Minute { 120 } else { 48 };
    let from_ms = params::moment(&params, "from")?.unwrap_or(to_ms.saturating_sub(default_span).max(0));
    let stretch = Stretch::checked(from_ms, to_ms, step)?;
    rooms::known(&site, room).await?;
    let (points, gauges) = site
        .ask("reading a trend", move |database| {
            let points = series(database, room, stretch)?;
            let gauges = if step == Step::Minute { database.gauges(room, from_ms, to_ms)? } else { Vec::new() };
            Ok((points, gauges))
        })
        .await?;
    Ok(answer_to(
        audience,
        json!({
            "room_id": room, "step_ms": step.ms(), "from_ms": from_ms, "to_ms": to_ms,
            "count": points.len(), "has_more": false, "points": points, "gauges": gauges,
        }),
    ))
}

/// GET `/room/{id}/gaps/`.
#[utoipa::path(
    get, path = "/live/api/room/{room}/gaps/", tag = "history", operation_id = "room_gaps", summary = "When a room was not received, newest first", params(Room, PageQuery),
    responses((status = 200, description = "What was asked for", body = Answer<schema::Gaps>))
)]
pub async fn gaps(
    audience: Audience,
    room: web::Path<u64>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    let room = RoomId(*room);
    let from_ms = params::moment(&params, "since")?.or(params::moment(&params, "from")?).unwrap_or(0);
    let to_ms = params::moment(&params, "before")?.or(params::moment(&params, "to")?).unwrap_or_else(unix_ms);
    let limit = params::limit(&params)?;
    rooms::known(&site, room).await?;
    let mut gaps = site.ask("listing gaps", move |database| database.gaps(room, from_ms, to_ms)).await?;
    gaps.reverse();
    let has_more = gaps.len() > limit;
    gaps.truncate(limit);
    let cursor = gaps.last().filter(|_| has_more).map(|gap| gap.from_ms.to_string());
    Ok(answer_to(
        audience,
        json!({
            "room_id": room, "count": gaps.len(), "has_more": has_more, "cursor": cursor, "gaps": gaps,
        }),
    ))
}

/// Every point of a stretch, also those in which nothing happened.
pub fn series(database: &Database, room: RoomId, stretch: Stretch) -> Result<Vec<Value>, QueryError> {
    let Stretch { from_ms, to_ms, step } = stretch;
    let points = database.trend(room, from_ms, to_ms, step)?;
    let received = Received::of(database, room, step.start_of(from_ms)..to_ms, unix_ms())?;
    Ok(fill(&points, stretch, |from, to| received.share(from, to)))
}

fn fill(points: &[TrendPoint], stretch: Stretch, coverage: impl Fn(i64, i64) -> Option<f64>) -> Vec<Value> {
    let mut stored = points.iter().peekable();
    let mut all = Vec::new();
    let mut at_ms = stretch.step.start_of(stretch.from_ms);
    // Whoever asks has checked the stretch; this holds for those who have not.
    while at_ms < stretch.to_ms && all.len() < POINTS_MAX as usize {
        let point = match stored.next_if(|point| point.at_ms == at_ms) {
            Some(point) => *point,
            None => TrendPoint { at_ms, ..TrendPoint::default() },
        };
        let mut value = json!(point);
        value["income"] = json!((point.gift_gold + point.super_chat_gold + point.guard_gold).cny());
        value["coverage"] = json!(coverage(at_ms, at_ms.saturating_add(stretch.step.ms())));
        all.push(value);
        at_ms = at_ms.saturating_add(stretch.step.ms());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stretch_has_more_points_than_an_answer_may() {
        let full = POINTS_MAX * Step::Minute.ms();
        for (name, from, to, good) in [
            ("exactly full", 60_000, 60_000 + full, true),
            ("one more, because its first minute began earlier", 60_001, 60_001 + full, false),
            ("backwards", 2, 1, false),
            ("nothing", 1, 1, false),
            ("no end", 0, i64::MAX, false),
            ("beyond what a step can begin at", i64::MAX - 1, i64::MAX, false),
        ] {
            assert_eq!(Stretch::checked(from, to, Step::Minute).is_ok(), good, "{name}");
        }
        let unchecked = Stretch { from_ms: i64::MAX - 1, to_ms: i64::MAX, step: Step::Minute };
        assert_eq!(fill(&[], unchecked, |_, _| None).len(), POINTS_MAX as usize);
    }

    #[test]
    fn steps_without_events_are_there_too() {
        let stretch = Stretch { from_ms: 61_000, to_ms: 240_000, step: Step::Minute };
        let stored = [TrendPoint { at_ms: 120_000, danmaku: 3, ..TrendPoint::default() }];
        let all = fill(&stored, stretch, |_, _| None);
        let seen: Vec<_> = all.iter().map(|point| (point["at_ms"].as_i64(), point["danmaku"].as_i64())).collect();
        assert_eq!(seen, [(Some(60_000), Some(0)), (Some(120_000), Some(3)), (Some(180_000), Some(0))]);
    }
}
