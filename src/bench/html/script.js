const report = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

// ---- small helpers: text goes in as text only, never as markup ----
/** Four significant digits; whole numbers as they are. */
const figure = (x) => x === null || x === undefined ? "–" : Number.isInteger(x) ? String(x)
  : Math.abs(x) >= 1000 ? x.toFixed(0) : x.toPrecision(4);
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
/** The width that charts have, in the pixels of their letters. */
let WIDTH = 960;
const NARROW = 640;
const canvas = (parent, height, label, role = "img") =>
  shape(parent, "svg", {viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role, "aria-label": label});
/** A table from titles and rows; `texts` is the number of columns at the left that are not figures. */
function fill(table, titles, rows, texts = 1) {
  table.classList.add("columns");
  const kind = (i) => i < texts ? {class: "text"} : {};
  const head = add(table, "tr");
  titles.forEach((title, i) => add(head, "th", title, {scope: "col", ...kind(i)}));
  rows.forEach((cells) => {
    const line = add(table, "tr");
    cells.forEach((text, i) => add(line, "td", text,
      {"data-title": titles[i], ...(i >= texts && String(text).length > 10 ? {class: "long"} : kind(i))}));
  });
}
/** With an ellipsis for the middle, which names differ in least. */
function shortened(text, length) {
  if (text.length <= length) return text;
  const head = Math.max(0, Math.floor((length - 1) / 2));
  return text.slice(0, head) + "…" + text.slice(text.length - Math.max(0, length - 1 - head));
}
const LETTER = 6.8;  // pixels, on average
/** A name in so many pixels; whole where one points at it. */
function name(svg, text, x, y, pixels) {
  const label = shape(svg, "text", {x, y, class: "name"}, shortened(text, Math.floor(pixels / LETTER)));
  shape(label, "title", {}, text);
}
/** Where charts with a row for each model have their names and their plot: beside it, or above it on a narrow page. */
function places() {
  const narrow = WIDTH < NARROW;
  return {narrow, from: narrow ? 12 : Math.round(WIDTH * 0.31), to: WIDTH - 16, above: narrow ? 20 : 0};
}
/** A logarithmic axis from low to high on the pixels from..to, widened where all values are the same. */
function logAxis(low, high, from, to) {
  if (!(high > low * 1.0001)) { low *= 0.999; high *= 1.001; }
  return {low, high, from, to, at: (x) => from + (to - from) * Math.log(x / low) / Math.log(high / low)};
}
/** Round numbers on a logarithmic axis, of which labels need so many pixels. */
function ticksOf(axis, pixels) {
  const most = Math.max(2, Math.floor(Math.abs(axis.to - axis.from) / pixels));
  const decades = (steps) => {
    const list = [];
    for (let p = Math.floor(Math.log10(axis.low)); p <= Math.ceil(Math.log10(axis.high)); ++p)
      for (const step of steps) list.push(step * 10 ** p);
    return list.filter((x) => x >= axis.low * 0.9999 && x <= axis.high * 1.0001);
  };
  for (const steps of [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    const list = decades(steps);
    if (list.length <= most && list.length >= 3) return list;
  }
  if (axis.high > axis.low * 10) {
    const list = decades([1]), every = Math.ceil(list.length / most);
    return list.filter((_, i) => i % every === 0);
  }
  for (let p = Math.floor(Math.log10(axis.high - axis.low)) - 1; ; ++p)  // less than a decade: equal steps
    for (const step of [1, 2, 5].map((x) => x * 10 ** p)) {
      const first = Math.ceil(axis.low / step), count = Math.floor(axis.high / step) - first + 1;
      if (count <= most) return Array.from({length: count}, (_, i) => Number(((first + i) * step).toPrecision(12)));
    }
}
const tickText = (x) => String(Number(x.toPrecision(6)));
/** Ticks, a grid and a title below a plot that reaches from `top` to `bottom`. */
function xAxis(svg, axis, top, bottom, title) {
  shape(svg, "line", {x1: axis.from, x2: axis.to, y1: bottom, y2: bottom, class: "axis"});
  for (const x of ticksOf(axis, 62)) {
    shape(svg, "line", {x1: axis.at(x), x2: axis.at(x), y1: top, y2: bottom, class: "grid"});
    shape(svg, "line", {x1: axis.at(x), x2: axis.at(x), y1: bottom, y2: bottom + 4, class: "axis"});
    shape(svg, "text", {x: axis.at(x), y: bottom + 17, "text-anchor": "middle", class: "quiet tick"}, tickText(x));
  }
  shape(svg, "text", {x: axis.to, y: bottom + 35, "text-anchor": "end", class: "quiet"}, title);
}
const X_AXIS = 42;  // pixels that it takes
const outcomes = report.outcomes;
const slots = (process) => (process.blocks || []).flatMap((block) => block);
const runsOf = (slot) => slot.run_us || [slot.median_us];
const runsByProcess = (index) => (report.processes || []).map(
  (process) => slots(process).filter((slot) => slot.variant === index).flatMap(runsOf));

// ---- the sections ----
const clear = (id) => { $(id).replaceChildren(); return $(id); };

function verdicts() {
  const e = report.environment;
  $("summary").textContent = `${e.cpu}, ${e.cpus} CPUs, LibTorch ${e.libtorch}, ` +
    `${(report.processes || []).length} rounds of fresh processes in ${report.seconds.toFixed(0)} s`;
  const list = $("verdicts");
  report.ratios.forEach((ratio) => add(list, "li", ratio.text, {class: ratio.verdict}));
  (report.gates || []).forEach((gate) => add(list, "li", gate.text, {class: gate.regressed ? "slower" : gate.verdict}));
  if (!report.ratios.length) add(list, "li", `${outcomes[0].label}: ${figure(outcomes[0].median_us)} µs a run`);
  report.scaling.forEach((text) => add(list, "li", text));
  report.warnings.forEach((warning) => add($("notes"), "li", warning));
  $("note-section").hidden = !report.warnings.length;
}

function ratios() {
  $("ratio-section").hidden = !report.ratios.length;
  if (!report.ratios.length) return;
  const {narrow, from, to, above} = places(), tall = 34 + above, bottom = tall * report.ratios.length + 4;
  const values = report.ratios.flatMap((r) => [...r.interval, ...(r.process_log_ratios || []).map(Math.exp), 1]);
  const axis = logAxis(Math.min(...values) * 0.99, Math.max(...values) * 1.01, from, to);
  const svg = canvas(clear("ratios"), bottom + X_AXIS, "Ratios with their intervals, on a logarithmic axis");
  const others = new Set(report.ratios.map((r) => r.against)), [only] = others;
  const title = narrow || others.size > 1 ? "times as fast" : `times as fast as ${shortened(only, 40)}`;
  xAxis(svg, axis, 0, bottom, title + " (logarithmic)");
  shape(svg, "line", {x1: axis.at(1), x2: axis.at(1), y1: 0, y2: bottom, class: "one"});
  report.ratios.forEach((ratio, i) => {
    const y = tall * i + 14 + above;
    name(svg, ratio.variant, 0, y + 4 - (narrow ? 16 : 0), narrow ? WIDTH : from - 12);
    (ratio.process_log_ratios || []).forEach((log) =>
      shape(svg, "circle", {cx: axis.at(Math.exp(log)), cy: y + 10, r: 2.5, class: "dot"}));
    const line = shape(svg, "line", {x1: axis.at(ratio.interval[0]), x2: axis.at(ratio.interval[1]), y1: y, y2: y, class: "stroke"});
    shape(line, "title", {}, ratio.text);
    shape(svg, "circle", {cx: axis.at(ratio.ratio), cy: y, r: 5, class: "mark"});
  });
}

// What the models differ in has a column; what they share is said once.
const SETTINGS = [
  ["inputs", (o) => o.inputs],
  ["threads", (o) => o.engine ? o.threads || "default" : ""],
  ["engine", (o) => o.engine],
  ["environment", (o) => o.environment.join(" ")],
  ["dtype", (o) => o.dtype],
  ["streams", (o) => o.streams > 1 ? o.streams : ""],
];
const speedOf = (index) => {
  const ratio = report.ratios.find((r) => r.variant_index === index);
  return ratio ? figure(ratio.ratio) + (ratio.verdict === "no_difference" ? " ~" : "") : "1";
};
const hasSamples = outcomes.some((o) => o.samples > 1 || o.streams > 1);
const TIMES = [
  ["median µs", (o) => figure(o.median_us)],
  [`${figure(100 * report.confidence)} % interval`, (o) => o.interval_us ? o.interval_us.map(figure).join(" to ") : "–"],
  ...["p90", "p99", "p99.9"].map((name) => [name, (o) => figure(o.percentiles_us[name])]),
  ["runs", (o) => o.runs],
  ...(hasSamples ? [["µs a sample", (o) => figure(o.sample_us)], ["samples/s", (o) => figure(1e6 / o.sample_us)]] : []),
  ...(report.ratios.length ? [["speed", (_, index) => speedOf(index)]] : []),
];
const STARTS = [
  ["load ms", (o) => figure(o.checked_load_us / 1e3)],
  ["first run ms", (o) => figure(o.first_inference_us / 1e3)],
  ["warm-up runs", (o) => o.warmup_runs],
  ["peak MiB", (o) => o.peak_resident_kib ? (o.peak_resident_kib / 1024).toFixed(1) : "–"],
];
/** Do the models' labels say it, as in "a.pt [float, 2 threads]"? */
const isInLabels = ([, of]) => outcomes.every((o) => (o.label.match(/ \[(.*)\]$/)?.[1] ?? "").includes(String(of(o)) || "?"));
const isShared = ([, of]) => outcomes.every((o) => of(o) === of(outcomes[0]));

function times() {
  const differing = SETTINGS.filter((setting) => !isShared(setting) && !isInLabels(setting));
  const shared = SETTINGS.filter((setting) => isShared(setting) && setting[1](outcomes[0]) !== "");
  const legend = report.ratios.some((r) => r.verdict === "no_difference") ? " ~ means no measurable difference." : "";
  $("settings").textContent = (outcomes.length > 1 ? "All: " : "") +
    shared.map(([title, of]) => `${title} ${of(outcomes[0])}`).join("; ") + "." + legend;
  const put = (id, columns, texts) => fill($(id), ["model", ...columns.map(([title]) => title)],
    outcomes.map((o, i) => [o.label, ...columns.map(([, of]) => of(o, i))]), texts);
  put("times", [...differing, ...TIMES], 1 + differing.length);
  put("starts", STARTS, 1);
  $("start-section").hidden = !outcomes.some((o) => o.checked_load_us);
}

function shapes() {
  const all = outcomes.map((_, i) => runsByProcess(i).flat());
  const low = Math.min(...outcomes.map((o) => o.percentiles_us.min));
  const high = Math.max(...outcomes.map((o) => o.percentiles_us.p99 ?? o.percentiles_us.max));
  const {narrow, from, to, above} = places(), plot = 46, tall = 56 + above, bottom = tall * outcomes.length;
  const axis = logAxis(low, high, from, to), bins = narrow ? 60 : 80, width = (to - from) / bins;
  const svg = canvas(clear("shapes"), bottom + X_AXIS, "Distributions of the times, on a logarithmic axis");
  xAxis(svg, axis, 0, bottom, "µs a run (logarithmic)");
  all.forEach((runs, index) => {
    const counts = new Array(bins).fill(0);
    runs.forEach((x) => counts[Math.max(0, Math.min(bins - 1, Math.floor((axis.at(x) - from) / width)))]++);
    const most = Math.max(1, ...counts), floor = tall * (index + 1);
    name(svg, outcomes[index].label, 0, floor - (narrow ? plot + 6 : 18), narrow ? WIDTH : from - 12);
    counts.forEach((count, i) => {
      if (!count) return;
      const high = Math.max(1, plot * count / most);
      const bar = shape(svg, "rect", {x: from + i * width, y: floor - high, width: Math.max(1, width - 1), height: high, class: "mark"});
      shape(bar, "title", {}, `${count} of ${runs.length} runs`);
    });
    const x = axis.at(outcomes[index].median_us);
    shape(svg, "line", {x1: x, x2: x, y1: floor - plot - 2, y2: floor, class: "median"});
    shape(svg, "line", {x1: from, x2: to, y1: floor, y2: floor, class: "axis"});
  });
}

function trace(index) {
  clear("trace");
  const groups = runsByProcess(index), total = groups.flat().length;
  if (!total) return;
  const p = outcomes[index].percentiles_us, height = 240, from = 62, to = WIDTH - 12, bottom = height - 40;
  const axis = logAxis(p.min * 0.98, p.max * 1.02, bottom, 24);
  const svg = canvas($("trace"), height, `Every run of ${outcomes[index].label}, on a logarithmic axis`);
  const across = (i) => from + (to - from) * i / total;
  const every = Math.max(1, Math.ceil(total / 6000));  // more points than that cannot be told apart
  const size = total > 1000 ? 2 : total > 200 ? 3 : 5;
  let done = 0;
  groups.forEach((runs, process) => {
    if (process % 2) shape(svg, "rect", {x: across(done), y: 24, width: across(done + runs.length) - across(done), height: bottom - 24, class: "band"});
    done += runs.length;
  });
  for (const us of ticksOf(axis, 30)) {
    shape(svg, "line", {x1: from, x2: to, y1: axis.at(us), y2: axis.at(us), class: "grid"});
    shape(svg, "text", {x: from - 6, y: axis.at(us) + 4, "text-anchor": "end", class: "quiet tick"}, tickText(us));
  }
  done = 0;
  groups.forEach((runs) => {
    let path = "";
    runs.forEach((us, i) => { if (i % every === 0) path += `M${across(done + i).toFixed(1)} ${(axis.at(us) - size / 2).toFixed(1)}h${size}v${size}h-${size}z`; });
    shape(svg, "path", {d: path, class: "dot"});
    done += runs.length;
  });
  shape(svg, "line", {x1: from, x2: to, y1: bottom, y2: bottom, class: "axis"});
  shape(svg, "line", {x1: from, x2: from, y1: 24, y2: bottom, class: "axis"});
  shape(svg, "text", {x: 0, y: 12, class: "quiet"}, "µs a run (logarithmic)");
  for (const [i, anchor] of [[0, "start"], [Math.round(total / 2), "middle"], [total, "end"]])
    shape(svg, "text", {x: across(i), y: bottom + 17, "text-anchor": anchor, class: "quiet tick"}, String(i));
  shape(svg, "text", {x: to, y: bottom + 35, "text-anchor": "end", class: "quiet"}, "runs, in their order");
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
  const svg = canvas(clear("layers"), tall * depthOf(root), `Time by layer of ${profile.label}`, "group");
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
  roofline(profile);
  clear("layer-next");
  (profile.next || []).forEach((text) => add($("layer-next"), "li", text));
  const percent = (share) => share === null ? "–" : (100 * share).toFixed(1) + " %";
  const titles = ["µs", "share", "calls", "GFLOP/s", "GB/s", "reached", "µs to win"];
  const figures = (row) => [figure(row.us), percent(row.share), figure(row.calls), figure(row.gflops_per_second),
    figure(row.gb_per_second), percent(row.reached), figure(row.gain_us)];
  const bound = (row) => row.attainable_us === null ? "–" : row.bound;
  const gain = (row) => row.gain_us ?? row.us;
  fill(clear("layer-table"), ["layer", "operator", "bound by", ...titles],
    [...profile.layers].sort((a, b) => gain(b) - gain(a)).map((layer) =>
      [layer.scope || "–", layer.operator, bound(layer), ...figures(layer)]), 3);
  fill(clear("operator-table"), ["operator", "bound by", ...titles],
    profile.operators.map((row) => [row.operator, bound(row), ...figures(row)]), 2);
}

// Facts of the machine and its noise that need other words than their names in the report.
const CALLED = {
  cpu: ["processor"], cpus: ["CPUs"], libtorch: ["LibTorch"], fusekit: ["FuseKit"], cpu_quota: ["quota", "CPUs"],
  timer_overhead_ns: ["reading the clock takes", "ns"], timer_resolution_ns: ["resolution of the clock", "ns"],
  clock_change: ["change of the CPU's clock", "%"], cpu_seconds: ["CPU time", "s"],
  measured_cpu_seconds: ["CPU time in timed runs", "s"], other_cpus: ["kept busy by other programs", "CPUs"],
  steal: ["taken by the hypervisor", "%"], waited_seconds: ["waited for a CPU", "s"], throttled_seconds: ["throttled", "s"],
};

function machine() {
  const words = (key, value) => {
    if (value === "" || value === null || (key === "cpu_quota" && !value)) return;
    const [title, unit] = CALLED[key] || [key.replaceAll("_", " ")], line = add($("machine"), "tr");
    add(line, "td", title, {class: "text"});
    add(line, "td", typeof value !== "number" ? String(value) : unit === "%" ? `${(100 * value).toFixed(1)} %`
      : figure(value) + (unit ? " " + unit : ""), {class: "text"});
  };
  for (const [key, value] of Object.entries(report.environment)) words(key, value);
  for (const [key, value] of Object.entries(report.noise)) words(key, value);
}

function choices(id, labels, show) {
  labels.forEach((label, i) => add($(id), "option", label, {value: i}));
  $(id).addEventListener("change", () => show(Number($(id).value)));
}

function theme() {
  const dark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const show = () => { $("theme").textContent = dark() ? "Light" : "Dark"; $("theme").setAttribute("aria-pressed", dark()); };
  $("theme").addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; show(); });
  show();
}

/** Charts are drawn for the page's width, and again when that changes. */
function draw() {
  const style = getComputedStyle($("main"));
  const width = Math.floor($("main").clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight));
  if (width === WIDTH && $("shapes").firstChild) return;
  WIDTH = Math.max(240, width);
  ratios();
  shapes();
  trace(Number($("trace-choice").value));
  if (hasLayers) layers(Number($("layer-choice").value));
}

const hasLayers = (report.profiles || []).length > 0;
theme();
verdicts();
times();
machine();
choices("trace-choice", outcomes.map((o) => o.label), trace);
if (hasLayers) choices("layer-choice", report.profiles.map((p) => p.label), layers);
$("layer-section").hidden = !hasLayers;
draw();
addEventListener("resize", draw);
document.body.dataset.ready = "yes";
