// The dashboard: cards, tiles and the newest events follow the push.
import { t, at, el, set, setCount, exact, yuan, compact, lasting, percent, picture } from "./page.js";
import { connect } from "./live.js";
import { Stream } from "./rows.js";

const rooms = new Map();
const names = new Map();
const cards = document.getElementById("rooms");
/** The feed moves this often: hundreds of lines a second nobody reads one by one. */
const FEED_MS = 500;
const feed = new Stream(document.getElementById("feed"), { names, kept: 40, every: FEED_MS });
/** Cards drawn in a frame: all fifty of a wall in one would cost three frames a second. */
const A_FRAME = 10;
const choice = document.getElementById("choice");
const NOT_RECEIVED_AFTER = 15000;

/** What the server last said of today: what had been paid before it began, who was there, what was received. */
let today = JSON.parse(document.getElementById("data").textContent).today;
const PARTS = ["gift_gold", "super_chat_gold", "guard_gold"];
/** What was paid in a room since the day began. Of a room that was just added, what was paid before is in the next reading. */
const spent = (room, part) => {
  const known = today.rooms[room.room_id];
  return known ? room.income[part] - known.before_day[part] : 0;
};
const total = (of) => PARTS.reduce((gold, part) => gold + of(part), 0);
const spentToday = (room) => total((part) => spent(room, part));
/** The running broadcast of a room, if the reading is of that one. */
function broadcast(room) {
  const known = today.rooms[room.room_id]?.broadcast;
  return room.status === 1 && known?.from_ms === room.live_since_ms ? known : null;
}

const card = (id) => cards.querySelector(`[data-room="${Number(id)}"]`);
const status = (room) => (room.status === 1 || room.status === 2 ? room.status : 0);

// What is to be known of the figures of a room that is received.
function caveat(room) {
  if (room.state !== "live") return null;
  return room.thinned_since_ms ? "thinned" : room.incomplete ? "incomplete" : room.counts.masked ? "masked" : null;
}

function make(room) {
  const link = at(`/live/room/${Number(room.room_id)}/`);
  const figure = (name, key) => el("div", {}, el("dt", {}, t(key)), el("dd", { class: "num", data: { f: name } }));
  const svg = "http://www.w3.org/2000/svg";
  const spark = document.createElementNS(svg, "svg");
  spark.setAttribute("class", "spark");
  spark.setAttribute("viewBox", "0 0 100 24");
  spark.setAttribute("preserveAspectRatio", "none");
  spark.dataset.values = Array(30).fill(0).join(",");
  spark.append(document.createElementNS(svg, "polyline"));
  return el("article", { class: "room card-box", data: { room: room.room_id } },
    el("a", { class: "room-cover", href: link, tabindex: "-1", "aria-hidden": "true" }, el("img", { alt: "", hidden: true, referrerpolicy: "no-referrer", data: { cover: "" } }), el("span", { class: "status", data: { status: "" } }),
      el("span", { class: "room-now" }, el("span", { class: "num", data: { f: "aired" } }), el("span", { class: "num", data: { f: "rank" } }))),
    el("div", { class: "room-head" }, el("span", { class: "avatar", "aria-hidden": "true" }, [...(room.uname || "·")][0]),
      el("div", { class: "room-names" }, el("a", { class: "room-title", href: link, data: { f: "title" } }), el("div", { class: "room-uname" }, el("span", { data: { f: "uname" } }), el("span", { class: "dim num" }, String(room.room_id)))),
      el("span", { class: "pill", data: { state: "" } })),
    el("div", { class: "room-rate" }, el("div", {}, el("span", { class: "big num", data: { f: "rate" } }), el("span", { class: "dim" }, " " + t("per-minute"))), spark),
    el("dl", { class: "room-figures" }, figure("danmaku", "danmaku"), ...(room.income ? [figure("gifts", "gifts"), figure("super_chats", "super-chats"), figure("guards", "guards"),
      el("div", { class: "room-now-row" }, el("dt", {}, t("card-broadcast")), el("dd", { class: "num", data: { f: "income" } }))] : []), figure("people", "card-people"), figure("coverage", "coverage")),
    el("p", { class: "room-caveat", hidden: true, data: { f: "caveat" } }), el("p", { class: "room-error", hidden: true, data: { f: "error" } }));
}

function draw(room) {
  let box = card(room.room_id);
  if (!box) cards.append((box = make(room)));
  const f = (name) => box.querySelector(`[data-f="${name}"]`);
  set(f("title"), room.title || String(room.room_id));
  set(f("uname"), room.uname || "–");
  setCount(f("rate"), room.rates.danmaku_per_minute);
  for (const name of ["danmaku", "gifts", "super_chats", "guards"]) if (name in room.counts) setCount(f(name), room.counts[name]);
  // A site in public mode does not say.
  const running = broadcast(room);
  if (room.income) set(f("income"), running ? yuan(total((part) => room.income[part] - running.before_broadcast[part])) : "–");
  setCount(f("people"), today.rooms[room.room_id]?.people ?? 0);
  set(f("coverage"), percent(running?.coverage));
  set(f("aired"), room.status === 1 && room.live_since_ms ? t("card-aired", { n: lasting(Date.now() - room.live_since_ms) }) : "");
  set(f("rank"), room.gauges?.online_rank ? t("card-rank", { n: compact(room.gauges.online_rank) }) : "");
  const error = f("error");
  set(error, room.error ?? "");
  error.hidden = !room.error || room.state === "live";
  const why = caveat(room);
  set(f("caveat"), why ? t("reception-" + why) : "");
  f("caveat").hidden = !why;
  const pill = box.querySelector("[data-state]");
  pill.className = `pill pill-${room.state}`;
  set(pill, t("state-" + room.state));
  const mark = box.querySelector("[data-status]");
  mark.className = `status status-${status(room)}`;
  set(mark, t("status-" + status(room)));
  box.classList.toggle("is-off", room.status !== 1);
  const cover = box.querySelector("[data-cover]");
  const address = picture(room.cover);
  if (address && cover.getAttribute("src") !== address) { cover.hidden = false; cover.src = address; }
}

function spark(box, value) {
  const line = box.querySelector(".spark");
  const values = line.dataset.values.split(",").map(Number).slice(1).concat(value);
  line.dataset.values = values.join(",");
  const top = Math.max(1, ...values);
  line.querySelector("polyline").setAttribute("points", values.map((v, n) => `${((n * 100) / (values.length - 1)).toFixed(1)},${(23 - (v / top) * 22).toFixed(1)}`).join(" "));
}

const troubled = (room) => room.state === "failed" || room.state === "backoff" || (room.state !== "live" && room.state !== "paused" && Date.now() - room.state_since_ms > NOT_RECEIVED_AFTER);

function totals() {
  const all = [...rooms.values()];
  const sum = (of) => all.reduce((n, room) => n + of(room), 0);
  const tile = (name) => document.querySelector(`[data-tile="${name}"]`);
  const bad = all.filter(troubled);
  set(tile("monitored"), exact(all.length));
  set(tile("live"), exact(all.filter((room) => room.status === 1).length));
  set(tile("attention"), exact(bad.length));
  setCount(tile("people"), today.people);
  set(tile("coverage"), percent(today.coverage));
  set(tile("accounts_ok"), exact(today.accounts_ok));
  set(tile("accounts_all"), exact(today.accounts_all));
  setCount(tile("per_minute"), sum((room) => room.rates.danmaku_per_minute));
  if (tile("income")) {
    set(tile("income"), yuan(sum(spentToday)));
    for (const name of PARTS) set(tile(name), yuan(sum((room) => spent(room, name))));
    set(tile("total_gold"), yuan(sum((room) => room.income.total_gold)));
    setCount(tile("stored"), sum((room) => room.counts.danmaku + room.counts.gifts + room.counts.super_chats + room.counts.guards));
  }
  document.querySelector('[data-tile-box="attention"]').classList.toggle("tile-warn", bad.length > 0);
  const strip = document.getElementById("attention");
  strip.classList.toggle("is-well", bad.length === 0);
  set(strip.querySelector(".all-well"), t(all.length ? "all-well" : "no-rooms"));
  strip.querySelector("[data-list]").replaceChildren(...bad.slice(0, 12).map((room) => el("li", {},
    el("a", { href: at(`/live/room/${Number(room.room_id)}/`) }, room.uname || String(room.room_id)), " ",
    el("span", { class: `pill pill-${room.state}` }, t("state-" + room.state)), " ",
    el("span", { class: "dim" }, room.error ?? ""))));
  document.getElementById("no-rooms").hidden = all.length > 0;
}

/** Which rooms are wanted and how they are laid out: as src/web/dashboard.rs does it for whoever has no scripts. */
const STATES = ["trouble", "live", "off"];
const orders = {
  rate: (a, b) => (b.status === 1) - (a.status === 1) || b.rates.danmaku_per_minute - a.rates.danmaku_per_minute,
  income: (a, b) => spentToday(b) - spentToday(a),
  danmaku: (a, b) => b.counts.danmaku - a.counts.danmaku,
  name: (a, b) => (a.uname || "") < (b.uname || "") ? -1 : Number((a.uname || "") > (b.uname || "")),
};
const stateOf = (room) => (troubled(room) ? "trouble" : room.status === 1 ? "live" : "off");
const areaOf = (room) => room.parent_area_name || room.area_name || "";
const chosen = (name) => choice.elements[name].value;
function wanted(room) {
  const show = chosen("show"), area = chosen("area"), find = chosen("find").trim().toLowerCase();
  return (show === "all" || show === stateOf(room)) && (!area || area === areaOf(room)) &&
    (!find || [room.uname, room.title, String(room.room_id)].some((text) => (text ?? "").toLowerCase().includes(find)));
}
const groupOf = (room) => ({ area: areaOf, state: stateOf }[chosen("group")] ?? (() => ""))(room);
const rank = (group) => (chosen("group") === "state" ? STATES.indexOf(group) : group === "" ? 1 : 0);

/** Puts these elements of the wall in order. What stands right stays, so that one card that moves lays out one card. */
function inOrder(elements) {
  const shown = (element) => { while (element?.hidden) element = element.nextElementSibling; return element; };
  let here = shown(cards.firstElementChild);
  for (const element of elements) {
    const behind = here && shown(here.nextElementSibling);
    if (element === here) here = behind;
    // What stands here comes later: it is what moves, when its turn comes.
    else if (element === behind) here = shown(behind.nextElementSibling);
    else cards.insertBefore(element, here);
  }
}

/** Cards move only when asked, or when a room comes into another group: what one looks at must not run away. */
function arrange() {
  const groups = new Map();
  for (const room of [...rooms.values()].sort((a, b) => orders[chosen("sort")](a, b) || a.room_id - b.room_id)) {
    const box = card(room.room_id);
    if (!box) continue;
    box.hidden = !wanted(room);
    box.dataset.group = groupOf(room);
    if (box.hidden) continue;
    if (!groups.has(box.dataset.group)) groups.set(box.dataset.group, []);
    groups.get(box.dataset.group).push(box);
  }
  for (const heading of cards.querySelectorAll(".cards-group")) heading.remove();
  const sorted = [...groups].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
  inOrder(sorted.flatMap(([group, boxes]) => {
    if (chosen("group") === "none") return boxes;
    const name = chosen("group") === "state" ? t("show-" + group) : group || t("area-none");
    return [el("h3", { class: "cards-group" }, name, " ", el("span", { class: "dim num" }, exact(boxes.length))), ...boxes];
  }));
  count();
}

function count() {
  const shown = cards.querySelectorAll(".room:not([hidden])").length;
  set(document.getElementById("shown"), `${exact(shown)} / ${exact(rooms.size)}`);
  document.getElementById("none-chosen").hidden = shown > 0 || rooms.size === 0;
  choice.hidden = rooms.size === 0;
}

/** A room that changed is where it belongs now. */
function place(room, box) {
  const area = areaOf(room), areas = choice.elements.area;
  if (area && ![...areas.options].some((option) => option.value === area)) areas.append(el("option", { value: area }, area));
  return box.hidden === wanted(room) || (box.dataset.group ?? "") !== groupOf(room);
}

choice.querySelector("button").hidden = true;
choice.addEventListener("submit", (event) => event.preventDefault());
choice.addEventListener("input", () => {
  arrange();
  const address = new URL(location.href);
  for (const { name, value } of choice.elements) {
    if (!name) continue;
    if (!value || value === "all" || value === "none" || (name === "sort" && value === "rate")) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  history.replaceState(history.state, "", address);
});

function take(list) {
  let gone = false;
  for (const room of list) {
    if (room.removed) {
      rooms.delete(room.room_id);
      card(room.room_id)?.remove();
      gone = true;
      continue;
    }
    rooms.set(room.room_id, room);
    names.set(room.room_id, room.uname || String(room.room_id));
    undrawn.add(room);
  }
  if (gone) arrange();
  catchUp();
}

/** Draws what changed since the last time. A hidden tab only remembers; it is drawn when it is looked at again. */
const undrawn = new Set();
let scheduled = false;
function catchUp() {
  if (document.hidden || scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    let drawn = 0, moved = false;
    for (const room of undrawn) {
      undrawn.delete(room);
      if (rooms.get(room.room_id) !== room) continue;
      draw(room);
      moved = place(room, card(room.room_id)) || moved;
      if (++drawn === A_FRAME) break;
    }
    if (moved) arrange();
    if (undrawn.size) catchUp(); else { count(); totals(); }
  });
}
document.addEventListener("visibilitychange", catchUp);

connect({ rooms: "all", kinds: ["danmaku", "gift", "super_chat", "guard", "live", "preparing"], today: true }, {
  hello(list) {
    // What is not in the greeting is not monitored any more.
    const there = new Set(list.map((room) => room.room_id));
    take([...rooms.keys()].filter((id) => !there.has(id)).map((room_id) => ({ room_id, removed: true })));
  },
  rooms: take,
  today(value) { today = value; for (const room of rooms.values()) undrawn.add(room); catchUp(); },
  events: (events) => feed.add(events),
});
setInterval(() => { for (const room of rooms.values()) { const box = card(room.room_id); if (box) spark(box, room.rates.danmaku_per_minute); } totals(); }, 60000);
