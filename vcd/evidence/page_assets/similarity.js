/* How similar what is: the heat map with the line drawn in, and the similarity second by second.

   Both have the upload's time from left to right, in the same places. */

const PLOT = { left: 46, right: 10, top: 8, bottom: 24 };

function heatMap(match, ref) {
  const canvas = el("canvas", { class: "heat", testid: "heat", role: "img", "aria-label": heatWords(match, ref) });
  const plot = { match, canvas, base: null, domain: match.map.query_s, range: match.map.ref_s };
  const redraw = () => drawHeat(plot);
  canvas.redrawAnew = () => {
    plot.base = null;
    redraw();
  };
  watchPlot(plot, redraw);
  return el(
    "figure",
    { class: "plot" },
    el("figcaption", {}, "Similarity: upload across, reference up", scaleKey()),
    canvas,
  );
}

function similarityStrip(match, floor) {
  const known = match.per_second.filter((pair) => pair[2] !== null);
  const mean = known.reduce((sum, pair) => sum + pair[2], 0) / (known.length || 1);
  const about =
    `Similarity in each of ${counted(match.per_second.length, "second")} of the match: ` +
    `${mean.toFixed(2)} on average, nothing to compare in ${match.per_second.length - known.length}` +
    (floor === null ? "." : `; below ${floor.toFixed(2)} frames do not count.`);
  const canvas = el("canvas", { class: "strip", testid: "strip", role: "img", "aria-label": about });
  const plot = { match, canvas, floor, domain: match.map.query_s, range: [0, 1] };
  const redraw = () => drawStrip(plot);
  canvas.redrawAnew = redraw;
  watchPlot(plot, redraw);
  const words = floor === null ? "" : `; the dashed line is the least that counts, ${floor.toFixed(2)}`;
  return el("figure", { class: "plot" }, el("figcaption", {}, `Similarity second by second${words}`), canvas);
}

function heatWords(match, ref) {
  const line = match.line
    ? ` A line runs through it: a second of the upload is ${match.line[0].toFixed(2)} s of the reference.`
    : "";
  return (
    `Heat map of similarity: ${stretchWords(match.map.query_s)} of the upload across, ` +
    `${stretchWords(match.map.ref_s)} of ${visible(ref.id)} upwards. The match is the box from ` +
    `${stretchWords(match.query_s)} to ${stretchWords(match.ref_s)}.${line}`
  );
}

function scaleKey() {
  return el("span", { class: "scale" }, "0", el("span", { class: "ramp", "aria-hidden": "true" }), "1");
}

function watchPlot(plot, redraw) {
  new ResizeObserver(() => {
    plot.base = null;
    redraw();
  }).observe(plot.canvas);
  follow("match", redraw);
  followPointer(plot.canvas, (event) => {
    const box = plot.canvas.getBoundingClientRect();
    const share = (event.clientX - box.left - PLOT.left) / (box.width - PLOT.left - PLOT.right);
    return plot.domain[0] + share * (plot.domain[1] - plot.domain[0]);
  });
}

/* Seconds to places on the canvas. */
function placesOf(plot, width, height) {
  const inner = [width - PLOT.left - PLOT.right, height - PLOT.top - PLOT.bottom];
  const [[x0, x1], [y0, y1]] = [plot.domain, plot.range];
  return {
    x: (value) => PLOT.left + ((value - x0) / (x1 - x0)) * inner[0],
    y: (value) => PLOT.top + (1 - (value - y0) / (y1 - y0)) * inner[1],
    box: [PLOT.left, PLOT.top, ...inner],
  };
}

function drawHeat(plot) {
  const { context, width, height } = canvasContext(plot.canvas);
  if (width < PLOT.left + PLOT.right + 10 || plot.match.map.shape.includes(0)) return;
  const places = placesOf(plot, width, height);
  plot.base = plot.base || heatImage(plot.match.map);
  context.imageSmoothingEnabled = false;
  context.drawImage(plot.base, ...places.box);
  drawAxes(context, plot, places);
  context.save();
  context.beginPath();
  context.rect(...places.box);
  context.clip();
  drawMatch(context, plot.match, places);
  drawCursor(context, places, HERE.query_s, refAt(plot.match, HERE.query_s));
  context.restore();
}

/* The map as a small picture: a column for each row of cells, the latest second of the reference on top. */
function heatImage(map) {
  const [rows, columns] = map.shape;
  const cells = cellsOf(map);
  const ramp = rampOf(["--heat-0", "--heat-1", "--heat-2", "--heat-3"]);
  const image = new ImageData(rows, columns);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const at = 4 * ((columns - 1 - column) * rows + row);
      image.data.set(ramp[cells[row * columns + column]], at);
    }
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [rows, columns];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function rampOf(variables) {
  const stops = variables.map((variable) => colour(variable).match(/[\d.]+/g).slice(0, 3).map(Number));
  return Array.from({ length: 256 }, (_, value) => {
    const at = (value / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    const mix = stops[low].map((part, i) => part + (stops[low + 1][i] - part) * (at - low));
    return [...mix, 255];
  });
}

function drawMatch(context, match, places) {
  const [x0, x1] = match.query_s.map(places.x);
  const [y0, y1] = match.ref_s.map(places.y);
  outlined(context, () => context.strokeRect(x0, y1, x1 - x0, y0 - y1), [], 1.5);
  const line = () => {
    context.beginPath();
    for (const query_s of match.query_s) context.lineTo(places.x(query_s), places.y(refAt(match, query_s)));
    context.stroke();
  };
  if (match.line) outlined(context, line, [6, 4], 2);
}

/* Twice, so that it can be seen on light and on dark cells. */
function outlined(context, draw, dash, width) {
  context.setLineDash([]);
  context.strokeStyle = colour("--plot-under");
  context.lineWidth = width + 2;
  draw();
  context.setLineDash(dash);
  context.strokeStyle = colour("--plot-over");
  context.lineWidth = width;
  draw();
  context.setLineDash([]);
}

function drawCursor(context, places, query_s, ref_s) {
  const [left, top, width, height] = places.box;
  context.strokeStyle = colour("--cursor");
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(places.x(query_s), top);
  context.lineTo(places.x(query_s), top + height);
  if (ref_s !== null) {
    context.moveTo(left, places.y(ref_s));
    context.lineTo(left + width, places.y(ref_s));
  }
  context.stroke();
}

function drawAxes(context, plot, places) {
  const [left, top, width, height] = places.box;
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colour("--muted");
  context.strokeStyle = colour("--rule");
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const time of ticksIn(plot.domain, width / 70)) {
    context.fillText(clock(time, time % 1 ? 1 : 0, plot.domain[1] >= 600), clamp(places.x(time), left + 12, left + width - 12), top + height + 6);
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  const isTime = plot.range[1] !== 1 || plot.range[0] !== 0 || !("floor" in plot);
  const marks = isTime ? ticksIn(plot.range, height / 40) : [0, 0.5, 1];
  for (const value of marks) {
    const label = isTime ? clock(value, value % 1 ? 1 : 0, plot.range[1] >= 600) : String(value);
    context.fillText(label, left - 6, clamp(places.y(value), top + 6, top + height - 6));
  }
}

function ticksIn([start, end], most) {
  const step = tickStep(end - start, Math.max(1, most));
  const ticks = [];
  for (let i = Math.ceil(start / step); i * step <= end; i += 1) ticks.push(Number((i * step).toFixed(3)));
  return ticks;
}

function drawStrip(plot) {
  const { context, width, height } = canvasContext(plot.canvas);
  if (width < PLOT.left + PLOT.right + 10) return;
  const places = placesOf(plot, width, height);
  const [left, top, inner, tall] = places.box;
  const { per_second: pairs, query_s: stretch } = plot.match;
  drawAxes(context, plot, places);
  pairs.forEach(([, , similarity], i) => {
    const [x0, x1] = [places.x(stretch[0] + i), places.x(Math.min(stretch[0] + i + 1, stretch[1]))];
    const isNone = similarity === null;
    context.fillStyle = colour(isNone ? "--rule" : similarity < (plot.floor ?? 0) ? "--bar-low" : "--bar-high");
    const y = isNone ? top + tall - 4 : places.y(clamp(similarity, 0, 1));
    context.fillRect(x0, y, Math.max(1.5, x1 - x0 - (x1 - x0 > 4 ? 1 : 0)), top + tall - y);
  });
  if (plot.floor !== null) {
    context.setLineDash([5, 4]);
    context.strokeStyle = colour("--ink");
    context.beginPath();
    context.moveTo(left, places.y(plot.floor));
    context.lineTo(left + inner, places.y(plot.floor));
    context.stroke();
    context.setLineDash([]);
  }
  drawCursor(context, places, HERE.query_s, null);
}
