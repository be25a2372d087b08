// Counts on: what is pushed goes into the points that the page brought, step by step.

const CHINA = 8 * 3600e3;
const COUNTED = { danmaku: "danmaku", gift: "gifts", super_chat: "super_chats", guard: "guards" };
const PAID = { gift: "gift_gold", super_chat: "super_chat_gold", guard: "guard_gold" };
const GAUGES = ["watched", "online_rank"];
/** Steps ahead of the last that are believed: an event from next year makes no points. */
const STEPS_AHEAD = 3;

const empty = (at) => ({ at_ms: at, danmaku: 0, interaction: 0, gifts: 0, super_chats: 0, guards: 0, gift_gold: 0, super_chat_gold: 0, guard_gold: 0, coverage: 1 });

/** The points of one room, kept at their number. */
export class Tally {
  constructor(points, step) {
    Object.assign(this, { points, step, length: Math.max(1, points.length), people: new Map() });
  }

  startOf(ms) { return Math.floor((ms + CHINA) / this.step) * this.step - CHINA; }

  /** The point of a moment, made when time has come so far; none for what is too old or too far ahead. */
  at(ms) {
    const at = this.startOf(ms);
    const last = this.points[this.points.length - 1]?.at_ms ?? at - this.step;
    if (at > Math.max(last, this.startOf(Date.now())) + STEPS_AHEAD * this.step) return undefined;
    for (let next = last + this.step; next <= at; next += this.step) this.points.push(empty(next));
    while (this.points.length > this.length) this.people.delete(this.points.shift().at_ms);
    return this.points.findLast((point) => point.at_ms === at);
  }

  /** One event. */
  add(e) {
    const field = COUNTED[e.kind];
    const point = field && this.at(e.timestamp_ms);
    if (!point) return;
    point[field] += 1;
    if (e.kind in PAID) point[PAID[e.kind]] += e.paid_gold ?? 0;
    if (e.lottery || !e.uid || !("interaction" in point)) return;
    // The server counted the minute in which the page was opened as far as it was; whoever was in it may come
    // again, so that minute keeps the larger of the two counts.
    let seen = this.people.get(point.at_ms);
    if (!seen) this.people.set(point.at_ms, (seen = new Set()));
    seen.add(e.uid);
    point.interaction = Math.max(point.interaction, seen.size);
  }

  /** A room as it is now: its gauges belong to this step. */
  gauge(room) {
    const point = this.at(Date.now());
    if (point) for (const name of GAUGES) if (room.gauges[name] !== undefined) point[name] = room.gauges[name];
  }
}
