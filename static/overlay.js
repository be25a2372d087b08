// The overlay: what comes, for as long as it may stay. ?size=28 (px) &speed=30 (s a line stays, 0: until pushed out)
// &kinds=danmaku,super_chat,gift,guard &lines=12
import { connect } from "./live.js";
import { row } from "./rows.js";

const asked = new URLSearchParams(location.search);
const number = (name, normal, least, most) => {
  const n = Number.parseFloat(asked.get(name) ?? "");
  return Number.isFinite(n) ? Math.min(most, Math.max(least, n)) : normal;
};
const KINDS = ["danmaku", "super_chat", "gift", "guard"];
const wanted = (asked.get("kinds") ?? "").split(",").filter((kind) => KINDS.includes(kind));
const list = document.getElementById("overlay");
const lines = number("lines", 30, 1, 100);
const speed = number("speed", 0, 0, 3600) * 1000;
document.documentElement.style.fontSize = `${number("size", 24, 10, 120)}px`;

connect({ rooms: [Number(list.dataset.room)], kinds: wanted.length ? wanted : KINDS }, {
  events(events) {
    // More than fit would be pushed out at once.
    const rows = events.slice(-lines).map((e) => row(e, null));
    list.append(...rows);
    while (list.children.length > lines) list.firstElementChild.remove();
    if (speed) setTimeout(() => {
      for (const one of rows) one.classList.add("gone");
      setTimeout(() => { for (const one of rows) one.remove(); }, 700);
    }, speed);
  },
});
