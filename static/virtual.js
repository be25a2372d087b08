// A list of thousands of rows of which only those in sight exist. Rows may be of any height: one that was drawn is
// measured, the others are guessed; spacers above and below stand for them.

/** Rows drawn beyond either edge, so that a quick scroll meets no blank. */
const BEYOND = 12;

export class VirtualList {
  /** `draw` makes a row of an item; items have an `id` of their own. The list scrolls by itself. */
  constructor(list, draw, guess = 34) {
    Object.assign(this, { list, draw, guess, items: [], heights: new Map(), drawn: new Map(), tops: [0], scheduled: false });
    [this.before, this.after] = [0, 1].map(() => {
      const spacer = document.createElement("li");
      spacer.className = "spacer";
      spacer.ariaHidden = "true";
      return spacer;
    });
    list.replaceChildren(this.before, this.after);
    list.addEventListener("scroll", () => this.schedule(), { passive: true });
    new ResizeObserver(() => { this.heights.clear(); this.place(); this.schedule(); }).observe(list);
  }

  get length() { return this.items.length; }

  /** True while the newest rows are in sight. */
  get atTop() { return this.list.scrollTop < this.guess; }

  /** These items and no others, drawn anew. */
  set(items) {
    this.items = items;
    for (const row of this.drawn.values()) row.remove();
    this.drawn.clear();
    this.changed();
  }

  prepend(items, kept) {
    this.items = items.concat(this.items);
    for (const gone of this.items.splice(kept)) this.heights.delete(gone.id);
    this.changed();
  }

  append(items) {
    this.items = this.items.concat(items);
    this.changed();
  }

  changed() { this.place(); this.schedule(); }

  /** Where each row begins. */
  place() {
    const tops = new Float64Array(this.items.length + 1);
    for (let n = 0; n < this.items.length; n += 1) tops[n + 1] = tops[n] + (this.heights.get(this.items[n].id) ?? this.guess);
    this.tops = tops;
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => { this.scheduled = false; this.render(); });
  }

  /** The row that stands at so many pixels. */
  rowAt(px) {
    let low = 0, high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle + 1] <= px) low = middle + 1; else high = middle;
    }
    return low;
  }

  render() {
    const top = this.list.scrollTop;
    const first = Math.max(0, this.rowAt(top) - BEYOND);
    const last = Math.min(this.items.length, this.rowAt(top + this.list.clientHeight) + 1 + BEYOND);
    const wanted = new Map();
    let next = this.before.nextSibling;
    for (const item of this.items.slice(first, last)) {
      const row = this.drawn.get(item.id) ?? this.draw(item);
      wanted.set(item.id, row);
      // Rows that stand in their place already are not touched: what is marked or focused there stays so.
      if (row === next) next = next.nextSibling; else this.list.insertBefore(row, next);
    }
    while (next !== this.after) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
    this.drawn = wanted;
    this.space(first, last);
    this.measure(first, last);
  }

  space(first, last) {
    this.before.style.height = `${this.tops[first]}px`;
    this.after.style.height = `${this.tops[this.items.length] - this.tops[last]}px`;
  }

  measure(first, last) {
    let differs = false, above = 0;
    const edge = this.list.scrollTop;
    for (let n = first; n < last; n += 1) {
      const { id } = this.items[n];
      const height = this.drawn.get(id).getBoundingClientRect().height;
      const believed = this.heights.get(id) ?? this.guess;
      if (Math.abs(height - believed) < 0.5) continue;
      this.heights.set(id, height);
      differs = true;
      if (this.tops[n] + believed <= edge) above += height - believed;
    }
    if (!differs) return;
    this.place();
    this.space(first, last);
    // What is in sight stays where it is when rows above turn out taller.
    if (above) this.list.scrollTop = edge + above;
  }
}
