// The danmaku browser: live with filters and a pause, or pages of history that are appended.
import { t, set } from "./page.js";
import { connect } from "./live.js";
import { Stream } from "./rows.js";

const list = document.getElementById("stream");
const form = document.getElementById("filters");
const KINDS = ["danmaku", "gift", "super_chat", "guard"];

if ("live" in list.dataset) {
  const names = new Map();
  const stream = new Stream(list, { names, kept: 300, pause: document.getElementById("pause"), bar: document.getElementById("new-rows") });
  const chosen = () => {
    const room = form.elements.room.value, kind = form.elements.kind?.value ?? "danmaku";
    return { rooms: room === "all" ? "all" : [Number(room)], kinds: kind === "all" ? KINDS : [kind] };
  };
  const connection = connect(chosen(), {
    rooms: (rooms) => { for (const room of rooms) if (!room.removed) names.set(room.room_id, room.uname || String(room.room_id)); },
    events: (events) => stream.add(events),
  });
  // Changing a facet of the live stream takes effect at once; the rows that do not belong any more come from the server again.
  for (const name of ["room", "kind"]) form.elements[name]?.addEventListener("change", async () => {
    connection.want(chosen());
    const address = new URL(form.action);
    address.search = new URLSearchParams({ room: form.elements.room.value, kind: form.elements.kind?.value ?? "danmaku" });
    history.replaceState(null, "", address);
    const rows = (await fetchRows(address)).rows;
    list.replaceChildren(...rows);
    stream.known = new Set(rows.map((item) => item.dataset.id));
    if (stream.empty) stream.empty.hidden = rows.length > 0;
  });
}

async function fetchRows(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { rows: [...page.querySelectorAll("#stream > li")].map((item) => document.importNode(item, true)), older: page.getElementById("older")?.getAttribute("href") };
}

const older = document.getElementById("older");
older?.addEventListener("click", async (event) => {
  event.preventDefault();
  if (older.ariaBusy === "true") return;
  const label = older.textContent;
  older.ariaBusy = "true";
  set(older, t("loading"));
  try {
    const known = new Set([...list.children].map((item) => item.dataset.id));
    const page = await fetchRows(older.href);
    list.append(...page.rows.filter((item) => !known.has(item.dataset.id)));
    set(older, label);
    if (page.older) older.setAttribute("href", page.older); else older.parentElement.remove();
    document.getElementById("shown")?.replaceChildren();
  } catch {
    set(older, t("load-failed"));
  }
  older.ariaBusy = "false";
});
