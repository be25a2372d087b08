// One room: its stream, the lanes of money beside it, its figures and the last hour.
import { t, set, setCount, yuan, moment } from "./page.js";
import { connect } from "./live.js";
import { Stream } from "./rows.js";
import { chart, colour, count, middle, options, range, seen, total } from "./graph.js";

const box = document.getElementById("room");
const id = Number(box.dataset.room);
const stream = new Stream(document.getElementById("stream"), { pause: document.getElementById("pause"), bar: document.getElementById("new-rows") });
const lanes = new Map([...document.querySelectorAll("[data-lane]")].map((list) => [list.dataset.lane, new Stream(list, { kept: 60 })]));
const ABOUT_ROOM = ["live", "preparing", "cut_off", "warning", "room_lock", "room_change", "super_chat_delete"];
const data = JSON.parse(document.getElementById("data").textContent);
const points = data.series[0].points;
const opened = Date.now();
const paid = points.some((p) => "gift_gold" in p);

const hour = chart(document.getElementById("chart"), () => {
  const shared = options(data.step_ms, { gaps: points, range: range(points, data.step_ms) });
  if (paid) shared.scales.money = { position: "right", beginAtZero: true, suggestedMax: 1, grid: { display: false }, border: { display: false }, ticks: { ...shared.scales.y.ticks, callback: (n) => "¥" + n } };
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

let changed = false;
connect({ rooms: [id], kinds: ["danmaku", "gift", "super_chat", "guard", ...ABOUT_ROOM] }, {
  rooms: (list) => list.forEach(draw),
  events(events) {
    stream.add(events.filter((e) => e.kind === "danmaku"));
    for (const kind of ["gift", "super_chat", "guard"]) lanes.get(kind)?.add(events.filter((e) => e.kind === kind));
    lanes.get("room")?.add(events.filter((e) => ABOUT_ROOM.includes(e.kind)));
    for (const e of events) if (e.timestamp_ms >= opened) { count(points, data.step_ms, 60, e); changed = true; }
  },
});
setInterval(() => { if (changed && !document.hidden) { changed = false; hour?.update(); } }, 1000);
