// Charts over the same time that move together: one crosshair, one zoom.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/** A drag shorter than this is a click. */
const DRAG_PX = 8;
const SLIDER = 1000;

/** What the charts of a page share. `box` holds the zoom's sliders, its text and its button. */
export class Linked {
  /** `whole` gives the whole range, `write` a range as text. */
  constructor(box, whole, write) {
    Object.assign(this, { box, whole, write, charts: new Set(), zoomed: null, hover: null, drag: null });
    this.plugin = {
      id: "linked",
      afterInit: (chart) => this.charts.add(chart),
      afterDestroy: (chart) => this.charts.delete(chart),
      afterEvent: (chart, { event }) => this.take(chart, event),
      afterDatasetsDraw: (chart) => this.draw(chart),
    };
    if (!box) return;
    box.hidden = false;
    [this.from, this.to] = ["from", "to"].map((end) => box.querySelector(`[data-zoom="${end}"]`));
    for (const slider of [this.from, this.to]) slider.addEventListener("input", () => this.slide(slider));
    this.button = box.querySelector("[data-zoom-reset]");
    this.button.addEventListener("click", () => this.zoom(null));
    this.show();
  }

  /** What is to be drawn: the part chosen, or all. */
  range() { return this.zoomed ?? this.whole(); }

  zoom(range) {
    this.zoomed = range;
    for (const chart of this.charts) {
      const [from, to] = this.range() ?? [];
      Object.assign(chart.options.scales.x, { min: from, max: to });
      chart.update("none");
    }
    this.show();
  }

  slide(slider) {
    const whole = this.whole();
    if (!whole) return;
    const at = (input) => whole[0] + ((whole[1] - whole[0]) * Number(input.value)) / SLIDER;
    // The ends never cross: the one that is moved stops before the other.
    if (Number(this.to.value) - Number(this.from.value) < SLIDER / 50) {
      slider.value = slider === this.from ? Number(this.to.value) - SLIDER / 50 : Number(this.from.value) + SLIDER / 50;
    }
    this.zoom(this.from.value === "0" && this.to.value === String(SLIDER) ? null : [at(this.from), at(this.to)]);
  }

  show() {
    const whole = this.whole();
    if (!this.box || !whole) return;
    const [from, to] = this.range();
    const place = (at) => String(Math.round(((at - whole[0]) / (whole[1] - whole[0])) * SLIDER));
    this.from.value = place(from);
    this.to.value = place(to);
    const text = this.write(from, to);
    for (const slider of [this.from, this.to]) slider.setAttribute("aria-valuetext", text);
    const label = this.box.querySelector("[data-zoom-text]");
    if (label.textContent !== text) label.textContent = text;
    this.button.disabled = !this.zoomed;
  }

  take(chart, event) {
    const { chartArea: area, scales: { x } } = chart;
    const inside = event.x >= area.left && event.x <= area.right && event.y >= area.top && event.y <= area.bottom;
    switch (event.type) {
      case "mousemove":
        this.hover = inside ? x.getValueForPixel(event.x) : null;
        this.point(chart);
        break;
      case "mouseout": this.hover = this.drag = null; this.point(chart); break;
      case "mousedown": if (inside) this.drag = { chart, x: event.x }; break;
      case "mouseup":
        if (this.drag?.chart === chart && Math.abs(event.x - this.drag.x) > DRAG_PX) {
          const ends = [this.drag.x, Math.min(Math.max(event.x, area.left), area.right)].sort((a, b) => a - b);
          this.zoom(ends.map((end) => x.getValueForPixel(end)));
        }
        this.drag = null;
        break;
      case "dblclick": this.zoom(null); break;
    }
  }

  /** The other charts show the same moment: the line, and what they say of it. */
  point(source) {
    for (const chart of this.charts) {
      if (chart !== source) {
        const active = this.hover === null ? [] : nearest(chart, this.hover);
        chart.tooltip?.setActiveElements(active, { x: 0, y: 0 });
        chart.setActiveElements(active);
      }
      chart.draw();
    }
  }

  draw(chart) {
    if (this.hover === null) return;
    const { ctx, chartArea: area, scales: { x } } = chart;
    const at = x.getPixelForValue(this.hover);
    if (at < area.left || at > area.right) return;
    ctx.save();
    if (this.drag?.chart === chart) {
      ctx.fillStyle = css("--blm-gap");
      ctx.fillRect(Math.min(at, this.drag.x), area.top, Math.abs(at - this.drag.x), area.bottom - area.top);
    }
    ctx.strokeStyle = css("--blm-dim");
    ctx.setLineDash([3, 3]);
    ctx.beginPath();
    ctx.moveTo(at, area.top);
    ctx.lineTo(at, area.bottom);
    ctx.stroke();
    ctx.restore();
  }
}

/** The points of each dataset that are nearest to a moment. */
function nearest(chart, at) {
  return chart.data.datasets.flatMap(({ data }, datasetIndex) => {
    let low = 0, high = data.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (data[middle].x < at) low = middle + 1; else high = middle;
    }
    if (low > 0 && data[low] && at - data[low - 1].x < data[low].x - at) low -= 1;
    return data[low] && data[low].y !== null && chart.isDatasetVisible(datasetIndex) ? [{ datasetIndex, index: low }] : [];
  });
}
