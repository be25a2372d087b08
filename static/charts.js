// The charts page: drawn from what the page brought, then counted on by push, once a second.
import { t, hourMinute, monthDay } from "./page.js";
import { connect } from "./live.js";
import { axis, chart, colour, fade, kinds, middle, options, range, seen } from "./graph.js";
import { Linked } from "./linked.js";
import { Tally } from "./tally.js";

const data = JSON.parse(document.getElementById("data").textContent);
const { series, step_ms: step } = data;
/** One room shows everything of it; several are compared by one figure. */
const one = series.length === 1;
const label = (s) => s.name || String(s.room_id);
const short = (ms) => (step >= 3600e3 ? `${monthDay(ms)} ${hourMinute(ms)}` : hourMinute(ms));

const linked = new Linked(document.getElementById("zoom"), () => range(series[0]?.points ?? [], step), (from, to) => `${short(from)} – ${short(to)}`);
const shared = (extra) => options(step, { gaps: one ? series[0].points : null, range: linked.range(), ...extra });
const points = (s, value) => s.points.map((p) => ({ x: middle(p.at_ms, step), y: value(p) }));
const line = (name, s, value, n, more) => ({ label: name, data: points(s, value), borderColor: colour(n), backgroundColor: colour(n), spanGaps: false, ...more });
const counted = (field) => (p) => seen(p, p[field], step);
const gauged = (field) => (p) => p[field] ?? null;

/** Chat and people on the left axis, each gauge on an axis of its own on the right: they are different things. */
function ofOneRoom() {
  const [s] = series;
  const datasets = [line(t("danmaku"), s, counted("danmaku"), 1)];
  const config = shared();
  if (s.points.some((p) => "interaction" in p)) {
    datasets.push(line(t("metric-interaction"), s, counted("interaction"), 3, { borderDash: [5, 3] }));
    for (const [n, field] of ["online_rank", "watched"].entries()) {
      if (!s.points.some((p) => p[field] != null)) continue;
      datasets.push(line(t("metric-" + field), s, gauged(field), n ? 4 : 2, { yAxisID: field, borderWidth: 1.25, spanGaps: true }));
      config.scales[field] = axis({ position: "right", colour: colour(n ? 4 : 2), from: false });
    }
  }
  datasets.push(...usual(s));
  config.plugins.legend.labels.filter = (item) => item.text !== "";
  config.plugins.tooltip.filter = (item) => item.dataset.label !== "";
  return { type: "line", data: { datasets }, options: config };
}

/** What is usual: a line, and the band in which half of it lay. The band's edges have no name, so they are in no legend. */
function usual(s) {
  const of = (p) => p.usual ?? data.ahead[p.at_ms];
  if (!s.points.some(of)) return [];
  const edge = (end, fill) => line("", s, (p) => of(p)?.[end] ?? null, 6, { borderWidth: 0, pointRadius: 0, backgroundColor: fade(6), fill });
  return [line(t("chart-usual"), s, (p) => of(p)?.mid ?? null, 6, { borderWidth: 1.25, borderDash: [2, 3], pointRadius: 0, fill: false }), edge("low", "+1"), edge("high", false)];
}

let metric = "danmaku";
function ofManyRooms() {
  const value = metric === "danmaku" || metric === "interaction" ? counted(metric) : gauged(metric);
  return { type: "line", data: { datasets: series.map((s, n) => line(label(s), s, value, n)) }, options: shared() };
}

function spending() {
  const moments = [...new Set(series.flatMap((s) => s.points.map((p) => p.at_ms)))].sort((a, b) => a - b);
  const sums = new Map(moments.map((at) => [at, { gift_gold: 0, super_chat_gold: 0, guard_gold: 0 }]));
  for (const s of series) for (const p of s.points) for (const { field } of kinds()) sums.get(p.at_ms)[field] += p[field];
  return {
    type: "bar",
    data: { datasets: kinds().map(({ field, name }, n) => ({ label: name, data: moments.map((at) => ({ x: middle(at, step), y: sums.get(at)[field] / 1000 })), backgroundColor: colour(n), barThickness: "flex", categoryPercentage: 1, barPercentage: 0.9 })) },
    options: shared({ stacked: true, yuan: true, top: 1 }),
  };
}

const charts = [["chart-lines", one ? ofOneRoom : ofManyRooms], ["chart-spending", spending]]
  .map(([id, make]) => chart(document.getElementById(id), make, [linked.plugin])).filter(Boolean);

const chooser = document.getElementById("metric");
if (chooser) {
  chooser.hidden = false;
  chooser.addEventListener("change", (event) => { metric = event.target.value; charts[0]?.update(); });
}

if (series.length) {
  const tallies = new Map(series.map((s) => [s.room_id, new Tally(s.points, step)]));
  const opened = data.to_ms;
  let changed = false;
  connect({ rooms: [...tallies.keys()], kinds: ["danmaku", "gift", "super_chat", "guard"] }, {
    rooms(rooms) {
      if (step === 60e3) for (const room of rooms) if (!room.removed) tallies.get(room.room_id)?.gauge(room);
      changed = true;
    },
    events(events) {
      for (const e of events) if (e.received_ms >= opened) tallies.get(e.room_id)?.add(e);
      changed = true;
    },
  });
  setInterval(() => {
    if (!changed || document.hidden) return;
    changed = false;
    for (const one of charts) one.update();
    linked.show();
  }, 1000);
}
for (const input of document.querySelectorAll("#choice input, #choice select")) input.addEventListener("change", () => document.getElementById("choice").requestSubmit());
