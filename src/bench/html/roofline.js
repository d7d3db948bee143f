// ---- the roofline: what each layer reaches, under what the machine was measured to reach ----
/** The roofs of a machine: a peak for each dtype, and the slopes of its memory and of its nearest cache. */
function roofsOf(machine) {
  const peaks = Object.entries(machine.flops_per_second).map(([dtype, flops]) => ({name: dtype, peak: flops / 1e9}));
  const speeds = machine.bandwidth.map((b) => b.bytes_per_second / 1e9);
  const slopes = speeds.length ? [{name: "nearest cache", speed: speeds[0]}, {name: "memory", speed: speeds[speeds.length - 1]}] : [];
  return {peaks, slopes};
}

function roofline(profile) {
  const section = $("roofline-section");
  const dots = profile.layers.filter((layer) => layer.flops > 0 && layer.bytes > 0 && layer.us > 0).map((layer) =>
    ({layer, x: layer.flops / layer.bytes, y: layer.flops / layer.us / 1e3}));
  section.hidden = !dots.length || !profile.machine || !profile.machine.bandwidth.length;
  if (section.hidden) return;
  const {peaks, slopes} = roofsOf(profile.machine), line = 17, top = 28 + line * (peaks.length + slopes.length);
  const bottom = top + 300, from = 62, to = WIDTH - 16;
  const ridges = peaks.flatMap(({peak}) => slopes.map(({speed}) => peak / speed));
  const xs = [...dots.map((dot) => dot.x), ...ridges], ys = [...dots.map((dot) => dot.y), ...peaks.map(({peak}) => peak)];
  const x = logAxis(Math.min(...xs) / 2, Math.max(...xs) * 2, from, to);
  const y = logAxis(Math.min(...ys) / 2, Math.max(...ys) * 1.5, bottom, top);
  const svg = canvas(clear("roofline"), bottom + X_AXIS, `Roofline of ${profile.label}, both axes logarithmic`);
  xAxis(svg, x, top, bottom, "operations a byte (logarithmic)");
  for (const value of ticksOf(y, 40)) {
    shape(svg, "line", {x1: from, x2: to, y1: y.at(value), y2: y.at(value), class: "grid"});
    shape(svg, "text", {x: from - 6, y: y.at(value) + 4, "text-anchor": "end", class: "quiet tick"}, tickText(value));
  }
  shape(svg, "line", {x1: from, x2: from, y1: top, y2: bottom, class: "axis"});
  shape(svg, "text", {x: 0, y: 12, class: "quiet"}, "GFLOP/s (logarithmic)");
  const legend = (index, words, style) => {
    const at = 14 + line * index;
    shape(svg, "line", {x1: 0, x2: 24, y1: at + 9, y2: at + 9, class: style});
    shape(svg, "text", {x: 30, y: at + 13, class: "quiet"}, words);
  };
  const most = Math.max(...peaks.map(({peak}) => peak));
  slopes.forEach(({name, speed}, i) => {
    const begin = Math.max(x.low, y.low / speed), end = Math.min(x.high, most / speed);
    if (begin < end)
      shape(svg, "line", {x1: x.at(begin), y1: y.at(begin * speed), x2: x.at(end), y2: y.at(end * speed), class: i ? "roof" : "roof near"});
    legend(i, `${name}: ${figure(speed)} GB/s`, i ? "roof" : "roof near");
  });
  peaks.forEach(({name, peak}, i) => {
    const begin = Math.max(x.low, slopes.length ? peak / slopes[0].speed : x.low);
    shape(svg, "line", {x1: x.at(begin), x2: to, y1: y.at(peak), y2: y.at(peak), class: `roof peak${i % 3}`});
    legend(slopes.length + i, `${name}: ${figure(peak)} GFLOP/s`, `roof peak${i % 3}`);
  });
  dots.sort((a, b) => b.layer.us - a.layer.us).forEach(({layer, x: intensity, y: speed}) => {
    const radius = 3 + 17 * Math.sqrt(layer.us / profile.forward_us);
    const dot = shape(svg, "circle", {cx: x.at(intensity), cy: y.at(speed), r: radius, class: `dot ${layer.bound}`});
    const reached = layer.reached ? `, ${(100 * layer.reached).toFixed(0)} % of what is possible` : "";
    shape(dot, "title", {}, `${layer.scope || "–"} ${layer.operator}: ${figure(layer.us)} µs, ${figure(speed)} GFLOP/s, ` +
      `${figure(intensity)} operations a byte${reached}`);
  });
}

