// What of the loaded lines is shown, and which words are lit. The choice stands in the address, so it can be shared.
import { split } from "./marks.js";

const NAMES = ["price", "user", "badge", "masked", "words"];
/** "Paid" is anything above nothing. */
const PAID = 1;
const TYPING_MS = 150;

export class Facets {
  /** `box` holds the inputs; `changed` is told when something else is wanted. */
  constructor(box, changed) {
    this.box = box;
    box.hidden = false;
    const address = new URL(location.href);
    for (const name of NAMES) if (this.input(name) && address.searchParams.has(name)) this.input(name).value = address.searchParams.get(name);
    this.read();
    let typing = 0;
    box.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => { this.read(); this.write(); changed(); }, TYPING_MS);
    });
  }

  input(name) { return this.box.querySelector(`[name="${name}"]`); }

  read() {
    const value = (name) => this.input(name)?.value.trim() ?? "";
    const price = Number(value("price")) || 0;
    Object.assign(this, { least: price === PAID ? 1 : price * 1000, user: value("user").toLowerCase(), badge: value("badge").toLowerCase(), masked: value("masked"), words: split(value("words")) });
    this.lit = this.words.map((word) => word.toLowerCase());
  }

  /** Writes the choice into the address. */
  write() {
    const address = new URL(location.href);
    for (const name of NAMES) {
      const value = this.input(name)?.value.trim();
      if (value && value !== "0") address.searchParams.set(name, value); else address.searchParams.delete(name);
    }
    history.replaceState(null, "", address);
  }

  /** True when some lines may be hidden. */
  get active() { return this.least > 0 || !!(this.user || this.badge || this.masked); }

  match(e) {
    if (this.least && !((e.paid_gold ?? 0) >= this.least)) return false;
    if (this.user && !String(e.username).toLowerCase().includes(this.user) && String(e.uid) !== this.user) return false;
    if (this.badge && !String(e.medal_name ?? "").toLowerCase().includes(this.badge)) return false;
    return !this.masked || e.masked === (this.masked === "yes");
  }

  /** Whether one of the words stands in the line. */
  lights(e) {
    const text = `${e.message ?? ""} ${e.gift_name ?? ""} ${e.username ?? ""}`.toLowerCase();
    return this.lit.some((word) => text.includes(word));
  }
}
