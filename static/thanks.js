// Whom to thank: a mark on every row of the lane, that stays in this browser, and how many are left.
import { t, el, set, exact } from "./page.js";

/** Marks kept for a room: more than a lane ever shows. */
const KEPT = 500;

export class Thanks {
  constructor(room, list, { left, only }) {
    Object.assign(this, { key: `blm_thanked_${room}`, list, left });
    this.marked = new Set(this.load());
    for (const item of list.children) this.decorate(item);
    this.count();
    new MutationObserver(() => this.count()).observe(list, { childList: true });
    only.closest("label").hidden = false;
    only.addEventListener("change", () => list.classList.toggle("only-left", only.checked));
  }

  /** Gives a row its button. */
  decorate(item) {
    const button = el("button", { class: "thank", type: "button" });
    const show = () => {
      const done = this.marked.has(item.dataset.id);
      item.classList.toggle("is-thanked", done);
      button.setAttribute("aria-pressed", String(done));
      set(button, t(done ? "thanked" : "thank"));
    };
    button.addEventListener("click", () => {
      const { id } = item.dataset;
      if (!this.marked.delete(id)) this.marked.add(id);
      this.save();
      show();
      this.count();
    });
    item.append(button);
    show();
    return item;
  }

  count() {
    const n = [...this.list.children].filter((item) => !item.classList.contains("is-thanked")).length;
    this.left.hidden = n === 0;
    set(this.left, exact(n));
  }

  load() {
    try { return JSON.parse(localStorage.getItem(this.key)) ?? []; } catch { return []; }
  }

  save() {
    while (this.marked.size > KEPT) this.marked.delete(this.marked.values().next().value);
    try { localStorage.setItem(this.key, JSON.stringify([...this.marked])); } catch { /* marks live as long as the page */ }
  }
}
