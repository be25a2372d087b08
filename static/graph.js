// Charts as this site draws them: linear time, no animation, breaks where nothing was received.
import { t, hourMinute, monthDay, compact } from "./page.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const PALETTE = ["--blm-c1", "--blm-c2", "--blm-c3", "--blm-c4", "--blm-c5", "--blm-c6", "--blm-c7", "--blm-c8"];
export const colour = (n) => css(PALETTE[n % PALETTE.length]);

/** The same, to lay behind lines. */
export const fade = (n) => `color-mix(in srgb, ${colour(n)} 20%, transparent)`;

/** From the first step to the end of the last; bars stand in the middle of their step. */
export const range = (points, step) => (points.length ? [points[0].at_ms, points[points.length - 1].at_ms + step] : undefined);
export const middle = (at, step) => at + step / 2;

/** The value of a point; nothing where the room was not received, and in the minute that has not ended yet. */
export const seen = (point, value, step) => (point.coverage === null || point.coverage === 0 || (step <= 60000 && point.at_ms + step > Date.now()) ? null : value);

/** Grey behind the stretches in which a room was not received. */
const gaps = {
  id: "gaps",
  beforeDatasetsDraw(chart) {
    const points = chart.options.plugins.gaps?.points;
    if (!points?.length) return;
    const { ctx, chartArea: area, scales: { x } } = chart;
    ctx.save();
    ctx.fillStyle = css("--blm-gap");
    const step = chart.options.plugins.gaps.step;
    for (const point of points) {
      if (point.coverage === null || point.coverage >= 0.999) continue;
      const from = Math.max(area.left, x.getPixelForValue(point.at_ms)), to = Math.min(area.right, x.getPixelForValue(point.at_ms + step));
      if (to > from) ctx.fillRect(from, area.top, to - from, area.bottom - area.top);
    }
    ctx.restore();
  },
};

/** A point without neighbours makes no line, so it is drawn as a dot. */
const alone = ({ dataset, dataIndex: n }) => {
  const there = (point) => point !== undefined && point.y !== null;
  return there(dataset.data[n]) && !there(dataset.data[n - 1]) && !there(dataset.data[n + 1]) ? 2.5 : 0;
};

/** What all charts over time share. */
export function options(step, extra = {}) {
  const line = css("--blm-line"), text = css("--blm-dim");
  const label = (ms) => (step >= 86400000 ? monthDay(ms) : step >= 3600000 ? `${monthDay(ms)} ${hourMinute(ms)}` : hourMinute(ms));
  return {
    animation: false, parsing: false, normalized: true, responsive: true, maintainAspectRatio: false,
    events: ["mousemove", "mouseout", "click", "touchstart", "touchmove", "mousedown", "mouseup", "dblclick"],
    interaction: { mode: "index", intersect: false },
    elements: { point: { radius: alone, hitRadius: 8 }, line: { borderWidth: 1.75, tension: 0 } },
    scales: {
      x: { type: "linear", offset: false, stacked: !!extra.stacked, min: extra.range?.[0], max: extra.range?.[1], grid: { display: false }, border: { color: line }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 18, maxTicksLimit: 8, callback: label }, afterBuildTicks: (axis) => { axis.ticks = ticks(axis.min, axis.max, step); } },
      y: { beginAtZero: true, stacked: !!extra.stacked, suggestedMax: extra.top ?? 5, grid: { color: line }, border: { display: false }, ticks: { color: text, maxTicksLimit: 6, precision: 0, callback: (n) => (extra.yuan ? "¥" : "") + compact(n) } },
    },
    plugins: {
      legend: { display: extra.legend !== false, position: "bottom", align: "start", labels: { color: text, boxWidth: 10, boxHeight: 10, usePointStyle: true, pointStyle: "rectRounded" } },
      tooltip: { callbacks: { title: (items) => (items[0] ? label(Math.floor((items[0].parsed.x + 288e5) / step) * step - 288e5) : ""), label: (item) => ` ${item.dataset.label}: ${extra.yuan ? "¥" + item.parsed.y.toFixed(2) : item.parsed.y}` } },
      gaps: { points: extra.gaps, step },
    },
  };
}

/** Round moments of China's clock. */
function ticks(min, max, step) {
  const nice = [60e3, 300e3, 600e3, 900e3, 1800e3, 3600e3, 7200e3, 10800e3, 21600e3, 43200e3, 86400e3, 2 * 86400e3, 5 * 86400e3];
  const width = nice.find((n) => n >= step && (max - min) / n <= 8) ?? 10 * 86400e3;
  const shift = 8 * 3600e3;
  const all = [];
  for (let at = Math.ceil((min + shift) / width) * width - shift; at <= max; at += width) all.push({ value: at });
  return all;
}

/** An upright axis for numbers, at zero's side or not. */
export const axis = ({ position, colour, from = true, write = compact }) => ({
  position, beginAtZero: from, suggestedMax: 1, grid: { display: false }, border: { display: false }, ticks: { color: colour, maxTicksLimit: 6, callback: (n) => write(n) },
});

/** A chart that follows the theme. `make` gives its configuration. */
export function chart(canvas, make, plugins = []) {
  if (!canvas || !window.Chart) return null;
  window.Chart.defaults.font.family = css("--blm-font");
  const build = () => new window.Chart(canvas, { ...make(), plugins: [gaps, ...plugins] });
  let current = build();
  addEventListener("themechange", () => { current.destroy(); current = build(); });
  return { update: () => { const next = make(); current.data = next.data; current.options = next.options; current.update("none"); } };
}

export const total = (point) => point.gift_gold + point.super_chat_gold + point.guard_gold;
/** The kinds of spending, as they are stacked. */
export const kinds = () => [{ field: "gift_gold", name: t("gifts") }, { field: "super_chat_gold", name: t("super-chats") }, { field: "guard_gold", name: t("guards") }];
