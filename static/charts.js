// The charts page: drawn from what the page brought, then counted on by push, once a second.
import { t, compact } from "./page.js";
import { connect } from "./live.js";
import { chart, colour, count, middle, names, options, range, seen, total } from "./graph.js";

const data = JSON.parse(document.getElementById("data").textContent);
const { series, step_ms: step } = data;
const length = Math.max(1, ...series.map((s) => s.points.length));
const one = series.length === 1;
/** A site in public mode does not say what was paid. */
const paid = !!document.getElementById("chart-spending");
const label = (s) => s.name || String(s.room_id);

const span = () => range(series[0]?.points ?? [], step);

const danmaku = () => ({
  type: "line",
  data: { datasets: series.map((s, n) => ({ label: label(s), data: s.points.map((p) => ({ x: middle(p.at_ms, step), y: seen(p, p.danmaku, step) })), borderColor: colour(n), backgroundColor: colour(n), spanGaps: false })) },
  options: options(step, { gaps: one ? series[0].points : null, range: span() }),
});

const spending = () => {
  const moments = [...new Set(series.flatMap((s) => s.points.map((p) => p.at_ms)))].sort((a, b) => a - b);
  const sums = new Map(moments.map((at) => [at, { gift_gold: 0, super_chat_gold: 0, guard_gold: 0 }]));
  for (const s of series) for (const p of s.points) for (const field of ["gift_gold", "super_chat_gold", "guard_gold"]) sums.get(p.at_ms)[field] += p[field];
  return {
    type: "bar",
    data: { datasets: Object.entries(names()).map(([field, name], n) => ({ label: name, data: moments.map((at) => ({ x: middle(at, step), y: sums.get(at)[field] / 1000 })), backgroundColor: colour(n), barThickness: "flex", categoryPercentage: 1, barPercentage: 0.9 })) },
    options: options(step, { stacked: true, yuan: true, top: 1, gaps: one ? series[0].points : null, range: span() }),
  };
};

const ranking = () => {
  const sums = series.map((s) => ({ name: label(s), danmaku: s.points.reduce((n, p) => n + p.danmaku, 0), gold: s.points.reduce((n, p) => n + total(p), 0) })).sort((a, b) => b.danmaku - a.danmaku);
  const shared = options(step, { top: 5 });
  return {
    type: "bar",
    data: { labels: sums.map((s) => s.name), datasets: [
      { label: t("danmaku"), data: sums.map((s) => s.danmaku), backgroundColor: colour(1), xAxisID: "x", borderRadius: 3 },
      ...(paid ? [{ label: t("spending") + " ¥", data: sums.map((s) => s.gold / 1000), backgroundColor: colour(0), xAxisID: "money", borderRadius: 3 }] : [])] },
    options: { animation: false, responsive: true, maintainAspectRatio: false, indexAxis: "y", interaction: { mode: "index", axis: "y", intersect: false },
      scales: { y: { grid: { display: false }, ticks: { ...shared.scales.y.ticks, callback(n) { const name = this.getLabelForValue(n); return name.length > 12 ? name.slice(0, 11) + "…" : name; } } }, x: { beginAtZero: true, grid: shared.scales.y.grid, ticks: shared.scales.y.ticks, position: "bottom" }, ...(paid && { money: { beginAtZero: true, position: "top", suggestedMax: 1, grid: { display: false }, ticks: { ...shared.scales.y.ticks, callback: (n) => "¥" + compact(n) } } }) },
      plugins: { legend: shared.plugins.legend } },
  };
};

const charts = [["chart-danmaku", danmaku], ["chart-spending", spending], ["chart-ranking", ranking]].map(([id, make]) => chart(document.getElementById(id), make)).filter(Boolean);

if (series.length) {
  const rooms = new Map(series.map((s) => [s.room_id, s]));
  const pageOpened = data.to_ms;
  let changed = false;
  connect({ rooms: [...rooms.keys()], kinds: ["danmaku", "gift", "super_chat", "guard"] }, {
    events(events) {
      for (const e of events) if (rooms.has(e.room_id) && e.timestamp_ms >= pageOpened) { count(rooms.get(e.room_id).points, step, length, e); changed = true; }
    },
  });
  setInterval(() => { if (changed && !document.hidden) { changed = false; for (const one of charts) one.update(); } }, 1000);
}
for (const input of document.querySelectorAll("#choice input, #choice select")) input.addEventListener("change", () => document.getElementById("choice").requestSubmit());
