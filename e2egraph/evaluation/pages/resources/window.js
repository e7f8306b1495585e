"use strict";
// The η–φ window of a jet: axes, zoom and colours, shared by the display of points and that of the image.
const JetWindow = (() => {
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const SIDE = 420, LEFT = 58, TOP = 8, RIGHT = 10, BOTTOM = 44;

  function element(name, attributes, text) {
    const node = document.createElementNS(NAMESPACE, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function ticks(low, high) {
    const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].find((one) => (high - low) / one <= 6) || 2;
    const places = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9; n++) places.push(n * step);
    return { places, digits: step < 0.1 ? 2 : 1 };
  }

  // A colour between the given ones, [r, g, b] each, for t from 0 to 1.
  function between(colours, t) {
    const place = Math.min(Math.max(t, 0), 1) * (colours.length - 1);
    const first = Math.min(Math.floor(place), colours.length - 2), share = place - first;
    return colours[first].map((one, i) => Math.round(one + share * (colours[first + 1][i] - one)));
  }
  const SEQUENTIAL = [[222, 235, 247], [107, 174, 214], [33, 113, 181], [8, 48, 107]];
  const DIVERGING = [[33, 78, 160], [120, 160, 210], [205, 205, 205], [225, 130, 110], [178, 24, 43]];
  const css = (colour) => `rgb(${colour.join(",")})`;

  class View {
    // What of the window is seen: centre and half widths, the same for all panels.
    constructor(half, axes) {
      this.half = half;
      this.axes = axes;
      this.listeners = [];
      this.set([0, 0], 1);
    }
    set(centre, zoom) {
      this.zoom = Math.min(Math.max(zoom, 1), 16);
      const room = this.half.map((one) => one * (1 - 1 / this.zoom));
      this.centre = centre.map((one, i) => Math.min(Math.max(one, -room[i]), room[i]));
      this.listeners.forEach((listener) => listener());
    }
    get low() { return this.centre.map((one, i) => one - this.half[i] / this.zoom); }
    get high() { return this.centre.map((one, i) => one + this.half[i] / this.zoom); }
    get size() { return SIDE; }
    x(eta) { return ((eta - this.low[0]) / (this.high[0] - this.low[0])) * SIDE; }
    y(phi) { return (1 - (phi - this.low[1]) / (this.high[1] - this.low[1])) * SIDE; }
    at(x, y) {
      return [this.low[0] + (x / SIDE) * (this.high[0] - this.low[0]),
        this.low[1] + (1 - y / SIDE) * (this.high[1] - this.low[1])];
    }
    zoomAt(point, factor) {
      const zoom = Math.min(Math.max(this.zoom * factor, 1), 16), share = this.zoom / zoom;
      this.set(this.centre.map((one, i) => point[i] + (one - point[i]) * share), zoom);
    }
    move(eta, phi) { this.set([this.centre[0] + eta, this.centre[1] + phi], this.zoom); }
  }

  class Panel {
    // An SVG with axes; what is drawn goes into "content", clipped to the frame, in coordinates of View.x and View.y.
    constructor(svg, view) {
      this.svg = svg;
      this.view = view;
      svg.setAttribute("viewBox", `0 0 ${LEFT + SIDE + RIGHT} ${TOP + SIDE + BOTTOM}`);
      this.axes = element("g", { class: "axes" });
      this.content = element("svg", { x: LEFT, y: TOP, width: SIDE, height: SIDE, class: "content" });
      svg.append(this.content, this.axes);
      this.listen();
    }
    drawAxes() {
      const { view } = this, parts = [];
      parts.push(element("rect", { x: LEFT, y: TOP, width: SIDE, height: SIDE, class: "frame" }));
      const eta = ticks(view.low[0], view.high[0]), phi = ticks(view.low[1], view.high[1]);
      for (const place of eta.places) {
        const x = LEFT + view.x(place);
        parts.push(element("line", { x1: x, x2: x, y1: TOP + SIDE, y2: TOP + SIDE - 6 }));
        parts.push(element("text", { x, y: TOP + SIDE + 16, "text-anchor": "middle" }, place.toFixed(eta.digits)));
      }
      for (const place of phi.places) {
        const y = TOP + view.y(place);
        parts.push(element("line", { x1: LEFT, x2: LEFT + 6, y1: y, y2: y }));
        parts.push(element("text", { x: LEFT - 5, y: y + 4, "text-anchor": "end" }, place.toFixed(phi.digits)));
      }
      parts.push(element("text", { x: LEFT + SIDE, y: TOP + SIDE + 36, "text-anchor": "end", class: "title" }, view.axes[0]));
      parts.push(element("text", { x: 6, y: TOP + 12, class: "title" }, view.axes[1]));
      this.axes.replaceChildren(...parts);
    }
    point(event) {
      const box = this.svg.getBoundingClientRect(), scale = (LEFT + SIDE + RIGHT) / box.width;
      return this.view.at((event.clientX - box.left) * scale - LEFT, (event.clientY - box.top) * scale - TOP);
    }
    listen() {
      const { svg, view } = this;
      let from = null;
      svg.addEventListener("wheel", (event) => {
        // The wheel scrolls the page until the display is chosen by a click or by the keyboard.
        if (!event.ctrlKey && document.activeElement !== svg) return;
        event.preventDefault();
        view.zoomAt(this.point(event), event.deltaY < 0 ? 1.25 : 0.8);
      }, { passive: false });
      svg.addEventListener("dblclick", (event) => view.zoomAt(this.point(event), 2));
      svg.addEventListener("pointerdown", (event) => {
        from = this.point(event);
        svg.setPointerCapture(event.pointerId);
      });
      svg.addEventListener("pointermove", (event) => {
        if (from === null) return;
        const to = this.point(event);
        view.move(from[0] - to[0], from[1] - to[1]);
      });
      for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => { from = null; });
      svg.addEventListener("keydown", (event) => {
        const step = (2 * view.half[0]) / view.zoom / 10;
        const actions = {
          "+": () => view.zoomAt(view.centre, 1.25), "-": () => view.zoomAt(view.centre, 0.8),
          "0": () => view.set([0, 0], 1),
          ArrowLeft: () => view.move(-step, 0), ArrowRight: () => view.move(step, 0),
          ArrowUp: () => view.move(0, step), ArrowDown: () => view.move(0, -step),
        };
        if (!(event.key in actions)) return;
        event.preventDefault();
        actions[event.key]();
      });
    }
  }

  return { element, between, css, SEQUENTIAL, DIVERGING, View, Panel };
})();
