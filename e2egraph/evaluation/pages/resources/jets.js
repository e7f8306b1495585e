"use strict";
// The interactive display of jets: points by channel, one plane of the image, figures of the jet, effects of channels.
(() => {
  const { element, between, css, SEQUENTIAL, DIVERGING, View, Panel } = JetWindow;
  const data = JSON.parse(document.getElementById("report-data").textContent).jets;
  const root = document.getElementById("jets");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);

  // One colour a detector, hits of several layers told apart by lightness.
  const COLOURS = {
    TRACK: "#d11f30", BPIX1: "#5c13ad", BPIX2: "#7a21dd", BPIX3: "#a566ea", BPIX4: "#c79cf3",
    TIB1: "#5f5f66", TIB2: "#7f7f86", TOB1: "#9c9ca1", TOB2: "#b9b9bd", ECAL: "#3f7be8", HCAL: "#f08a00",
  };
  const NAMES = { TRACK: "tracks", ECAL: "ECAL crystals", HCAL: "HCAL towers" };
  const ORDER = ["HCAL", "ECAL", "TOB2", "TOB1", "TIB2", "TIB1", "BPIX4", "BPIX3", "BPIX2", "BPIX1", "TRACK"];
  const AREA_PER_GEV = 4, HIT_AREA = 5, SMALLEST_AREA = 3, LARGEST_AREA = 500;

  const view = new View(data.half, data.axes);
  const points = new Panel(find("points"), view), image = new Panel(find("image"), view);
  // Without a network there are no effects to show.
  const explained = data.effect !== null;
  find("colour").closest("label").hidden = find("effects").parentElement.hidden = !explained;
  const hidden = new Set();
  let shown = 0;
  const name = data.object;  // what one of them is called
  const jet = () => data.jets[shown];
  const channelOf = (nodes, i) => data.channels[nodes.channel[i]];
  const isHit = (channel) => !(channel in NAMES);
  const signed = (value, digits = 2) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
  const largest = (values) => values.reduce((most, one) => Math.max(most, Math.abs(one || 0)), 0);

  function html(name, text, attributes = {}) {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  }

  // The list of jets, one group a line; arrow keys go from jet to jet.
  const buttons = [];
  for (const group of [...new Set(data.jets.map((one) => one.group))]) {
    const line = html("div", undefined, { role: "group", "aria-label": `${group} ${name}s` });
    line.append(html("span", group, { class: "group" }));
    data.jets.forEach((one, place) => {
      if (one.group !== group) return;
      const button = html("button", one.headline, { type: "button" });
      if (one.strong) button.classList.add("signal");
      button.addEventListener("click", () => show(place));
      buttons[place] = button;
      line.append(button);
    });
    find("list").append(line);
  }
  find("list").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show((shown + step + data.jets.length) % data.jets.length);
    buttons[shown].focus();
  });
  find("previous").addEventListener("click", () => show((shown - 1 + data.jets.length) % data.jets.length));
  find("next").addEventListener("click", () => show((shown + 1) % data.jets.length));

  // Channels that any jet has.
  const present = new Set(data.jets.flatMap((one) => one.nodes.channel.map((number) => data.channels[number])));
  const counts = {};
  for (const channel of data.channels.filter((one) => present.has(one))) {
    const label = html("label"), box = html("input", undefined, { type: "checkbox", value: channel });
    box.checked = true;
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(channel); else hidden.add(channel);
      drawPoints();
    });
    const swatch = element("svg", { width: 12, height: 12, viewBox: "-6 -6 12 12", "aria-hidden": "true" });
    swatch.append(marker(channel, 0, 0, 60, COLOURS[channel]));
    counts[channel] = html("span", "", { class: "count" });
    label.append(box, swatch, ` ${NAMES[channel] || channel + " hits"} `, counts[channel]);
    find("channels").append(label);
  }
  data.planes.forEach((plane, place) => find("plane").append(html("option", plane.title, { value: place })));
  // Crystals fill more of an image than any other layer of single pixels: its first sight.
  find("plane").value = String(Math.max(data.planes.findIndex((plane) => plane.name === "ECAL"), 0));

  function marker(channel, x, y, area, colour) {
    if (channel === "TRACK") {
      const r = Math.sqrt(area) / 2;
      return element("path", {
        d: `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`, stroke: colour, "stroke-width": 1.6,
      });
    }
    if (channel === "HCAL") {
      const side = Math.sqrt(area);
      return element("rect", { x: x - side / 2, y: y - side / 2, width: side, height: side, fill: colour });
    }
    return element("circle", { cx: x, cy: y, r: Math.sqrt(area / Math.PI), fill: colour });
  }

  function areaOf(channel, value) {
    if (isHit(channel)) return HIT_AREA * view.zoom;
    const scale = Number(find("scale").value);
    const area = find("sized").checked ? AREA_PER_GEV * Math.abs(value || 0) * scale : 30 * scale;
    return Math.min(Math.max(area, SMALLEST_AREA), LARGEST_AREA) * Math.sqrt(view.zoom);
  }

  const effectColour = (effect, most) =>
    css(between(DIVERGING, most > 0 ? 0.5 + 0.5 * Math.sign(effect) * Math.sqrt(Math.abs(effect) / most) : 0.5));

  // An impact parameter as the task's nodes have it: its significance, or itself, or neither.
  function impactOf(nodes, i, name) {
    const significance = nodes[`${name}_sig`], length = nodes[name];
    if (significance) return `, ${name} ${significance[i]}σ`;
    return length ? `, ${name} ${length[i]} cm` : "";
  }

  function tooltip(nodes, i, channel) {
    const unit = isHit(channel) || !nodes.value ? "" : ` ${nodes.value[i]} GeV`;
    const impact = channel === "TRACK" ? impactOf(nodes, i, "d0") + impactOf(nodes, i, "dz") : "";
    const place = `${data.axes[0]} ${nodes.deta[i]}, ${data.axes[1]} ${nodes.dphi[i]}`;
    return `${channel}${unit}${impact}; ${place}` + (explained ? `; effect ${signed(nodes.effect[i] || 0, 3)}` : "");
  }

  function drawPoints() {
    const { nodes } = jet(), parts = [], byEffect = find("colour").value === "effect";
    const most = largest(nodes.effect);
    for (const channel of ORDER) {
      if (hidden.has(channel)) continue;
      for (let i = 0; i < nodes.deta.length; i++) {
        if (channelOf(nodes, i) !== channel) continue;
        const colour = byEffect ? effectColour(nodes.effect[i] || 0, most) : COLOURS[channel];
        const node = marker(channel, view.x(nodes.deta[i]), view.y(nodes.dphi[i]), areaOf(channel, nodes.value && nodes.value[i]), colour);
        node.classList.add("node");
        node.dataset.channel = channel;
        node.append(element("title", {}, tooltip(nodes, i, channel)));
        parts.push(node);
      }
    }
    if (nodes.deta.length === 0) parts.push(element("text", { x: 20, y: 30 }, `This ${name} has no nodes.`));
    points.content.replaceChildren(...parts);
    points.drawAxes();
    points.svg.setAttribute("aria-label", `Points of the ${name}: ${parts.length} nodes drawn in ${data.axes.join(" and ")}`);
    const scale = (t) => between(DIVERGING, t);
    drawScale(find("points-scale"), byEffect ? scale : null, `−${most.toFixed(2)}`, `+${most.toFixed(2)}`, `${data.effect} (√ scale)`);
  }

  function imageColour(plane, values) {
    const most = largest(values), positive = values.filter((value) => value > 0);
    if (plane.signed) {
      // Linear for the many, logarithmic for outliers: impact parameters have long tails.
      const sizes = values.map(Math.abs).sort((one, other) => one - other);
      const usual = sizes[Math.floor(sizes.length / 2)] || 1, range = Math.asinh(most / usual) || 1;
      return { most, low: -most, of: (v) => between(DIVERGING, 0.5 + (0.5 * Math.asinh(v / usual)) / range) };
    }
    const low = positive.reduce((least, one) => Math.min(least, one), most);
    const range = Math.log(most / low) || 1;
    return { most, low, of: (v) => between(SEQUENTIAL, v > 0 ? Math.log(v / low) / range : 0) };
  }

  let drawnImage = null;
  function paint() {
    const place = Number(find("plane").value), plane = data.planes[place];
    const [steps, values] = jet().image[place], size = data.pixels;
    const canvas = html("canvas");
    canvas.width = canvas.height = size;
    const context = canvas.getContext("2d"), pixels = context.createImageData(size, size);
    const colour = imageColour(plane, values);
    let flat = 0;
    steps.forEach((step, i) => {
      flat += step;
      // Rows run along η and are drawn along x; φ rises upwards.
      const x = Math.floor(flat / size), y = size - 1 - (flat % size);
      pixels.data.set([...colour.of(values[i] || 0), 255], 4 * (y * size + x));
    });
    context.putImageData(pixels, 0, 0);
    drawnImage = element("image", { href: canvas.toDataURL(), preserveAspectRatio: "none", class: "pixels" });
    const share = (100 * values.length) / (size * size);
    image.svg.setAttribute("aria-label", `Image of the ${name}, plane ${plane.title}: ${values.length} pixels not zero`);
    find("image-note").textContent = values.length === 0
      ? `${plane.title}: no pixel of this ${name} is filled.`
      : `${plane.title}: ${values.length} of ${size}×${size} pixels filled (${share.toFixed(1)}%).`;
    const shown = (value) => (value < 0 ? "−" : "") + Number(Math.abs(value).toPrecision(3));
    const scale = (t) => between(plane.signed ? DIVERGING : SEQUENTIAL, t);
    drawScale(find("image-scale"), values.length ? scale : null, shown(colour.low), shown(colour.most),
      `${plane.unit} (${plane.signed ? "asinh" : "log"} scale)`.trim());
  }

  function drawImage() {
    const [left, bottom] = data.half.map((one) => -one);
    for (const [key, value] of Object.entries({
      x: view.x(left), y: view.y(-bottom), width: view.size * view.zoom, height: view.size * view.zoom,
    })) drawnImage.setAttribute(key, value);
    image.content.replaceChildren(drawnImage);
    image.drawAxes();
  }

  function drawScale(svg, colour, low, high, unit) {
    const parts = [], width = 126;
    if (colour !== null) {
      for (let i = 0; i < width; i += 3) {
        parts.push(element("rect", { x: 60 + i, y: 2, width: 3.4, height: 12, fill: css(colour(i / (width - 3))) }));
      }
      parts.push(element("text", { x: 54, y: 13, "text-anchor": "end" }, low));
      parts.push(element("text", { x: 66 + width, y: 13 }, `${high} ${unit}`));
    }
    svg.replaceChildren(...parts);
  }

  function drawFacts() {
    const one = jet(), rows = [];
    const line = (name, value) => {
      const row = html("tr");
      row.append(html("th", name, { scope: "row" }), html("td", value));
      rows.push(row);
    };
    one.outputs.forEach(([name, text]) => line(name, text));
    line("nodes", String(one.nodes.deta.length));
    for (const [name, text] of one.quantities) line(name, text === null ? "not in the data set" : text);
    line("run : lumi : event", ["run", "lumi", "event"].map((key) => one.identity[key]).join(" : "));
    if (name !== "event") line(`${name} of the event`, String(one.identity.jet));
    find("facts").tBodies[0].replaceChildren(...rows);
  }

  function drawEffects() {
    if (!explained) return;
    const effects = jet().channel_effect, most = largest(effects) || 1, parts = [];
    const channels = data.channels.filter((one) => present.has(one));
    const middle = 250, half = 110, pitch = 22;
    const svg = find("effects");
    svg.setAttribute("viewBox", `0 0 440 ${channels.length * pitch + 6}`);
    channels.forEach((channel, place) => {
      const effect = effects[data.channels.indexOf(channel)] || 0, width = (Math.abs(effect) / most) * half;
      const y = place * pitch + 4;
      parts.push(element("text", { x: 4, y: y + 13 }, NAMES[channel] || `${channel} hits`));
      parts.push(element("rect", {
        x: effect < 0 ? middle - width : middle, y, width, height: pitch - 6,
        fill: css(DIVERGING[effect < 0 ? 0 : DIVERGING.length - 1]),
      }));
      parts.push(element("text", { x: 436, y: y + 13, "text-anchor": "end" }, signed(effect)));
    });
    parts.push(element("line", { x1: middle, x2: middle, y1: 0, y2: channels.length * pitch + 4, stroke: "#444" }));
    svg.replaceChildren(...parts);
    svg.setAttribute("aria-label", `Change of ${data.effect} when a channel is left out: ` + channels.map(
      (channel) => `${channel} ${signed(effects[data.channels.indexOf(channel)] || 0)}`).join(", "));
  }

  function show(place) {
    shown = place;
    buttons.forEach((button, i) => {
      button.setAttribute("aria-pressed", String(i === place));
      button.tabIndex = i === place ? 0 : -1;
    });
    const one = jet();
    for (const channel of Object.keys(counts)) {
      counts[channel].textContent = one.nodes.channel.filter((number) => data.channels[number] === channel).length;
    }
    // Where the group is the class, the class is not said again.
    const outputs = one.outputs.filter(([, text]) => text !== one.group).map(([name, text]) => `${name} ${text}`);
    find("status").textContent = `${name[0].toUpperCase()}${name.slice(1)} ${place + 1} of ${data.jets.length} (${one.group})`
      + (outputs.length ? `: ${outputs.join(", ")}` : "");
    drawPoints();
    paint();
    drawImage();
    drawFacts();
    drawEffects();
  }

  let asked = false;
  view.listeners.push(() => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      drawPoints();
      drawImage();
    });
  });
  for (const name of ["colour", "sized", "scale"]) find(name).addEventListener("input", drawPoints);
  find("plane").addEventListener("input", () => { paint(); drawImage(); });
  find("zoom-in").addEventListener("click", () => view.zoomAt(view.centre, 1.6));
  find("zoom-out").addEventListener("click", () => view.zoomAt(view.centre, 0.625));
  find("zoom-reset").addEventListener("click", () => view.set([0, 0], 1));
  show(0);
})();
