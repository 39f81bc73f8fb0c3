"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const INK = { request: "--request", provisional: "--provisional", success: "--success",
  redirection: "--redirection", failure: "--failure", illegible: "--failure" };
const CURVES = ["--one", "--two", "--three"];
const state = { call: null, step: null, view: "message", rows: 0 };
const byId = (id) => document.getElementById(id);

function make(name, attributes = {}, ...children) {
  const spaces = "http://www.w3.org/2000/svg";
  const drawn = ["svg", "g", "line", "path", "rect", "text", "circle", "title"].includes(name);
  const element = drawn ? document.createElementNS(spaces, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "style") element.style.cssText = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

const seconds = (t) => t.toFixed(3);
const counted = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
const shortened = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
const firstShown = () => data.steps.find((step) => wanted(step) && ("n" in step || byId("events").checked))?.t ?? 0;
const wanted = (step) => state.call === null || step.call === state.call;

// --- calls ----------------------------------------------------------------------------------------------------------

function drawSummary() {
  const messages = data.steps.filter((step) => "n" in step);
  const last = data.steps.length ? data.steps[data.steps.length - 1].t : 0;
  byId("summary").textContent = data.steps.length
    ? `${new Date(data.start * 1000).toISOString().replace("T", " ").slice(0, 19)} UTC, ${seconds(last)} s, ` +
      `${counted(messages.length, "message")}, ${counted(data.calls.length, "dialog")}`
    : "Nothing happened.";
}

function drawCalls() {
  const choice = (letter, title, more) => {
    const button = make("button", { type: "button", "aria-pressed": String(state.call === letter) }, title,
      make("small", {}, more));
    button.addEventListener("click", () => { state.call = letter; state.rows = MOST_ROWS; drawAll(); });
    return button;
  };
  byId("calls").replaceChildren(choice(null, "all", counted(data.calls.length, "dialog")),
    ...data.calls.map((call) => choice(call.letter, `${call.letter}  ${call.method} ${call.title}`,
      `${counted(call.messages, "message")}, ${seconds(call.end - call.start)} s${call.outcome ? ", " + call.outcome : ""}`)));
}

// --- ladder ---------------------------------------------------------------------------------------------------------

const LEFT = 112, HEIGHT = 34, HEAD = 34, NOTES = 200;
// More rows than this make browsers slow.
const MOST_ROWS = 3000, MOST_FIGURES = 12;

function drawLadder() {
  const all = data.steps.map((step, index) => ({ ...step, index }))
    .filter((step) => wanted(step) && ("n" in step || byId("events").checked));
  const steps = all.slice(0, state.rows);
  drawMore(steps.length, all.length);
  const used = [...new Set(steps.flatMap((step) => ("n" in step ? [step.from, step.to] : [step.lane])))].sort((a, b) => a - b);
  const room = byId("ladder").clientWidth - LEFT - 60 - NOTES;
  const gap = Math.min(430, Math.max(230, room / Math.max(1, used.length - 1)));
  const place = new Map(used.map((lane, index) => [lane, LEFT + 60 + index * gap]));
  const width = LEFT + 60 + Math.max(1, used.length - 1) * gap + NOTES;
  const height = steps.length * HEIGHT + 10;
  const head = make("svg", { class: "heads", width, height: HEAD, viewBox: `0 0 ${width} ${HEAD}` });
  const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "list" });
  for (const lane of used) {
    const x = place.get(lane);
    head.append(make("text", { class: "head", x, y: 20, "text-anchor": "middle" }, shortened(data.lanes[lane], Math.floor(gap / 7)),
      make("title", {}, data.lanes[lane])));
    svg.append(make("line", { class: "lane", x1: x, x2: x, y1: 0, y2: height }));
  }
  if (used.length) head.append(make("text", { class: "faint", x: width - 12, y: 20, "text-anchor": "end" }, "CSeq"));
  const start = firstShown();
  steps.forEach((step, row) => svg.append(drawStep(step, row * HEIGHT, place, width, start)));
  byId("ladder").replaceChildren(head, svg);
}

function drawMore(shown, all) {
  const button = make("button", { type: "button" }, `show ${Math.min(MOST_ROWS, all - shown)} more`);
  button.addEventListener("click", () => { state.rows += MOST_ROWS; drawLadder(); drawPicked(); });
  byId("more").replaceChildren(...(shown < all ? [`the first ${shown} of ${all} steps `, button] : []));
}

function drawStep(step, y, place, width, start) {
  const ink = `var(${INK[step.kind] || "--faint"})`;
  const group = make("g", { class: "step", "data-step": step.index, role: "listitem", tabindex: "n" in step ? 0 : -1 });
  group.append(make("rect", { class: "hit", x: 0, y, width, height: HEIGHT }),
    make("text", { class: "faint", x: 62, y: y + 22, "text-anchor": "end" }, seconds(step.t - start)),
    make("text", { x: 74, y: y + 22 }, step.dialog || step.call));
  if (!("n" in step)) {
    const x = place.get(step.lane);
    group.append(make("circle", { cx: x, cy: y + 18, r: 4, style: "fill: var(--faint)" }),
      make("text", { class: "faint", x: x + 10, y: y + 22 }, shortened(step.text, 90), make("title", {}, step.text)));
    return group;
  }
  const [x1, x2] = [place.get(step.from), place.get(step.to)];
  const way = x2 > x1 ? 1 : -1, tip = x2 - way * 3;
  const most = Math.floor(Math.abs(x2 - x1) / 7.2);
  group.append(
    make("path", { class: "arrow", style: `stroke: ${ink}`, d: `M${x1} ${y + 24}H${tip}m${-way * 7} -4l${way * 7} 4l${-way * 7} 4` }),
    make("text", { x: (x1 + x2) / 2, y: y + 17, "text-anchor": "middle", style: `fill: ${ink}` },
      shortened(step.label, most), make("title", {}, step.label)),
    make("text", { class: "faint", x: Math.max(...place.values()) + 10, y: y + 22 },
      shortened(step.notes, 34), make("title", {}, step.notes)));
  group.addEventListener("click", () => pick(step.index));
  group.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(step.index); }
  });
  return group;
}

// --- one message ----------------------------------------------------------------------------------------------------

function pick(index) {
  state.step = index;
  const described = data.descriptions.find((description) => description.step === index);
  if (!described) state.view = "message";
  drawPicked();
  drawDetail();
}

function drawPicked() {
  for (const group of document.querySelectorAll(".step")) {
    group.classList.toggle("picked", Number(group.dataset.step) === state.step);
  }
}

function drawDetail() {
  if (state.step === null) return;
  const step = data.steps[state.step];
  const described = data.descriptions.find((description) => description.step === state.step);
  const parts = [make("h2", {}, `${step.n}. ${step.label}`),
    make("p", { class: "hint" }, `${data.lanes[step.from]} → ${data.lanes[step.to]}, ${seconds(step.t - firstShown())} s, ` +
      new Date((data.start + step.t) * 1000).toISOString())];
  if (described) parts.push(viewTabs(described));
  parts.push(state.view === "message" || !described ? wholeMessage(step) : difference(described, Number(state.view)));
  byId("detail").replaceChildren(...parts);
  byId("detail").scrollTop = 0;
}

function viewTabs(described) {
  const tab = (view, title) => {
    const button = make("button", { type: "button", "aria-pressed": String(state.view === view) }, title);
    button.addEventListener("click", () => { state.view = view; drawDetail(); });
    return button;
  };
  if (state.view !== "message" && Number(state.view) >= described.comparisons.length) state.view = "message";
  return make("div", { class: "tabs" }, tab("message", `message with ${described.role} ${described.number}`),
    ...described.comparisons.map((comparison, index) => tab(String(index), `against ${comparison.with}`)));
}

function wholeMessage(step) {
  const pre = make("pre");
  const [head, ...body] = step.message.split(/\r?\n\r?\n/);
  head.split(/\r?\n/).forEach((line, index) => {
    const colon = line.search(/\s*:/);
    if (index === 0 || colon < 1 || /^\s/.test(line)) pre.append(index === 0 ? make("b", {}, line) : line, "\n");
    else pre.append(make("b", {}, line.slice(0, colon)), line.slice(colon), "\n");
  });
  if (body.join("").trim()) pre.append("\n", make("span", { class: "body" }, body.join("\n\n").replace(/\r/g, "")));
  return pre;
}

function difference(described, number) {
  const classes = { "-": "row minus", "+": "row plus", " ": "row" };
  return make("pre", { class: "difference" }, ...described.comparisons[number].rows.map(([sign, line]) =>
    make("span", { class: classes[sign] }, `${sign} ${line}`)));
}

// --- figures --------------------------------------------------------------------------------------------------------

const UNITS = [{ name: "h", seconds: 3600, from: 10800 }, { name: "min", seconds: 60, from: 300 }, { name: "s", seconds: 1, from: 0 }];
const W = 460, H = 170, BOX = { left: 46, right: 10, top: 8, bottom: 22 };

function drawFigures() {
  const shown = data.figures.filter((group) => wanted(group) && group.plots.length);
  const rest = shown.length > MOST_FIGURES
    ? [make("p", { class: "hint" }, `and ${shown.length - MOST_FIGURES} more: choose a dialog above to see its figures`)] : [];
  byId("figures").replaceChildren(...shown.slice(0, MOST_FIGURES).flatMap((group) => {
    const times = group.plots.flatMap((plot) => plot.curves.flatMap((curve) => curve.points.map((point) => point[0])));
    const call = data.calls.find((one) => one.letter === group.call);
    const span = [Math.min(...times), Math.max(...times)];
    if (span[1] - span[0] < 1) span[1] = span[0] + 1;
    const who = [group.agent, group.codec, call && call.title].filter(Boolean).join(", ");
    return [make("h2", {}, `Media of ${group.call}: ${who}`),
      make("div", { class: "plots" }, ...group.plots.map((plot) => drawPlot(plot, span, call ? call.start : 0)))];
  }), ...rest);
}

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let value = Math.ceil(low / size) * size; value <= high + size / 1e6; value += size) found.push(+value.toPrecision(10));
  return found;
}

function drawPlot(plot, span, start) {
  const values = plot.curves.flatMap((curve) => curve.points.map((point) => point[1])).filter((value) => value !== null);
  const low = plot.low === null ? Math.min(...values) : plot.low;
  let high = plot.high === null ? Math.max(...values) * 1.1 : plot.high;
  if (!(high > low)) high = low + 1;
  const x = (t) => BOX.left + ((t - span[0]) / (span[1] - span[0])) * (W - BOX.left - BOX.right);
  const y = (v) => H - BOX.bottom - ((v - low) / (high - low)) * (H - BOX.top - BOX.bottom);
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": plot.title });
  for (const value of ticks(low, high, 4)) {
    svg.append(make("line", { class: "grid", x1: BOX.left, x2: W - BOX.right, y1: y(value), y2: y(value) }),
      make("text", { x: BOX.left - 6, y: y(value) + 4, "text-anchor": "end" }, String(value)));
  }
  const scale = UNITS.find((one) => span[1] - span[0] >= one.from);
  for (const value of ticks((span[0] - start) / scale.seconds, (span[1] - start) / scale.seconds, 6).map((n) => n * scale.seconds)) {
    const anchor = x(value + start) > W - 30 ? "end" : "middle";
    svg.append(make("text", { x: x(value + start) + (anchor === "end" ? 8 : 0), y: H - 6, "text-anchor": anchor },
      `${+(value / scale.seconds).toPrecision(6)} ${scale.name}`));
  }
  plot.curves.forEach((curve, index) => svg.append(drawCurve(curve, CURVES[index], x, y)));
  const cross = make("line", { class: "cross", y1: BOX.top, y2: H - BOX.bottom });
  svg.append(cross);
  const legend = plot.curves.map((curve, index) => make("i", { style: `--ink: var(${CURVES[index]})` }, curve.name));
  const unit = plot.unit ? ` (${plot.unit})` : "";
  const figure = make("figure", {}, make("figcaption", {}, make("b", {}, plot.title + unit), ...legend), svg);
  follow(svg, plot, legend, cross, span, start, x);
  return figure;
}

function drawCurve(curve, ink, x, y) {
  let path = "", pen = "M";
  curve.points.forEach(([t, value], index) => {
    if (value === null) { pen = "M"; return; }
    path += `${pen}${x(t).toFixed(1)} ${y(value).toFixed(1)}`;
    const next = curve.points[index + 1];
    if (pen === "M" && (!next || next[1] === null)) path += "h0.01";
    pen = "L";
  });
  return make("path", { class: "curve", d: path, style: `stroke: var(${ink}); stroke-linecap: round` });
}

function follow(svg, plot, legend, cross, span, start, x) {
  const leave = () => {
    cross.style.visibility = "hidden";
    plot.curves.forEach((curve, index) => { legend[index].textContent = curve.name; });
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * W - BOX.left) / (W - BOX.left - BOX.right);
    const t = span[0] + Math.min(1, Math.max(0, share)) * (span[1] - span[0]);
    let at = null;
    plot.curves.forEach((curve, index) => {
      const near = curve.points.reduce((best, point) => (Math.abs(point[0] - t) < Math.abs(best[0] - t) ? point : best));
      at = near[0];
      legend[index].textContent = `${curve.name}: ${near[1] === null ? "–" : near[1]}`;
    });
    cross.setAttribute("x1", x(at));
    cross.setAttribute("x2", x(at));
    cross.style.visibility = "visible";
    legend[0].textContent += ` at ${(at - start).toFixed(1)} s`;
  });
  svg.addEventListener("pointerleave", leave);
}

// --- all ------------------------------------------------------------------------------------------------------------

function drawAll() {
  drawCalls();
  drawLadder();
  drawPicked();
  drawFigures();
}

document.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
  const shown = [...document.querySelectorAll(".step[tabindex='0']")];
  const at = shown.findIndex((group) => Number(group.dataset.step) === state.step);
  const next = at < 0 ? shown[0] : shown[at + by];
  if (!next) return;
  event.preventDefault();
  pick(Number(next.dataset.step));
  next.scrollIntoView({ block: "nearest" });
});
byId("events").addEventListener("change", drawAll);
let resized;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => { drawLadder(); drawPicked(); }, 100);
});
state.rows = MOST_ROWS;
drawSummary();
drawAll();
