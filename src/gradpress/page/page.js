"use strict";
(() => {
  const STOPS = [3.125, 6.25, 12.5, 25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 3200, 6400];
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  document.documentElement.classList.add("script");

  /* One comparison. All its layers share one place and one zoom, so they are always linked. */
  class Viewer {
    constructor(root) {
      this.root = root;
      this.stage = root.querySelector("[data-stage]");
      this.divider = root.querySelector("[data-divider]");
      this.input = root.querySelector("[data-zoom]");
      this.status = root.querySelector("[data-status]");
      this.part = root.querySelector("[data-part]");
      this.tabs = all("[role=tab]", root);
      this.views = all("[data-view]", root);
      this.legends = all("[data-legend]", root);
      this.panel = root.querySelector("[role=tabpanel]");
      this.pointers = new Map();
      this.flicker = null; // null: both sides; else the side that is shown alone
      this.choosePart(0);
      this.chooseTab(this.tabs[0]);
      this.listen();
      new ResizeObserver(() => this.resized()).observe(this.stage);
    }

    listen() {
      this.tabs.forEach((tab) => tab.addEventListener("click", () => this.chooseTab(tab)));
      this.tabs.forEach((tab) => tab.addEventListener("keydown", (event) => this.tabKey(event)));
      if (this.part) this.part.addEventListener("change", () => this.choosePart(Number(this.part.value)));
      all("[data-action]", this.root).forEach((button) =>
        button.addEventListener("click", () => this.act(button.dataset.action)));
      this.input.addEventListener("change", () => this.typed());
      this.stage.addEventListener("keydown", (event) => this.key(event));
      this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
      this.stage.addEventListener("pointerdown", (event) => this.down(event));
      this.stage.addEventListener("pointermove", (event) => this.moved(event));
      for (const name of ["pointerup", "pointercancel"])
        this.stage.addEventListener(name, (event) => this.up(event));
      this.stage.addEventListener("dblclick", (event) => this.zoomAt(2 * this.zoom, this.place(event)));
    }

    /* What is shown */

    choosePart(number) {
      this.view = this.views[number];
      this.width = Number(this.view.dataset.width);
      this.height = Number(this.view.dataset.height);
      this.views.forEach((view) => view.classList.toggle("current", view === this.view));
      this.centre = [this.width / 2, this.height / 2];
      this.fitted = true;
      this.resized();
      this.say(this.view.querySelector(".part").textContent);
    }

    chooseTab(tab) {
      this.tab = tab;
      this.tabs.forEach((other) => {
        other.setAttribute("aria-selected", String(other === tab));
        other.tabIndex = other === tab ? 0 : -1;
      });
      this.panel.setAttribute("aria-labelledby", tab.id);
      this.legends.forEach((legend) => { legend.hidden = legend.dataset.legend !== tab.dataset.right; });
      this.at = Number(tab.dataset.at) / 100;
      this.flicker = null;
      this.render();
    }

    layer(side) {
      return this.view.querySelector(`[data-layer="${this.tab.dataset[side]}"]`);
    }

    /* Drawing: zoom is in pixels of the screen for one of the picture */

    resized() {
      const width = this.stage.clientWidth;
      if (!width) return;
      const high = Math.min(0.72 * window.innerHeight, 900);
      this.stage.style.height = `${Math.round(clamp(width * this.height / this.width, 220, high))}px`;
      if (this.fitted) this.zoom = this.fitting();
      this.render();
    }

    fitting() {
      const { clientWidth: width, clientHeight: height } = this.stage;
      const zoom = Math.min(width / this.width, height / this.height) * devicePixelRatio;
      return zoom >= 1 ? Math.floor(zoom) : zoom;
    }

    scale() { return this.zoom / devicePixelRatio; }

    render() {
      if (!this.zoom || !this.tab) return;
      const { clientWidth: width, clientHeight: height } = this.stage;
      const scale = this.scale();
      const snap = (value) => Math.round(value * devicePixelRatio) / devicePixelRatio;
      this.centre = [[this.width, width], [this.height, height]].map(([whole, seen], axis) => {
        const half = seen / scale / 2;
        return half >= whole / 2 ? whole / 2 : clamp(this.centre[axis], half, whole - half);
      });
      const x = snap(width / 2 - this.centre[0] * scale);
      const y = snap(height / 2 - this.centre[1] * scale);
      const at = this.flicker === "left" ? 1 : this.flicker === "right" ? 0 : this.at;
      const cut = at * width;
      const [left, right] = [this.layer("left"), this.layer("right")];
      all(".layer", this.view).forEach((layer) => {
        layer.classList.toggle("seen", layer === left || layer === right);
        const sheet = layer.firstElementChild;
        sheet.style.width = `${this.width}px`;
        sheet.style.height = `${this.height}px`;
        sheet.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
        layer.style.clipPath = layer === left ? `inset(0 ${width - cut}px 0 0)` : `inset(0 0 0 ${cut}px)`;
      });
      this.stage.classList.toggle("crisp", this.zoom >= 1.5);
      this.divider.style.left = `${clamp(cut, 14, width - 14)}px`;
      this.divider.style.visibility = this.flicker ? "hidden" : "visible";
      this.sides(left, right, at);
      this.input.value = String(Math.round(this.zoom * 1000) / 10);
    }

    sides(left, right, at) {
      for (const [side, layer, gone] of [["left", left, at < 0.04], ["right", right, at > 0.96]]) {
        const label = this.root.querySelector(`[data-side="${side}"]`);
        label.textContent = `${layer.dataset.title} · ${layer.querySelector(".said").lastElementChild.textContent.trim()}`;
        label.classList.toggle("gone", gone);
      }
      const percent = Math.round(100 * this.at);
      this.divider.setAttribute("aria-valuenow", String(percent));
      this.divider.setAttribute("aria-valuetext",
        `${percent} %: ${left.dataset.title} on the left, ${right.dataset.title} on the right`);
      this.divider.setAttribute("aria-label", `Divider between ${left.dataset.title} and ${right.dataset.title}`);
      all('[data-action="flicker"]', this.root).forEach((button) =>
        button.setAttribute("aria-pressed", String(this.flicker !== null)));
    }

    say(text) { this.status.textContent = text; }

    /* Actions */

    act(action) {
      if (action === "in") this.stepZoom(1);
      if (action === "out") this.stepZoom(-1);
      if (action === "actual") this.zoomAt(1);
      if (action === "fit") this.fit();
      if (action === "flicker") this.flick();
    }

    flick() {
      this.flicker = this.flicker === "left" ? "right" : "left";
      this.render();
      this.say(`${this.layer(this.flicker).dataset.title} alone`);
    }

    divide(at) {
      this.flicker = null;
      this.at = clamp(at, 0, 1);
      this.render();
    }

    fit() {
      this.fitted = true;
      this.centre = [this.width / 2, this.height / 2];
      this.zoom = this.fitting();
      this.render();
      this.sayZoom();
    }

    stepZoom(direction) {
      const now = 100 * this.zoom;
      const next = direction > 0
        ? STOPS.find((stop) => stop > now * 1.01)
        : STOPS.findLast((stop) => stop < now * 0.99);
      if (next) this.zoomAt(next / 100);
    }

    typed() {
      const percent = Number.parseFloat(this.input.value);
      if (percent > 0) this.zoomAt(percent / 100);
      else this.render();
    }

    /* Zoom so that the point under ``place`` (from the stage's middle) stays where it is. */
    zoomAt(zoom, place = [0, 0]) {
      const before = this.scale();
      this.zoom = clamp(zoom, 0.01, 64);
      this.fitted = false;
      this.centre = this.centre.map((value, axis) => value + place[axis] * (1 / before - 1 / this.scale()));
      this.render();
      this.sayZoom();
    }

    sayZoom() { this.say(`Zoom ${Math.round(100 * this.zoom)} %`); }

    pan(x, y) {
      this.centre = [this.centre[0] - x / this.scale(), this.centre[1] - y / this.scale()];
      this.render();
    }

    /* Keys */

    tabKey(event) {
      const moves = { ArrowLeft: -1, ArrowRight: 1 };
      if (!(event.key in moves)) return;
      const next = (this.tabs.indexOf(this.tab) + moves[event.key] + this.tabs.length) % this.tabs.length;
      this.chooseTab(this.tabs[next]);
      this.tabs[next].focus();
      event.preventDefault();
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const jumps = { PageUp: this.at + 0.1, PageDown: this.at - 0.1, Home: 0, End: 1 };
      const arrow = arrows[event.key];
      if (arrow && event.shiftKey) this.pan(-48 * arrow[0], -48 * arrow[1]);
      else if (arrow) this.divide(this.at + 0.01 * (arrow[0] - arrow[1]));
      else if (event.key in jumps) this.divide(jumps[event.key]);
      else if (event.key === "+" || event.key === "=") this.stepZoom(1);
      else if (event.key === "-" || event.key === "_") this.stepZoom(-1);
      else if (event.key === "0") this.fit();
      else if (event.key === "1") this.zoomAt(1);
      else if (event.key === " ") { if (!event.repeat) this.flick(); }
      else if (event.key === "Escape" && this.flicker) this.divide(this.at);
      else return;
      event.preventDefault();
    }

    /* Mouse and fingers */

    place(event) {
      const box = this.stage.getBoundingClientRect();
      return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
    }

    wheel(event) {
      if (!event.ctrlKey && !this.stage.contains(document.activeElement)) return;
      event.preventDefault();
      this.zoomAt(this.zoom * 2 ** (-clamp(event.deltaY, -120, 120) / 240), this.place(event));
    }

    down(event) {
      if (event.button) return;
      const divider = this.divider.contains(event.target);
      (divider ? this.divider : this.stage).focus({ preventScroll: true, focusVisible: false });
      this.stage.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, { at: this.place(event), divider });
      this.stage.classList.add("dragged");
      event.preventDefault();
    }

    moved(event) {
      const pointer = this.pointers.get(event.pointerId);
      if (!pointer) return;
      const before = [...this.pointers.values()].map((each) => each.at);
      const was = pointer.at;
      pointer.at = this.place(event);
      if (pointer.divider) this.divide(pointer.at[0] / this.stage.clientWidth + 0.5);
      else if (this.pointers.size === 2) this.pinch(before, [...this.pointers.values()].map((each) => each.at));
      else this.pan(pointer.at[0] - was[0], pointer.at[1] - was[1]);
    }

    pinch(before, after) {
      const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
      const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
      const [from, to] = [middle(before), middle(after)];
      this.pan(to[0] - from[0], to[1] - from[1]);
      this.zoomAt(this.zoom * apart(after) / apart(before), to);
    }

    up(event) {
      this.pointers.delete(event.pointerId);
      if (!this.pointers.size) this.stage.classList.remove("dragged");
    }
  }

  /* The table of all pictures sorts by its heads. */
  function sortable(table) {
    const heads = all("thead th", table);
    const body = table.tBodies[0];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const value = (row) => {
        const cell = row.cells[column];
        return cell.classList.contains("number") ? Number(cell.dataset.value ?? "Infinity") : cell.textContent;
      };
      const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b)) * (rising ? 1 : -1);
      [...body.rows].sort((a, b) => compare(value(a), value(b))).forEach((row) => body.append(row));
    }));
  }

  function copied(button) {
    const code = button.parentElement.querySelector("code");
    const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
    const select = () => { getSelection().selectAllChildren(code); };
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, select);
    else select();
  }

  function opened() {
    const section = location.hash && document.getElementById(location.hash.slice(1));
    if (section && section.tagName === "DETAILS") {
      section.open = true;
      section.scrollIntoView();
    }
  }

  all("[data-viewer]").forEach((root) => new Viewer(root));
  all("[data-sortable]").forEach(sortable);
  all("[data-copy]").forEach((button) => button.addEventListener("click", () => copied(button)));
  all("[data-all]").forEach((button) => button.addEventListener("click", () =>
    all("details.picture").forEach((section) => { section.open = button.dataset.all === "open"; })));
  addEventListener("hashchange", opened);
  addEventListener("beforeprint", () => all("details.picture").forEach((section) => { section.open = true; }));
  opened();
})();
