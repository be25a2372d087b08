// The system page: a reading a second over the same socket; figures only, the words stay.
import { t, el, set, exact, bytes, lasting, moment } from "./page.js";
import { connect } from "./live.js";

const h = (name) => document.querySelector(`[data-h="${name}"]`);
let sort = { by: "name", down: false };
let last = null;

function draw(health) {
  last = health;
  document.getElementById("verdict").className = `verdict verdict-${health.verdict} card-box`;
  set(h("verdict"), t("verdict-" + health.verdict));
  set(h("sentence"), t("verdict-rooms", health.rooms));
  h("findings").replaceChildren(...health.findings.map((finding) => el("li", { class: finding.grave ? "grave" : null }, t("finding-" + finding.code, { n: exact(finding.n) }))));
  const p = health.process;
  set(h("uptime"), lasting(p.uptime_ms));
  set(h("rss"), p.rss_bytes === null ? "–" : bytes(p.rss_bytes));
  set(h("descriptors"), String(p.descriptors ?? "–"));
  set(h("threads"), String(p.threads ?? "–"));
  set(h("sessions"), exact(health.sessions));
  const store = health.live_store;
  set(h("store"), store ? `${t("store-" + store.kind)}${store.version ? " " + store.version : ""}` : health.live_store_error);
  h("store").classList.toggle("bad", !store);
  set(h("ping"), store ? `${store.ping_ms.toFixed(2)} ms` : "–");
  set(h("store-memory"), store?.memory_bytes == null ? "–" : bytes(store.memory_bytes));
  set(h("backlog"), store ? exact(store.backlog) : "–");
  set(h("database"), bytes(health.database_bytes));
  const books = health.ledger.total;
  for (const name of ["received", "stored", "duplicate", "dead_letter", "pending"]) set(document.querySelector(`[data-l="${name}"]`), exact(books[name]));
  const dropped = document.querySelector('[data-l="dropped"]');
  set(dropped, exact(Object.values(books.dropped).reduce((a, b) => a + b, 0)), Object.entries(books.dropped).map(([why, n]) => `${why}: ${n}`).join(", "));
  const balanced = h("balanced");
  balanced.className = `pill ${health.ledger.balanced ? "pill-live" : "pill-failed"}`;
  set(balanced, t(health.ledger.balanced ? "balanced" : "unbalanced"));
  lanes(health.lanes);
  actors(health);
  const deaths = h("deaths");
  deaths.replaceChildren(...health.deaths.map((d) => el("li", {}, el("span", { class: "num dim" }, moment(d.at)), " ", el("b", {}, d.name), " ", el("span", { class: "dim" }, `#${d.life}`), ` ${d.text}`, d.place ? " " : null, d.place ? el("code", {}, d.place) : null, " ", el("span", { class: "dim" }, `→ ${d.verdict}`))));
  deaths.parentElement.querySelector("[data-empty]").hidden = health.deaths.length > 0;
}

function lanes(list) {
  const box = h("lanes");
  const rows = new Map([...box.children].map((item) => [item.dataset.name, item]));
  for (const lane of list) {
    let item = rows.get(lane.name);
    if (!item) {
      const figure = (name) => el("span", { data: { c: name } });
      item = el("li", { data: { name: lane.name } }, el("span", { class: "lane-name" }, lane.name), el("meter", { min: 0, max: lane.capacity, low: lane.capacity / 2, high: lane.capacity * 0.75, optimum: 0 }),
        el("span", { class: "num dim" }, figure("depth"), ` / ${exact(lane.capacity)} · ${t("high-water")} `, figure("high"), ` · ${t("taken")} `, figure("taken"), ` · ${t("shed")} `, figure("shed")));
      box.append(item);
    }
    item.querySelector("meter").value = lane.depth;
    const figures = { depth: lane.depth, high: lane.high_water, taken: lane.taken, shed: lane.shed };
    for (const [name, n] of Object.entries(figures)) set(item.querySelector(`[data-c="${name}"]`), exact(n));
  }
}

const keys = {
  name: (a) => a.name, state: (a) => a.state, doing: (a) => a.doing, since: (a) => -a.since, life: (a) => a.life, in: (a) => a.events_in,
  out: (a) => a.events_out, lag: (a) => a.lag_ms, depth: (a) => a.mailbox?.depth ?? -1, error: (a) => a.last_error?.at ?? 0,
};

function actors(health) {
  const body = document.querySelector("#actors tbody");
  const rows = new Map([...body.rows].map((row) => [row.dataset.name, row]));
  const key = keys[sort.by];
  const sorted = [...health.actors].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return (typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y) * (sort.down ? -1 : 1);
  });
  const drawn = sorted.map((actor) => {
    const row = rows.get(actor.name) ?? el("tr", { data: { name: actor.name } }, el("th", { scope: "row" }, actor.name), ...Array.from({ length: 9 }, (_, n) => el("td", { class: n === 0 ? null : n === 8 ? "err" : n === 1 ? null : "num" })));
    const cells = row.cells;
    const pill = cells[1].firstElementChild ?? cells[1].appendChild(el("span"));
    pill.className = `pill pill-${actor.state}`;
    set(pill, t("state-" + actor.state));
    set(cells[2], t("doing-" + actor.doing));
    set(cells[3], lasting(health.at - actor.since));
    set(cells[4], String(actor.life));
    set(cells[5], exact(actor.events_in));
    set(cells[6], exact(actor.events_out));
    set(cells[7], `${exact(actor.lag_ms)} ms`);
    set(cells[8], actor.mailbox ? `${actor.mailbox.depth} / ${actor.mailbox.capacity}` : "–");
    set(cells[9], actor.last_error ? `${actor.last_error.text}${actor.last_error.place ? ` (${actor.last_error.place})` : ""}` : "", actor.last_error ? moment(actor.last_error.at) : "");
    return row;
  });
  if (drawn.length !== body.rows.length || drawn.some((row, n) => body.rows[n] !== row)) body.replaceChildren(...drawn);
}

for (const head of document.querySelectorAll("#actors th[data-sort]")) {
  const button = el("button", { type: "button", class: "sorter" }, head.textContent);
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    sort = { by: head.dataset.sort, down: sort.by === head.dataset.sort ? !sort.down : head.dataset.sort !== "name" };
    for (const other of document.querySelectorAll("#actors th[data-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    if (last) actors(last);
  });
}

connect({ rooms: "all", kinds: ["room_lock"], health: true }, { health: draw });
