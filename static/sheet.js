// What is shown, as a file for spreadsheets. Chat is written by strangers: nothing in it may become a formula.
import { moment } from "./page.js";

const COLUMNS = ["time", "room_id", "room", "kind", "uid", "username", "masked", "medal", "text", "num", "paid_cny", "id"];

/** As on the server: an apostrophe before what a spreadsheet would take for a formula, whatever blanks go first. */
const harmless = (text) => (/^[\s\p{Cc}]*[=+\-@＝＋－＠]/u.test(text) || /^[\t\r\n]/.test(text) ? `'${text}` : text);
const cell = (value) => {
  const text = typeof value === "string" ? harmless(value) : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const line = (e, names) => [moment(e.timestamp_ms), e.room_id, names.get(e.room_id) ?? "", e.kind, e.uid, e.username ?? "", e.masked ? 1 : 0,
  e.medal_name ? `${e.medal_name} ${e.medal_level ?? ""}` : "", e.message ?? e.gift_name ?? "", e.num ?? "", e.paid_gold ? (e.paid_gold / 1000).toFixed(2) : "", e.id];

/** Lines as CSV, with the mark by which spreadsheets know UTF-8. */
export const csv = (events, names) => "\ufeff" + [COLUMNS, ...events.map((e) => line(e, names))].map((cells) => cells.map(cell).join(",")).join("\r\n") + "\r\n";

/** Offers the lines as a download. */
export function save(events, names) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv(events, names)], { type: "text/csv" }));
  link.download = `danmaku-${moment(Date.now()).replace(/[^\d]+/g, "-")}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}
