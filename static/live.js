// One socket for the page: it comes back by itself, goes on exactly where it was, and says what it is doing.
import { t, at, clock, exact } from "./page.js";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;
/** The server pings every 15 s and writes at most as rarely; silence longer than this is a dead connection. */
const SILENCE = 50000;

/**
 * Connects and stays connected. `wanted`: {rooms: "all" | [numbers], kinds: [names] | null, health: bool, today: bool};
 * `on`: {hello(rooms), events(list), rooms(list), health(value), today(value)}, each optional.
 */
export function connect(wanted, on) {
  let socket = null;
  // The page was drawn up to here; what came since is still to come.
  let cursor = document.body.dataset.cursor ?? null;
  let wait = FIRST_WAIT;
  let retry = 0;
  let lastHeard = 0;
  let lag = null;
  let retryAt = 0;
  let greeted = false;
  /** How far this machine's clock is before the server's. */
  let ahead = 0;

  const open = () => {
    clearTimeout(retry);
    const address = new URL(at("/live/ws/"), location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.searchParams.set("rooms", wanted.rooms === "all" ? "all" : wanted.rooms.join(","));
    if (wanted.kinds) address.searchParams.set("kinds", wanted.kinds.join(","));
    if (cursor) address.searchParams.set("after", cursor);
    if (wanted.today) address.searchParams.set("today", "true");
    socket = new WebSocket(address);
    greeted = false;
    socket.onopen = () => { lastHeard = Date.now(); if (wanted.health) subscribe(); };
    socket.onmessage = (message) => { lastHeard = Date.now(); take(JSON.parse(message.data)); };
    socket.onclose = lost;
    show();
  };

  const lost = () => {
    socket = null;
    retryAt = Date.now() + wait * (0.5 + Math.random() / 2);
    retry = setTimeout(open, retryAt - Date.now());
    wait = Math.min(wait * 2, LONGEST_WAIT);
    show();
  };

  const take = (message) => {
    switch (message.type) {
      case "hello":
        greeted = true;
        ahead = Date.now() - message.server_time;
        // What is less than this is the way here, not a wrong clock.
        if (Math.abs(ahead) < 2000) ahead = 0;
        wait = FIRST_WAIT;
        // A resumed connection keeps its own cursor: what was missed is still to come.
        cursor ??= message.cursor;
        on.hello?.(message.rooms);
        on.rooms?.(message.rooms);
        break;
      case "events": {
        cursor = message.cursor;
        const newest = message.events[message.events.length - 1];
        if (newest) lag = Math.max(0, Date.now() - ahead - newest.received_ms);
        on.events?.(message.events);
        break;
      }
      case "rooms": on.rooms?.(message.rooms); break;
      case "health":
        lag = Math.max(0, Date.now() - ahead - message.health.at);
        on.health?.(message.health);
        break;
      case "today": on.today?.(message.today); break;
      case "gap": gap(message.skipped); cursor = null; break;
    }
    // The rest is told once a second: a figure that changes with every frame cannot be read, and costs a layout each.
    if (message.type === "hello") show();
  };

  const subscribe = () => socket?.send(JSON.stringify({ type: "subscribe", rooms: wanted.rooms, kinds: wanted.kinds ?? "all", health: wanted.health }));

  const show = () => {
    const push = document.getElementById("push");
    if (!push) return;
    push.hidden = false;
    let state = "lost", text = "";
    if (socket && greeted) {
      state = "live";
      text = t("push-live", { n: lag === null ? "–" : exact(Math.min(lag, 99999)) });
    } else if (socket) {
      state = "connecting";
      text = t("push-connecting");
    } else {
      text = t("push-lost", { n: Math.max(1, Math.ceil((retryAt - Date.now()) / 1000)) });
    }
    push.dataset.push = state;
    push.title = lastHeard ? clock(lastHeard) : "";
    const label = push.querySelector(".push-text");
    if (label.textContent !== text) label.textContent = text;
    document.body.classList.toggle("is-stale", !socket && lastHeard > 0 && Date.now() - lastHeard > 5000);
  };

  const gap = (skipped) => {
    const notice = document.getElementById("notice");
    if (!notice) return;
    notice.replaceChildren(skipped === null ? t("gap-unknown") : t("gap-known", { n: exact(skipped) }), " ");
    const reload = document.createElement("a");
    reload.href = location.href;
    reload.textContent = t("reload");
    notice.append(reload);
    notice.hidden = false;
  };

  // The watch is on the page's side too: a cable that was pulled closes nothing. Pings do not reach scripts,
  // so a quiet room is asked for a new greeting, which costs one small message.
  setInterval(() => {
    if (socket?.readyState === WebSocket.OPEN && Date.now() - lastHeard > SILENCE / 2) {
      if (Date.now() - lastHeard > SILENCE) socket.close(); else subscribe();
    }
    show();
  }, 1000);
  addEventListener("online", () => { if (!socket) { wait = FIRST_WAIT; open(); } });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !socket) { wait = FIRST_WAIT; open(); } });
  // A page kept for the back button must not hold a connection; coming back it goes on where it was.
  addEventListener("pagehide", () => { if (socket) { socket.onclose = null; socket.close(); socket = null; } });
  addEventListener("pageshow", (event) => { if (event.persisted && !socket) open(); });
  open();

  return {
    /** Wants something else from now on. */
    want(changes) {
      Object.assign(wanted, changes);
      cursor = null;
      if (socket?.readyState === WebSocket.OPEN) subscribe();
    },
  };
}
