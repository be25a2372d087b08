// The danmaku browser: a live stream with a pause, or pages of history; facets and highlights work on what is loaded.
import { t, exact, set } from "./page.js";
import { connect } from "./live.js";
import { Facets } from "./facets.js";
import { marker } from "./marks.js";
import { row } from "./rows.js";
import { save } from "./sheet.js";
import { VirtualList } from "./virtual.js";

const KINDS = ["danmaku", "gift", "super_chat", "guard"];
/** Lines kept: a busy hour. Older ones are in the history. */
const KEPT = 5000;

const $ = (id) => document.getElementById(id);
const form = $("filters");
const stream = $("stream");
const live = "live" in stream.dataset;
const data = JSON.parse($("data").textContent);
const names = new Map(Object.entries(data.names).map(([room, name]) => [Number(room), name]));
const facets = new Facets($("facets"), refresh);
let mark = marks();
let all = data.events;
let known = new Set(all.map((e) => e.id));

const list = new VirtualList(stream, (e) => {
  const item = row(e, names, mark);
  item.classList.toggle("is-lit", facets.lights(e));
  return item;
});
refresh();

function marks() { return marker([...(data.q ? [data.q] : []), ...facets.words]); }

function refresh() {
  mark = marks();
  list.set(all.filter((e) => facets.match(e)));
  say();
}

function say() {
  document.querySelector("[data-empty]").hidden = all.length > 0;
  $("none-match").hidden = all.length === 0 || list.length > 0;
  if (live || facets.active) set($("shown"), t(facets.active ? "rows-of" : "rows-all", { n: exact(list.length), of: exact(all.length) }));
}

/** What came while the stream was held, newest last; what is beyond the bound is only counted. */
const waiting = { events: [], missed: 0 };
let paused = false;
let scheduled = false;

function arrive(events) {
  for (const e of events) if (!known.has(e.id)) { known.add(e.id); waiting.events.push(e); }
  const over = waiting.events.length - KEPT;
  if (over > 0) { for (const e of waiting.events.splice(0, over)) known.delete(e.id); waiting.missed += over; }
  if (scheduled || !waiting.events.length) return;
  scheduled = true;
  // A hidden tab gets no frames: there everything waits, bounded, and nothing is drawn.
  requestAnimationFrame(() => { scheduled = false; flow(); });
}

/** Lets what waits into the list, unless somebody reads further down or has paused. */
function flow() {
  if (paused || !list.atTop) {
    const n = waiting.events.filter((e) => facets.match(e)).length + waiting.missed;
    $("new-rows").hidden = n === 0;
    return set($("new-rows"), t("new-rows", { n: exact(n) }));
  }
  $("new-rows").hidden = true;
  const fresh = waiting.events.splice(0).reverse();
  waiting.missed = 0;
  all = fresh.concat(all);
  for (const gone of all.splice(KEPT)) known.delete(gone.id);
  list.prepend(fresh.filter((e) => facets.match(e)), KEPT);
  say();
}

function hold(on) {
  paused = on;
  const button = $("pause");
  set(button.querySelector("span"), t(on ? "go-on" : "pause"));
  const use = button.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, on ? "#play" : "#pause"));
  button.setAttribute("aria-pressed", String(on));
  if (!on) { stream.scrollTop = 0; flow(); }
}

if (live) {
  const chosen = () => {
    const room = form.elements.room.value, kind = form.elements.kind?.value ?? "danmaku";
    return { rooms: room === "all" ? "all" : [Number(room)], kinds: kind === "all" ? KINDS : [kind] };
  };
  const connection = connect(chosen(), {
    rooms: (rooms) => { for (const room of rooms) if (!room.removed) names.set(room.room_id, room.uname || String(room.room_id)); },
    events: arrive,
  });
  $("pause").hidden = false;
  $("pause").addEventListener("click", () => hold(!paused));
  $("new-rows").addEventListener("click", () => hold(false));
  stream.addEventListener("scroll", () => { if (waiting.events.length && list.atTop) flow(); }, { passive: true });
  // Another room or kind takes effect at once; what is stored of it comes from the server.
  for (const name of ["room", "kind"]) form.elements[name]?.addEventListener("change", async () => {
    connection.want(chosen());
    const address = new URL(form.action);
    address.search = new URLSearchParams({ room: form.elements.room.value, kind: form.elements.kind?.value ?? "danmaku" });
    history.replaceState(null, "", address);
    facets.write();
    const page = await load(address);
    all = page.events;
    known = new Set(all.map((e) => e.id));
    Object.assign(waiting, { events: [], missed: 0 });
    refresh();
  });
}

async function load(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { events: JSON.parse(page.getElementById("data").textContent).events, older: page.getElementById("older")?.getAttribute("href") };
}

const older = $("older");
older?.addEventListener("click", async (event) => {
  event.preventDefault();
  if (older.ariaBusy === "true") return;
  const label = older.textContent;
  older.ariaBusy = "true";
  set(older, t("loading"));
  try {
    const page = await load(older.href);
    const more = page.events.filter((e) => !known.has(e.id));
    for (const e of more) known.add(e.id);
    all = all.concat(more);
    list.append(more.filter((e) => facets.match(e)));
    say();
    set(older, label);
    if (page.older) older.setAttribute("href", page.older); else older.parentElement.remove();
  } catch {
    set(older, t("load-failed"));
  }
  older.ariaBusy = "false";
});

const out = $("export-view");
if (out) {
  out.hidden = false;
  out.addEventListener("click", () => save(list.items, names));
}
