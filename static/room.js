// One room: its stream, whom to thank, its figures, the last hour and what happened.
import { t, el, set, setCount, yuan, moment } from "./page.js";
import { connect } from "./live.js";
import { row, Stream } from "./rows.js";
import { Thanks } from "./thanks.js";
import { axis, chart, colour, middle, options, range, seen, total } from "./graph.js";
import { Tally } from "./tally.js";

const box = document.getElementById("room");
const id = Number(box.dataset.room);
const stream = new Stream(document.getElementById("stream"), { pause: document.getElementById("pause"), bar: document.getElementById("new-rows") });
const lane = (name) => document.querySelector(`[data-lane="${name}"]`);
// A site in public mode has no lanes.
const gifts = lane("gift") && new Stream(lane("gift"), { kept: 60 });
const thanks = lane("thanks") && new Thanks(id, lane("thanks"), { left: document.getElementById("thank-left"), only: document.getElementById("thank-only") });
const toThank = thanks && new Stream(lane("thanks"), { draw: (e) => thanks.decorate(row(e)) });
const timeline = document.getElementById("timeline");
const TIMELINE_KEPT = 100;
const ABOUT_ROOM = ["live", "preparing", "cut_off", "warning", "room_lock", "room_change", "super_chat_delete"];
const data = JSON.parse(document.getElementById("data").textContent);
const points = data.series[0].points;
const opened = Date.now();
const paid = points.some((p) => "gift_gold" in p);

const hour = chart(document.getElementById("chart"), () => {
  const shared = options(data.step_ms, { gaps: points, range: range(points, data.step_ms) });
  if (paid) shared.scales.money = axis({ position: "right", colour: shared.scales.y.ticks.color, write: (n) => "¥" + n });
  return {
    type: "line",
    data: { datasets: [
      { label: t("danmaku"), data: points.map((p) => ({ x: middle(p.at_ms, data.step_ms), y: seen(p, p.danmaku, data.step_ms) })), borderColor: colour(1), backgroundColor: colour(1), spanGaps: false },
      ...(paid ? [{ label: t("spending") + " ¥", type: "bar", yAxisID: "money", data: points.map((p) => ({ x: middle(p.at_ms, data.step_ms), y: total(p) / 1000 })), backgroundColor: colour(0) }] : [])] },
    options: shared,
  };
});

const f = (name) => document.querySelector(`[data-f="${name}"]`);
function draw(room) {
  if (room.room_id !== id || room.removed) return;
  set(f("title"), room.title || String(room.room_id));
  set(f("uname"), room.uname || "–");
  set(f("state-since"), moment(room.state_since_ms));
  setCount(f("rate"), room.rates.danmaku_per_minute);
  setCount(f("danmaku"), room.counts.danmaku);
  setCount(f("users"), room.counts.users);
  if (room.counts.users_is_lower_bound) f("users").prepend("≥");
  // A site in public mode does not say.
  if (room.income) {
    set(f("income"), yuan(room.income.total_gold));
    for (const name of ["gift_gold", "super_chat_gold", "guard_gold"]) set(f(name), yuan(room.income[name]));
  }
  for (const name of ["watched", "online_rank", "likes"]) if (room.gauges[name] !== undefined) setCount(document.querySelector(`[data-g="${name}"]`), room.gauges[name]);
  const pill = box.querySelector("[data-state]");
  if (pill) { pill.className = `pill pill-${room.state}`; set(pill, t("state-" + room.state)); }
  const mark = box.querySelector("[data-status]");
  const status = room.status === 1 || room.status === 2 ? room.status : 0;
  mark.className = `status status-${status}`;
  set(mark, t("status-" + status));
  const error = f("error");
  set(error, room.error ?? "");
  error.hidden = !room.error || room.state === "live";
}

const tally = new Tally(points, data.step_ms);
const isToThank = (e) => e.kind === "super_chat" || e.kind === "guard" || (e.kind === "gift" && e.paid_gold >= data.thank_from);

/** What happened to the room goes on top of the timeline, as the template draws it. */
function happened(e) {
  if (timeline.querySelector(`[data-id="${CSS.escape(e.id)}"]`)) return;
  timeline.prepend(el("li", { class: `tl-${e.kind}`, data: { id: e.id } }, el("time", { class: "num dim" }, moment(e.timestamp_ms)), " ",
    el("span", {}, t("ev-" + e.kind) + (e.title ? `: ${e.title}` : "") + (e.text ? ` ${e.text}` : ""))));
  while (timeline.children.length > TIMELINE_KEPT) timeline.lastElementChild.remove();
  timeline.parentElement.querySelector("[data-empty]").hidden = true;
}

let changed = false;
connect({ rooms: [id], kinds: ["danmaku", "gift", "super_chat", "guard", ...ABOUT_ROOM] }, {
  rooms: (list) => list.forEach(draw),
  events(events) {
    stream.add(events.filter((e) => e.kind === "danmaku"));
    gifts?.add(events.filter((e) => e.kind === "gift"));
    toThank?.add(events.filter(isToThank));
    events.filter((e) => ABOUT_ROOM.includes(e.kind)).forEach(happened);
    for (const e of events) if (e.received_ms >= opened) { tally.add(e); changed = true; }
  },
});
setInterval(() => { if (changed && !document.hidden) { changed = false; hour?.update(); } }, 1000);
