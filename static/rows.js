// Rows of a stream, drawn as templates/parts.html draws them, and the streams that hold them.
import { t, at, el, set, yuan, clock, moment, picture, exact } from "./page.js";
import { unmarked } from "./marks.js";

const ABOUT_ROOM = new Set(["live", "preparing", "cut_off", "warning", "room_lock", "room_change", "super_chat_delete"]);
/** Rows kept in a stream, and the most that are drawn at once: more nobody can read. */
const KEPT = 200;
const A_FRAME = 60;
/** How rarely a hidden tab draws. */
const HIDDEN_MS = 2000;
/** Rows held back while a stream is paused. */
const HELD = 1000;

const priceClass = (price) => "sc-" + [2000, 1000, 500, 100, 50].reduce((level, limit, i) => level || (price >= limit ? 6 - i : 0), 0) || "sc-1";

function body(e, mark) {
  const parts = [];
  if (!ABOUT_ROOM.has(e.kind)) {
    if (e.medal_name) parts.push(el("span", { class: "medal", title: t("medal") }, `${e.medal_name} ${e.medal_level ?? ""}`));
    if (e.kind === "danmaku" && e.guard_level > 0) parts.push(guard(e.guard_level));
    if (e.kind === "danmaku" && e.is_admin) parts.push(el("span", { class: "tag" }, t("moderator")));
    if (e.username) parts.push(el("span", { class: e.masked ? "ev-who masked" : "ev-who", title: e.masked ? t("masked") : null }, ...mark(e.username)));
  }
  const text = el("span", { class: e.lottery ? "ev-text lottery" : "ev-text" });
  switch (e.kind) {
    case "danmaku": {
      if (e.reply_to) text.append(el("span", { class: "reply" }, "@" + e.reply_to), " ");
      const emoticon = picture(e.emoticon_url);
      text.append(...(emoticon ? [el("img", { class: "emoticon", src: emoticon, alt: e.message, title: e.message, loading: "lazy", referrerpolicy: "no-referrer" })] : mark(e.message)));
      break;
    }
    case "gift":
      text.append(el("span", { class: "verb" }, t("ev-gift")), " ", e.blind_box ? `${e.blind_box.name} → ` : "", ...mark(e.gift_name), " ", el("span", { class: "num" }, `×${e.num}`));
      break;
    case "super_chat": text.append(...mark(e.message)); break;
    case "guard": text.append(el("span", { class: "verb" }, t("ev-guard")), " ", guard(e.guard_level), " ", el("span", { class: "num" }, `×${e.num}`), e.unit); break;
    default: text.append(t("ev-" + e.kind) + (e.title ? `: ${e.title}` : "") + (e.text ? ` ${e.text}` : ""));
  }
  parts.push(text);
  if (e.lottery) parts.push(el("span", { class: "tag" }, t("lottery")));
  if (e.source === "backfill") parts.push(el("span", { class: "tag" }, t("backfilled")));
  return el("span", { class: "ev-body" }, ...parts);
}

const guard = (level) => el("span", { class: `guard guard-${level}` }, t("guard-" + level));

function money(e) {
  if (e.kind === "gift" && e.coin_type === "silver") return el("span", { class: "ev-money free" }, t("free"));
  if (e.paid_gold) return el("span", { class: "ev-money num" }, (e.kind === "guard" && e.estimated ? "≈" : "") + yuan(e.paid_gold));
  return null;
}

/** One event as a row. `names`: Map of streamers by room, for the tag; `mark` makes nodes of a text. */
export function row(e, names, mark = unmarked) {
  const kind = /^[a-z_]+$/.test(e.kind) ? e.kind : "other";
  return el("li", { class: `ev ev-${kind}${kind === "super_chat" ? " " + priceClass(e.price) : ""}`, data: { id: e.id } },
    el("time", { class: "ev-time num", title: moment(e.timestamp_ms) }, clock(e.timestamp_ms)),
    names ? el("a", { class: "ev-room", href: at(`/live/room/${Number(e.room_id)}/`), title: e.room_id }, names.get(e.room_id) ?? String(e.room_id)) : null,
    body(e, mark), money(e));
}

/** A stream, newest first. Events are gathered and drawn once a frame, or at most once in `every` ms; one that stands there already is not drawn twice. */
export class Stream {
  constructor(list, { names = null, kept = KEPT, pause = null, bar = null, every = 0, draw = (e) => row(e, names) } = {}) {
    Object.assign(this, { list, kept, pause, bar, every, drawn: draw, drawnAt: 0, waiting: [], paused: false, scheduled: false, missed: 0 });
    this.known = new Set([...list.children].map((item) => item.dataset.id));
    this.empty = list.parentElement.querySelector(":scope > [data-empty]");
    if (pause) {
      pause.hidden = false;
      pause.addEventListener("click", () => (this.paused ? this.goOn() : this.hold()));
      bar?.addEventListener("click", () => this.goOn());
    }
  }

  add(events) {
    for (const e of events) {
      if (this.known.has(e.id)) continue;
      this.known.add(e.id);
      this.waiting.push(e);
    }
    if (this.paused) {
      if (this.waiting.length > HELD) this.forget(this.waiting.splice(0, this.waiting.length - HELD));
      return this.count();
    }
    if (this.waiting.length && !this.scheduled) {
      this.scheduled = true;
      // A hidden tab gets no frames; there a timer keeps what waits from growing.
      const rest = this.drawnAt + this.every - performance.now();
      if (document.hidden) setTimeout(() => this.draw(), HIDDEN_MS);
      else if (rest > 0) setTimeout(() => this.draw(), rest);
      else requestAnimationFrame(() => this.draw());
    }
  }

  draw() {
    this.scheduled = false;
    this.drawnAt = performance.now();
    if (this.paused) return this.count();
    this.forget(this.waiting.splice(0, Math.max(0, this.waiting.length - A_FRAME)));
    const rows = this.waiting.splice(0).reverse().map(this.drawn);
    this.list.prepend(...rows);
    while (this.list.children.length > this.kept) {
      this.known.delete(this.list.lastElementChild.dataset.id);
      this.list.lastElementChild.remove();
    }
    if (this.empty) this.empty.hidden = this.list.children.length > 0;
  }

  forget(events) { for (const e of events) this.known.delete(e.id); this.missed += events.length; }

  hold() {
    this.paused = true;
    this.missed = 0;
    this.label("go-on", "play", "true");
    this.count();
  }

  goOn() {
    this.paused = false;
    this.label("pause", "pause", "false");
    if (this.bar) this.bar.hidden = true;
    this.draw();
  }

  label(key, icon, pressed) {
    set(this.pause.querySelector("span"), t(key));
    const use = this.pause.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, "#" + icon));
    this.pause.setAttribute("aria-pressed", pressed);
  }

  count() {
    const n = this.waiting.length + this.missed;
    if (!this.bar) return;
    this.bar.hidden = n === 0;
    set(this.bar, t("new-rows", { n: exact(n) }));
  }
}
