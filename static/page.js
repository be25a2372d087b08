// What every page has: words, numbers as people read them, the theme button, pictures that do not load.
const words = JSON.parse(document.getElementById("words").textContent);
export const lang = document.documentElement.lang;

/** Further words, of one page only. */
export const learn = (more) => Object.assign(words, more);

/** The words of a key, with values in their slots. */
export function t(key, slots = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in slots ? String(slots[name]) : whole));
}

/** An address of this site, wherever it is mounted. */
export const at = (path) => (document.body.dataset.base ?? "") + path;

/** An element with properties and children; text only ever becomes text. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export const exact = (n) => Math.trunc(n).toLocaleString("en-US");

/** 1.2万, 3.45亿; 12.3K, 4.56M in English. Cut off, not rounded, as on the server. */
export function compact(n) {
  const size = Math.abs(n);
  if (size < 1e4) return exact(n);
  const chinese = lang.startsWith("zh");
  const units = chinese ? [[1e8, "亿"], [1e4, "万"]] : [[1e9, "B"], [1e6, "M"], [1e3, "K"]];
  const [unit, name] = units.find(([unit]) => size >= unit);
  const value = Math.trunc((n / unit) * 100) / 100;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) < 10 ? 2 : 1;
  const scale = 10 ** digits;
  return (Math.trunc(value * scale) / scale).toFixed(digits) + name;
}

export const yuan = (gold) => "¥" + (Math.round(gold / 10) / 100).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

const china = (options) => new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai", ...options });
const hms = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const clockForm = china(hms);
const momentForm = china({ year: "numeric", month: "2-digit", day: "2-digit", ...hms });
const hmForm = china({ hour: "2-digit", minute: "2-digit" });
const dayForm = china({ month: "2-digit", day: "2-digit" });
export const clock = (ms) => (ms > 0 ? clockForm.format(ms) : "–");
export const moment = (ms) => (ms > 0 ? momentForm.format(ms) : "–");
export const hourMinute = (ms) => hmForm.format(ms);
/** 11-25, as in the moments of the pages; the form's own way of writing it is another one. */
export const monthDay = (ms) => { const parts = Object.fromEntries(dayForm.formatToParts(ms).map(({ type, value }) => [type, value])); return `${parts.month}-${parts.day}`; };

export function lasting(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"], [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"]];
  let first = parts.findIndex(([n]) => n > 0);
  if (first < 0) first = 3;
  return parts.slice(first, first + 2).filter(([n]) => n > 0 || first === 3).map(([n, unit]) => `${n} ${t("unit-" + unit)}`).join(" ");
}

export function bytes(n) {
  let size = n;
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (size < 1024) return unit === "B" ? `${n} B` : `${size.toFixed(1)} ${unit}`;
    size /= 1024;
  }
  return `${size.toFixed(1)} TB`;
}

/** The address of a picture that may be loaded, or nothing. The policy of the page has the last word. */
export function picture(address) {
  if (typeof address !== "string") return "";
  if (address.startsWith("//")) return "https:" + address;
  if (address.startsWith("https://")) return address;
  if (!address.startsWith("http://")) return "";
  const upstream = document.body.dataset.pictures;
  return upstream && address.startsWith(upstream + "/") ? address : "https:" + address.slice(5);
}

/** Sets text only when it changed, so that nothing is painted for nothing. */
export function set(element, text, title) {
  if (!element) return;
  if (element.textContent !== text) element.textContent = text;
  if (title !== undefined && element.title !== title) element.title = title;
}

/** A share as the server writes it: cut off, not rounded, so that only all is 100%. */
export const percent = (share) => (typeof share !== "number" ? "–" : share >= 1 ? "100%" : (Math.floor(share * 1000) / 10).toFixed(1) + "%");

export const setCount = (element, n) => set(element, compact(n), exact(n));

// A picture that does not load gives way to what is behind it. Errors do not bubble, so they are caught on the way down.
document.addEventListener("error", (event) => { if (event.target instanceof HTMLImageElement) event.target.hidden = true; }, true);
for (const image of document.images) if (image.complete && image.currentSrc && image.naturalWidth === 0) image.hidden = true;

const button = document.getElementById("theme");
if (button && window.blmTheme) {
  const name = () => {
    const dark = document.documentElement.dataset.bsTheme === "dark";
    button.title = dark ? t("theme-to-light") : t("theme-to-dark");
    button.setAttribute("aria-label", button.title);
    const use = button.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, dark ? "#sun" : "#moon"));
  };
  button.hidden = false;
  button.addEventListener("click", () => { window.blmTheme.toggle(); name(); });
  name();
}

// The other language, on this very page as it is when it is asked for: what is chosen on it stands in its address.
const other = document.querySelector("[data-lang]");
if (other) {
  const aim = () => {
    const address = new URL(location.href);
    address.searchParams.set("lang", other.hreflang);
    other.href = address.pathname + address.search;
  };
  for (const way of ["pointerenter", "focus", "click"]) other.addEventListener(way, aim);
  aim();
}

// Only one explanation is open at a time, and a click elsewhere closes it.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.why[open], details.remove[open], details.menu[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const open of document.querySelectorAll("details.why[open], details.remove[open], details.menu[open]")) open.open = false;
});
