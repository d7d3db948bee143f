"use strict";
const report = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

// ---- small helpers: text goes in as text only, never as markup ----
const figure = (x) => x === null || x === undefined ? "–" : x >= 1000 ? x.toFixed(0) : x.toPrecision(4);
const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
function add(parent, name, text, properties = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(properties)) element.setAttribute(key, value);
  return parent.appendChild(element);
}
function shape(parent, name, properties, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(properties)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return parent.appendChild(element);
}
const canvas = (parent, height, label) =>
  shape(parent, "svg", {viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label});
const WIDTH = 960;
const row = (table, kind, cells) => {
  const line = add(table, "tr");
  cells.forEach((text, i) => add(line, kind, text, kind === "th" ? {scope: "col"} : {}));
};
const shortened = (text, length) => text.length > length ? text.slice(0, length - 1) + "…" : text;
/** A logarithmic axis from low to high on the pixels from..to, widened where all values are the same. */
function logAxis(low, high, from, to) {
  if (!(high > low * 1.0001)) { low *= 0.999; high *= 1.001; }
  return {low, high, at: (x) => from + (to - from) * Math.log(x / low) / Math.log(high / low)};
}
const outcomes = report.outcomes;
const slots = (process) => (process.blocks || []).flatMap((block) => block);
const runsOf = (slot) => slot.run_us || [slot.median_us];
const runsByProcess = (index) => (report.processes || []).map(
  (process) => slots(process).filter((slot) => slot.variant === index).flatMap(runsOf));

// ---- the sections ----
function verdicts() {
  const e = report.environment;
  $("summary").textContent = `${e.cpu}, ${e.cpus} CPUs, LibTorch ${e.libtorch}, ` +
    `${(report.processes || []).length} rounds of fresh processes in ${report.seconds.toFixed(0)} s`;
  const list = $("verdicts");
  report.ratios.forEach((ratio) => add(list, "li", ratio.text, {class: ratio.verdict}));
  (report.gates || []).forEach((gate) => add(list, "li", gate.text, {class: gate.regressed ? "slower" : gate.verdict}));
  if (!report.ratios.length) add(list, "li", `${outcomes[0].label}: ${figure(outcomes[0].median_us)} µs a run`);
  report.scaling.forEach((text) => add(list, "li", text));
  report.warnings.forEach((warning) => add(list, "li", "Note: " + warning));
}

function ratios() {
  if (!report.ratios.length) { $("ratio-section").hidden = true; return; }
  const values = report.ratios.flatMap((r) => [...r.interval, ...(r.process_log_ratios || []).map(Math.exp), 1]);
  const axis = logAxis(Math.min(...values) * 0.99, Math.max(...values) * 1.01, 330, WIDTH - 20);
  const svg = canvas($("ratios"), 34 * report.ratios.length + 30, "Ratios with their intervals");
  report.ratios.forEach((ratio, i) => {
    const y = 34 * i + 18;
    shape(svg, "text", {x: 0, y: y + 4}, shortened(ratio.variant, 50));
    (ratio.process_log_ratios || []).forEach((log) =>
      shape(svg, "circle", {cx: axis.at(Math.exp(log)), cy: y + 9, r: 2.5, class: "dot"}));
    const line = shape(svg, "line", {x1: axis.at(ratio.interval[0]), x2: axis.at(ratio.interval[1]), y1: y, y2: y, class: "stroke"});
    shape(line, "title", {}, ratio.text);
    shape(svg, "circle", {cx: axis.at(ratio.ratio), cy: y, r: 5, class: "mark"});
  });
  const bottom = 34 * report.ratios.length + 4;
  shape(svg, "line", {x1: axis.at(1), x2: axis.at(1), y1: 0, y2: bottom, class: "one"});
  const label = (x, anchor) =>
    shape(svg, "text", {x: axis.at(x), y: bottom + 18, "text-anchor": anchor, class: "quiet"}, x === 1 ? "1" : x.toFixed(3));
  label(1, "middle");
  if (axis.at(1) - axis.at(axis.low) > 60) label(axis.low, "start");
  if (axis.at(axis.high) - axis.at(1) > 60) label(axis.high, "end");
}

// Settings that no model was given have no column.
const COLUMNS = [
  ["model", (o) => o.label],
  ["inputs", (o) => o.inputs],
  ["threads", (o) => o.engine ? o.threads || "default" : "–"],
  ["engine", (o) => o.engine || "–"],
  ["environment", (o) => o.environment.join(" "), "where given"],
  ["dtype", (o) => o.dtype, "where given"],
  ["streams", (o) => o.streams > 1 ? o.streams : "", "where given"],
  ["median µs", (o) => figure(o.median_us)],
  [`${100 * report.confidence} % interval`, (o) => o.interval_us ? o.interval_us.map(figure).join(" to ") : "–"],
  ...["p50", "p90", "p99", "p99.9"].map((name) => [name, (o) => figure(o.percentiles_us[name])]),
  ["runs", (o) => o.runs],
  ["µs a sample", (o) => figure(o.sample_us)],
  ["load ms", (o) => figure(o.checked_load_us / 1e3)],
  ["first run ms", (o) => figure(o.first_inference_us / 1e3)],
  ["warm-up runs", (o) => o.warmup_runs],
  ["peak MiB", (o) => o.peak_resident_kib ? (o.peak_resident_kib / 1024).toFixed(1) : "–"],
];

function times() {
  const columns = COLUMNS.filter(([, of, when]) => !when || outcomes.some((o) => of(o) !== ""));
  row($("times"), "th", columns.map(([name]) => name));
  outcomes.forEach((o) => row($("times"), "td", columns.map(([, of]) => of(o))));
}

function shapes() {
  const all = outcomes.map((_, i) => runsByProcess(i).flat());
  const low = Math.min(...outcomes.map((o) => o.percentiles_us.min));
  const high = Math.max(...outcomes.map((o) => o.percentiles_us.p99 ?? o.percentiles_us.max));
  const axis = logAxis(low, high, 330, WIDTH - 20), bins = 80, width = (WIDTH - 350) / bins, height = 56;
  const svg = canvas($("shapes"), height * outcomes.length + 28, "Distributions of the times");
  all.forEach((runs, index) => {
    const counts = new Array(bins).fill(0);
    runs.forEach((x) => counts[Math.max(0, Math.min(bins - 1, Math.floor((axis.at(x) - 330) / width)))]++);
    const most = Math.max(1, ...counts), bottom = height * (index + 1);
    shape(svg, "text", {x: 0, y: bottom - 18}, shortened(outcomes[index].label, 50));
    counts.forEach((count, i) => {
      if (!count) return;
      const tall = Math.max(1, (height - 10) * count / most);
      const bar = shape(svg, "rect", {x: 330 + i * width, y: bottom - tall, width: Math.max(1, width - 1), height: tall, class: "mark"});
      shape(bar, "title", {}, `${count} of ${runs.length} runs`);
    });
    const x = axis.at(outcomes[index].median_us);
    shape(svg, "line", {x1: x, x2: x, y1: bottom - height + 6, y2: bottom, class: "median"});
    shape(svg, "line", {x1: 330, x2: WIDTH - 20, y1: bottom, y2: bottom, class: "axis"});
  });
  const bottom = height * outcomes.length + 18;
  shape(svg, "text", {x: 330, y: bottom, class: "quiet"}, figure(axis.low) + " µs");
  shape(svg, "text", {x: WIDTH - 20, y: bottom, "text-anchor": "end", class: "quiet"}, figure(axis.high) + " µs");
}

function trace(index) {
  $("trace").replaceChildren();
  const groups = runsByProcess(index), total = groups.flat().length;
  if (!total) return;
  const p = outcomes[index].percentiles_us, height = 240;
  const axis = logAxis(p.min * 0.98, p.max * 1.02, height - 24, 6);
  const svg = canvas($("trace"), height, `Every run of ${outcomes[index].label}`);
  const across = (i) => 60 + (WIDTH - 80) * i / total;
  const every = Math.max(1, Math.ceil(total / 6000));  // more points than that cannot be told apart
  const size = total > 1000 ? 2 : total > 200 ? 3 : 5;
  let done = 0;
  groups.forEach((runs, process) => {
    if (process % 2) shape(svg, "rect", {x: across(done), y: 0, width: across(done + runs.length) - across(done), height: height - 20, class: "band"});
    let path = "";
    runs.forEach((us, i) => { if (i % every === 0) path += `M${across(done + i).toFixed(1)} ${axis.at(us).toFixed(1)}h${size}v${size}h-${size}z`; });
    shape(svg, "path", {d: path, class: "dot"});
    done += runs.length;
  });
  for (const us of [p.min, p.p50, p.max])
    shape(svg, "text", {x: 54, y: axis.at(us) + 4, "text-anchor": "end", class: "quiet"}, figure(us));
  shape(svg, "text", {x: 60, y: height - 6, class: "quiet"}, `${total} runs, µs`);
}

// ---- time by layer: an icicle of module paths, and the same as a table ----
function treeOf(profile) {
  const root = {name: "forward", us: profile.forward_us, parts: new Map()};
  for (const layer of profile.layers) {
    let node = root;
    for (const name of [...layer.scope.split(".").filter(Boolean), layer.operator]) {
      if (!node.parts.has(name)) node.parts.set(name, {name, us: 0, parts: new Map()});
      node = node.parts.get(name);
      node.us += layer.us;
    }
  }
  return root;
}
const depthOf = (node) => 1 + Math.max(0, ...[...node.parts.values()].map(depthOf));

function layers(index) {
  const profile = report.profiles[index], root = treeOf(profile), tall = 26;
  $("layers").replaceChildren();
  $("layer-table").replaceChildren();
  const svg = shape($("layers"), "svg", {viewBox: `0 0 ${WIDTH} ${tall * depthOf(root)}`, role: "group",
    "aria-label": `Time by layer of ${profile.label}`});
  const draw = (node, path, x, depth) => {
    const width = WIDTH * node.us / root.us;
    if (width < 1) return;
    const words = `${path}: ${figure(node.us)} µs, ${(100 * node.us / root.us).toFixed(1)} %`;
    const hue = 205 + 25 * ((depth * 3 + Math.round(x)) % 5);
    const box = shape(svg, "rect", {x, y: depth * tall, width, height: tall - 1, class: "box", tabindex: 0, role: "img",
      "aria-label": words, fill: `hsl(${hue} 60% 62%)`});
    shape(box, "title", {}, words);
    for (const event of ["focus", "mouseenter"]) box.addEventListener(event, () => { $("layer-focus").textContent = words; });
    if (width > 40)
      shape(svg, "text", {x: x + 4, y: depth * tall + 17, "pointer-events": "none", style: "fill:#10161d"}, shortened(node.name, Math.floor(width / 7)));
    let left = x;
    for (const part of [...node.parts.values()].sort((a, b) => b.us - a.us)) {
      draw(part, path === "forward" ? part.name : `${path}.${part.name}`, left, depth + 1);
      left += WIDTH * part.us / root.us;
    }
  };
  draw(root, "forward", 0, 0);
  const table = $("layer-table");
  row(table, "th", ["layer", "operator", "µs", "share", "calls"]);
  [...profile.layers].sort((a, b) => b.us - a.us).forEach((layer) =>
    row(table, "td", [layer.scope || "–", layer.operator, figure(layer.us), (100 * layer.us / root.us).toFixed(1) + " %", layer.calls]));
}

function machine() {
  const table = $("machine");
  const words = (name, value) => { if (value !== "" && value !== null) row(table, "td", [name.replaceAll("_", " "), String(value)]); };
  for (const [name, value] of Object.entries(report.environment)) words(name, value);
  for (const [name, value] of Object.entries(report.noise)) words(name, value);
}

function choices(id, labels, show) {
  labels.forEach((label, i) => add($(id), "option", label, {value: i}));
  $(id).addEventListener("change", () => show(Number($(id).value)));
  show(0);
}

function theme() {
  const dark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const show = () => { $("theme").textContent = dark() ? "Light" : "Dark"; $("theme").setAttribute("aria-pressed", dark()); };
  $("theme").addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; show(); });
  show();
}

theme();
verdicts();
ratios();
times();
shapes();
choices("trace-choice", outcomes.map((o) => o.label), trace);
if ((report.profiles || []).length) choices("layer-choice", report.profiles.map((p) => p.label), layers);
else $("layer-section").hidden = true;
machine();
document.body.dataset.ready = "yes";
