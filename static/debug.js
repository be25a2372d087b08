// The system page: a reading a second over the same socket, and at once when somebody dies. Figures only, the words stay.
import { t, el, set, exact, bytes, lasting, moment, clock, at, learn } from "./page.js";
import { connect } from "./live.js";

learn(JSON.parse(document.getElementById("data").textContent).words);
const token = document.getElementById("debug-script")?.dataset.token ?? null;
const h = (name) => document.querySelector(`[data-h="${name}"]`);
const ms = (n) => (n === null || n === undefined ? "–" : `${n.toFixed(2)} ms`);
const ROWS = 100;
let sort = { by: "name", down: false };
let last = null;
let showAll = false;

function draw(health) {
  last = health;
  document.getElementById("verdict").className = `verdict verdict-${health.verdict} card-box`;
  set(h("verdict"), t("verdict-" + health.verdict));
  set(h("sentence"), t("verdict-rooms", health.rooms));
  h("findings").replaceChildren(...health.findings.map((finding) => el("li", { class: finding.grave ? "grave" : null }, t("finding-" + finding.code, { n: exact(finding.n) }))));
  const storm = document.getElementById("storm");
  storm.hidden = !health.storm;
  if (health.storm) set(storm, t("storm-banner", { n: exact(health.storm.deaths), since: clock(health.storm.since) }));
  machine(health);
  stores(health);
  const books = health.ledger.total;
  for (const name of ["received", "stored", "duplicate", "dead_letter", "pending"]) set(document.querySelector(`[data-l="${name}"]`), exact(books[name]));
  const dropped = document.querySelector('[data-l="dropped"]');
  set(dropped, exact(Object.values(books.dropped).reduce((a, b) => a + b, 0)), Object.entries(books.dropped).map(([why, n]) => `${why}: ${n}`).join(", "));
  const balanced = h("balanced");
  balanced.className = `pill ${health.ledger.balanced ? "pill-live" : "pill-failed"}`;
  set(balanced, t(health.ledger.balanced ? "balanced" : "unbalanced"));
  lanes(health.lanes);
  bilibili(health);
  tree(health);
  measure(health);
  actors(health);
  sessions(health);
  list("deaths", health.deaths, (d) => el("li", { class: "death-" + d.exit }, el("span", { class: "num dim" }, moment(d.at)), " ", el("b", {}, d.name), " ", el("span", { class: "dim" }, `#${d.life}`), ` ${d.text}`, d.place ? " " : null, d.place ? el("code", {}, d.place) : null, " ", el("span", { class: "dim" }, `→ ${d.verdict}`)));
  list("warnings", health.warnings, (w) => el("li", { class: "warning-" + w.level }, el("span", { class: "num dim" }, moment(w.at)), " ", el("b", {}, w.level), ` ${w.text}`));
}

/** A list is drawn again only when something was added, so that what is being read stays where it is. */
function list(name, items, make) {
  const box = h(name);
  const newest = items.length ? `${items[0].at} ${items.length} ${items[0].text}` : "";
  if (box.dataset.newest === newest) return;
  box.dataset.newest = newest;
  box.replaceChildren(...items.map(make));
  box.parentElement.querySelector("[data-empty]").hidden = items.length > 0;
}

function machine(health) {
  const p = health.process;
  set(h("uptime"), lasting(p.uptime_ms));
  set(h("rss"), p.rss_bytes === null ? "–" : bytes(p.rss_bytes));
  set(h("descriptors"), String(p.descriptors ?? "–"));
  set(h("threads"), String(p.threads ?? "–"));
  set(h("sessions"), exact(health.sessions));
  for (const [name, value] of [["rss", p.rss_bytes], ["descriptors", p.descriptors], ["threads", p.threads]]) document.querySelector(`[data-m="${name}"]`).value = value ?? 0;
  h("arbiters").replaceChildren(...health.arbiters.map((a) => el("tr", {}, el("th", { scope: "row" }, a.name), el("td", { class: "num" }, exact(a.actors)),
    el("td", { class: a.is_alive ? "num" : "num bad" }, a.is_alive ? `${a.lag_ms.toFixed(1)} ms` : t("arbiter-dead")), el("td", { class: a.lag_worst_ms > 1000 ? "num bad" : "num" }, `${a.lag_worst_ms.toFixed(1)} ms`))));
}

function stores(health) {
  const store = health.live_store;
  set(h("store"), store ? `${t("store-" + store.kind)}${store.version ? " " + store.version : ""}` : health.live_store_error);
  h("store").classList.toggle("bad", !store);
  set(h("ping"), ms(store?.ping_ms));
  set(h("store-memory"), store?.memory_bytes == null ? "–" : bytes(store.memory_bytes));
  set(h("backlog"), store ? exact(store.backlog) : "–");
  const d = health.history;
  set(h("read"), ms(d.read_ms));
  set(h("database"), bytes(d.database_bytes));
  set(h("wal"), bytes(d.wal_bytes));
  set(h("free"), d.free_bytes === null ? "–" : bytes(d.free_bytes));
  const growth = d.growth_bytes_per_day;
  set(h("growth"), growth === null ? t("not-known-yet") : growth <= 0 ? t("does-not-grow") : bytes(growth));
  set(h("lasts"), d.days_left === null ? "–" : t("days", { n: d.days_left > 9999 ? "> 9,999" : d.days_left < 10 ? d.days_left.toFixed(1) : exact(d.days_left) }));
}

function lanes(items) {
  const box = h("lanes");
  const rows = new Map([...box.children].map((item) => [item.dataset.name, item]));
  for (const lane of items) {
    let item = rows.get(lane.name);
    if (!item) {
      const figure = (name) => el("span", { data: { c: name } });
      item = el("li", { data: { name: lane.name } }, el("span", { class: "lane-name" }, lane.name), el("meter", { min: 0, max: lane.capacity, low: lane.capacity / 2, high: lane.capacity * 0.75, optimum: 0 }),
        el("span", { class: "num dim" }, figure("depth"), ` / ${exact(lane.capacity)} · ${t("high-water")} `, figure("high"), ` · ${t("taken")} `, figure("taken"), ` · ${t("shed")} `, figure("shed"), " ", figure("kinds")));
      box.append(item);
    }
    item.querySelector("meter").value = lane.depth;
    const figures = { depth: lane.depth, high: lane.high_water, taken: lane.taken, shed: lane.shed };
    for (const [name, n] of Object.entries(figures)) set(item.querySelector(`[data-c="${name}"]`), exact(n));
    const kinds = item.querySelector('[data-c="kinds"]');
    kinds.className = "shed-kinds";
    set(kinds, Object.entries(lane.shed_by_kind).map(([kind, n]) => `${kind} ${exact(n)}`).join(", "));
  }
}

/** How we stand with Bilibili: the gate, who watches, who is left alone, what was asked. */
function bilibili({ upstream: { gate, visitor, accounts, families, calls }, at: now }) {
  h("gate").classList.toggle("bad", gate.closed_until_ms !== null);
  set(h("gate"), gate.closed_until_ms === null ? t("gate-open") : t("gate-closed-until", { until: clock(gate.closed_until_ms) }));
  set(h("gate-waiting"), exact(gate.waiting));
  set(h("gate-connecting"), exact(gate.connecting));
  const resting = (until, why) => `${t("cooling-until", { until: clock(until) })}${why ? `: ${why}` : ""}`;
  const line = (name, rooms, cookies, state, well) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "num" }, rooms === null ? "" : exact(rooms)),
    el("td", { class: "num" }, cookies), el("td", { class: well ? null : "bad" }, state));
  h("identities").replaceChildren(
    line(t("identity-visitor"), visitor.rooms, "–", visitor.cooling_until_ms ? resting(visitor.cooling_until_ms, visitor.why) : t("identity-ok"), !visitor.cooling_until_ms),
    ...accounts.map((a, n) => line(t("identity-account", { n: n + 1 }), a.rooms, lasting(now - a.renewed_ms), a.cooling_until_ms ? resting(a.cooling_until_ms, a.why) : `${t("identity-" + a.state)}${a.why ? `: ${a.why}` : ""}`, a.state === "ok")),
    ...families.map((f) => line(f.family, null, "–", resting(f.cooling_until_ms, f.why), false)));
  set(h("calls"), Object.entries(calls).map(([name, n]) => `${name} ${exact(n)}`).join(" · "));
}

/** Who starts whom again; rooms and browsers are summed up. */
function tree(health) {
  const pill = (actor) => el("span", { class: `pill pill-${actor.stuck ? "failed" : actor.state}` }, actor.stuck ? t("stuck") : t("state-" + actor.state));
  const below = (parent) => health.actors.filter((actor) => actor.parent === parent);
  const states = (of) => {
    const counts = new Map();
    for (const actor of of) {
      const key = actor.stuck ? "stuck" : actor.state;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return [...counts].map(([state, n]) => el("span", { class: `pill pill-${state === "stuck" ? "failed" : state}` }, `${state === "stuck" ? t("stuck") : t("state-" + state)} ${exact(n)}`));
  };
  const rooms = below("rooms");
  const sessions = below("web");
  const node = (actor) => el("li", {}, actor.name, pill(actor), actor.restarts ? el("span", { class: "dim num" }, ` ${t("actor-restarts")} ${actor.restarts}`) : null,
    actor.name === "rooms" ? el("ul", {}, el("li", {}, t("tree-rooms", { n: exact(rooms.length) }), ...states(rooms))) : null);
  h("tree").replaceChildren(el("li", {}, "root", el("ul", {}, ...below("root").map(node))), el("li", {}, "web", el("ul", {}, el("li", {}, t("tree-sessions", { n: exact(sessions.length) }), ...states(sessions)))));
}

/** Rates are made here, from readings a minute apart at most: the server publishes counters only. */
const before = [];
let rates = new Map();
function measure(health) {
  before.push({ at: health.at, counts: new Map(health.actors.map((actor) => [actor.name, actor.events_in])) });
  while (before.length > 2 && health.at - before[0].at > 60000) before.shift();
  const since = before[0];
  const minutes = (health.at - since.at) / 60000;
  rates = new Map(health.actors.map((actor) => [actor.name, minutes > 0.03 && since.counts.has(actor.name) ? (actor.events_in - since.counts.get(actor.name)) / minutes : null]));
}

const keys = {
  name: (a) => a.name, state: (a) => (a.stuck ? "" : a.state), doing: (a) => a.doing, since: (a) => -a.since, idle: (a) => -a.beat, life: (a) => a.life, restarts: (a) => a.restarts,
  in: (a) => a.events_in, rate: (a) => rates.get(a.name) ?? -1, out: (a) => a.events_out, lag: (a) => a.lag_ms, worst: (a) => a.lag_worst_ms, depth: (a) => a.mailbox?.depth ?? -1, thread: (a) => a.thread ?? "", error: (a) => a.last_error?.at ?? 0,
};
const NUMBERS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const needsAttention = (a) => a.stuck || ["failed", "backoff", "stopped"].includes(a.state);

function actors(health) {
  const filter = document.getElementById("filter").value.trim().toLowerCase();
  const trouble = document.getElementById("trouble").checked;
  const all = health.actors.filter((a) => a.kind !== "session");
  const wanted = all.filter((a) => (!filter || a.name.toLowerCase().includes(filter)) && (!trouble || needsAttention(a)));
  const key = keys[sort.by];
  wanted.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return (typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y) * (sort.down ? -1 : 1);
  });
  const shown = showAll ? wanted : wanted.slice(0, ROWS);
  set(h("shown"), t("shown-of", { shown: exact(shown.length), all: exact(all.length) }));
  const more = document.getElementById("more");
  more.hidden = shown.length === wanted.length;
  set(more, t("more-actors", { n: exact(wanted.length) }));
  const body = document.querySelector("#actors tbody");
  const rows = new Map([...body.rows].map((row) => [row.dataset.name, row]));
  const drawn = shown.map((actor) => row(actor, rows.get(actor.name), health.at));
  if (drawn.length !== body.rows.length || drawn.some((row, n) => body.rows[n] !== row)) body.replaceChildren(...drawn);
}

function row(actor, known, now) {
  const tr = known ?? el("tr", { data: { name: actor.name } }, el("th", { scope: "row" }, actor.name), ...Array.from({ length: 14 }, (_, n) => el("td", { class: n === 13 ? "err" : NUMBERS.includes(n + 1) ? "num" : null })), token === null ? null : el("td", { class: "acts" }));
  const cells = tr.cells;
  tr.classList.toggle("is-stuck", actor.stuck);
  const mark = `${actor.state} ${actor.stuck}`;
  if (cells[1].dataset.mark !== mark) {
    cells[1].dataset.mark = mark;
    cells[1].replaceChildren(el("span", { class: `pill pill-${actor.state}` }, t("state-" + actor.state)), ...(actor.stuck ? [" ", el("span", { class: "pill pill-failed" }, t("stuck"))] : []));
  }
  // What it waits for is worth a word only when it has waited.
  const long = actor.waits_for && actor.doing !== "reading" && now - actor.doing_since > 3000;
  cells[2].classList.toggle("waits", Boolean(actor.stuck || long));
  set(cells[2], actor.stuck ? `${t("doing-" + actor.doing)}: ${t("stuck-for", { n: lasting(now - actor.beat) })}` : long ? `${t("waits-" + actor.waits_for)}, ${lasting(now - actor.doing_since)}` : t("doing-" + actor.doing));
  set(cells[3], lasting(now - actor.since));
  set(cells[4], lasting(now - actor.beat));
  set(cells[5], String(actor.life));
  set(cells[6], String(actor.restarts), Object.entries(actor.exits).map(([exit, n]) => `${t("exit-" + exit)} ${n}`).join(", "));
  set(cells[7], exact(actor.events_in));
  const rate = rates.get(actor.name) ?? null;
  set(cells[8], rate === null ? "–" : exact(rate));
  set(cells[9], exact(actor.events_out));
  set(cells[10], `${exact(actor.lag_ms)} ms`);
  set(cells[11], `${exact(actor.lag_worst_ms)} ms`);
  set(cells[12], actor.mailbox ? `${exact(actor.mailbox.depth)} / ${exact(actor.mailbox.capacity)}` : "–");
  set(cells[13], actor.thread ?? "–");
  set(cells[14], actor.last_error ? `${actor.last_error.text}${actor.last_error.place ? ` (${actor.last_error.place})` : ""}` : "", actor.last_error ? moment(actor.last_error.at) : "");
  if (token !== null && actor.kind === "room") buttons(cells[15], actor);
  return tr;
}

/** What a person may do to a room; drawn again only when something else may be done. */
function buttons(cell, actor) {
  const may = actor.state === "paused" ? ["resume"] : actor.state === "failed" ? ["revive", "pause"] : ["restart", "pause"];
  if (cell.dataset.may === may.join()) return;
  cell.dataset.may = may.join();
  const room = actor.name.replace("room ", "");
  const words = { resume: t("resume-this"), revive: t("revive-room"), restart: t("restart-room"), pause: t("pause-this") };
  const button = (deed) => {
    const made = el("button", { class: "btn btn-outline-secondary", type: "button", data: { deed } }, words[deed]);
    // A restart revives a failed room as well.
    made.addEventListener("click", () => act(`/live/api/admin/rooms/${room}/${deed === "revive" ? "restart" : deed}/`, `${words[deed]} ${actor.name}`));
    return made;
  };
  cell.replaceChildren(el("span", { class: "buttons" }, ...may.map(button)));
}

async function act(path, what) {
  const notice = document.getElementById("notice");
  let text;
  try {
    const answer = await fetch(at(path), { method: "POST", headers: { "X-CSRF-Token": token } });
    const body = await answer.json();
    text = body.success ? t("action-done", { what }) : t("action-failed", { why: body.error });
  } catch (error) {
    text = t("action-failed", { why: error.message });
  }
  notice.replaceChildren(text);
  notice.hidden = false;
  setTimeout(() => { if (notice.textContent === text) notice.hidden = true; }, 6000);
}

function sessions(health) {
  const browsers = health.actors.filter((a) => a.kind === "session").sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  h("browser-sessions").replaceChildren(...browsers.slice(0, ROWS).map((a) => el("tr", { class: a.stuck ? "is-stuck" : null }, el("th", { scope: "row" }, a.name, a.stuck ? " " : null, a.stuck ? el("span", { class: "pill pill-failed" }, t("stuck")) : null),
    el("td", { class: "num" }, lasting(health.at - a.since)), el("td", { class: "num" }, lasting(health.at - a.beat)), el("td", { class: "num" }, bytes(a.bytes_out)), el("td", { class: "num" }, exact(a.events_out)), el("td", { class: "num" }, exact(a.behind)))));
  h("browser-sessions").closest("section").querySelector("[data-empty]").hidden = browsers.length > 0;
}

for (const head of document.querySelectorAll("#actors th[data-sort]")) {
  const button = el("button", { type: "button", class: "sorter" }, head.textContent);
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    sort = { by: head.dataset.sort, down: sort.by === head.dataset.sort ? !sort.down : !["name", "state", "doing", "thread"].includes(head.dataset.sort) };
    for (const other of document.querySelectorAll("#actors th[data-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    if (last) actors(last);
  });
}
const filter = document.getElementById("filter");
filter.hidden = false;
filter.addEventListener("input", () => last && actors(last));
const trouble = document.getElementById("trouble");
trouble.parentElement.hidden = false;
trouble.addEventListener("change", () => last && actors(last));
document.getElementById("more").addEventListener("click", () => { showAll = true; actors(last); });
const all = document.getElementById("reconnect-all");
if (all) {
  all.hidden = false;
  all.addEventListener("click", () => { if (confirm(t("reconnect-all-sure"))) act("/live/api/admin/rooms/reconnect/", all.textContent.trim()); });
}

connect({ rooms: "all", kinds: ["room_lock"], health: true }, { health: draw });
