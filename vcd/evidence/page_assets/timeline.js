/* Both timelines: the upload on top, matched references below, ribbons between what matches. */

const MOST_LANES = 6;
const NUM_HUES = 6;

function timelines(upload, details) {
  const duration_s = uploadLength(details);
  if (!duration_s) return null;
  const order = [...new Set(details.matches.map((match) => match.ref))];
  const lanes = order.slice(0, MOST_LANES).map((ref) => refLane(details, ref, order.indexOf(ref) % NUM_HUES));
  const ribbons = el("svg:svg", { class: "ribbons", "aria-hidden": "true" });
  const more = order.length - lanes.length;
  const box = veiled(
    { class: "timelines", testid: "timelines" },
    ribbons,
    queryLane(upload, details, duration_s),
    ...lanes,
    more > 0 ? el("p", { class: "hint" }, `${counted(more, "more reference")} in the list of matches.`) : null,
    legend(details),
  );
  const redraw = () => drawTimelines(box, ribbons, details, order);
  new ResizeObserver(redraw).observe(box);
  follow("upload", () => {
    if (chooseLane(box)) redraw();
    moveCursors(box, duration_s);
  });
  chooseLane(box);
  return box;
}

function uploadLength(details) {
  const ends = [...details.examined, ...details.skipped].map((stretch) => stretch[1]);
  return details.query?.duration_s || Math.max(0, ...ends);
}

function queryLane(upload, details, duration_s) {
  const marks = [
    ...details.examined.map((stretch) => mark(stretch, duration_s, "examined")),
    ...details.skipped.map((stretch) => mark(stretch, duration_s, "skipped", `${stretchWords(stretch)}: ${stretch[2]}`)),
    ...details.matches.map((match, i) => matchMark(match.query_s, duration_s, i, details)),
  ];
  const about = `Timeline of the upload, ${lengthWords(duration_s)}; the matches are listed below.`;
  const track = trackOf(details.strip, duration_s, marks, about, true);
  followPointer(track, (event) => timeUnder(event, duration_s));
  return el(
    "div",
    { class: "lane query", testid: "lane-query" },
    el("p", { class: "lane-name" }, el("span", { class: "role" }, "Upload"), " ", name(upload.id), el("span", { class: "role" }, ` ${lengthWords(duration_s)}`)),
    track,
  );
}

function refLane(details, ordinal, hue) {
  const ref = details.refs[ordinal];
  const mine = details.matches.map((match, i) => [match, i]).filter(([match]) => match.ref === ordinal);
  const duration_s = Math.max(ref.duration_s, ...mine.map(([match]) => match.ref_s[1]));
  const marks = [
    mark([0, duration_s], duration_s, "examined"),
    ...ref.excluded.map((stretch) => mark(stretch, duration_s, "excluded", `${stretchWords(stretch)}: excluded, never matched`)),
    ...mine.map(([match, i]) => matchMark(match.ref_s, duration_s, i, details)),
  ];
  const about = `Timeline of reference ${visible(ref.id)}, ${lengthWords(duration_s)}`;
  const track = trackOf(ref.strip, duration_s, marks, about, false);
  followPointer(track, (event) => {
    const match = matchHere();
    return match?.ref === ordinal ? queryAt(match, timeUnder(event, duration_s)) : NaN;
  });
  return el(
    "div",
    { class: "lane ref", testid: "lane-ref", data: { ref: ordinal, duration: duration_s, hue } },
    track,
    el("p", { class: "lane-name" }, el("span", { class: "role" }, "Reference"), " ", name(ref.id), el("span", { class: "role" }, ` ${lengthWords(ref.duration_s)}`)),
  );
}

/* Film, bar and ticks; the bar faces the other video. */
function trackOf(strip, duration_s, marks, about, isQuery) {
  const film = strip && el("canvas", { class: "film", "aria-hidden": "true" });
  if (film) film.drawFilm = () => drawFilm(film, strip, duration_s);
  const bar = el("div", { class: "bar" }, ...marks);
  const ticks = el("div", { class: "ticks", "aria-hidden": "true", data: { duration: duration_s } });
  const parts = isQuery ? [ticks, film, bar] : [bar, film, ticks];
  return el("div", { class: "track", role: "group", "aria-label": about }, ...parts, el("div", { class: "cursor", hidden: true }));
}

function mark([start, end], duration_s, kind, title) {
  return el("span", { class: `mark ${kind}`, title, style: placed(start, end, duration_s) });
}

function matchMark([start, end], duration_s, i, details) {
  const hue = hueOf(details, details.matches[i].ref);
  return el("span", {
    class: `mark matched hue-${hue}`, data: { match: i }, title: `Match ${i + 1}: ${stretchWords([start, end])}`,
    style: placed(start, end, duration_s), on: { click: () => goToMatch(i) },
  });
}

function hueOf(details, ref) {
  return [...new Set(details.matches.map((match) => match.ref))].indexOf(ref) % NUM_HUES;
}

function placed(start, end, duration_s) {
  const left = clamp((start / duration_s) * 100, 0, 100);
  return { left: `${left}%`, width: `${clamp((end / duration_s) * 100, 0, 100) - left}%` };
}

function stretchWords([start, end]) {
  return `${clock(start)} to ${clock(end)}`;
}

function timeUnder(event, duration_s) {
  const box = event.currentTarget.getBoundingClientRect();
  return ((event.clientX - box.left) / box.width) * duration_s;
}

function drawTimelines(box, ribbons, details, order) {
  for (const film of box.querySelectorAll(".film")) film.drawFilm();
  for (const ticks of box.querySelectorAll(".ticks")) drawTicks(ticks, Number(ticks.dataset.duration));
  const frame = box.getBoundingClientRect();
  ribbons.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
  const top = box.querySelector(".lane.query .bar").getBoundingClientRect();
  const paths = details.matches.map((match, i) => {
    const lane = box.querySelector(`.lane.ref[data-ref="${match.ref}"]`);
    if (!lane) return null;
    const bottom = lane.querySelector(".bar").getBoundingClientRect();
    const x = (side, time, length) => side.left - frame.left + clamp(time / length, 0, 1) * side.width;
    const [a, b] = match.query_s.map((time) => x(top, time, uploadLength(details)));
    const [c, d] = match.ref_s.map((time) => x(bottom, time, Number(lane.dataset.duration)));
    const [y, z] = [top.bottom - frame.top, bottom.top - frame.top];
    const middle = (y + z) / 2;
    const path = `M${a} ${y}C${a} ${middle} ${c} ${middle} ${c} ${z}L${d} ${z}C${d} ${middle} ${b} ${middle} ${b} ${y}Z`;
    return el("svg:path", {
      d: path, class: `ribbon hue-${order.indexOf(match.ref) % NUM_HUES}`, testid: "ribbon", data: { match: i },
      on: { click: () => goToMatch(i) },
    });
  });
  ribbons.replaceChildren(...paths.filter(Boolean));
  showChosen(box);
}

function drawTicks(ticks, duration_s) {
  const step = tickStep(duration_s, ticks.clientWidth / 80);
  const labels = [];
  for (let time = 0; time <= duration_s - step * 0.35 || time === 0; time += step) {
    labels.push(el("span", { style: { left: `${(time / duration_s) * 100}%` } }, clock(time, step < 1 ? 1 : 0, duration_s >= 600)));
  }
  ticks.replaceChildren(...labels);
}

/* The smallest round step that gives at most so many ticks. */
function tickStep(length, most) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  return steps.find((step) => length / step <= most) ?? 14400;
}

/* Open the lane of the chosen match's reference: the others stay bars, so that all fits on a screen. */
function chooseLane(box) {
  const wanted = box.querySelector(`.lane.ref[data-ref="${matchHere()?.ref}"]`);
  if (!wanted || wanted.hasAttribute("data-open")) return false;
  for (const lane of box.querySelectorAll(".lane.ref")) lane.toggleAttribute("data-open", lane === wanted);
  return true;
}

/* Mark the chosen match on bars and ribbons. */
function showChosen(box) {
  for (const each of box.querySelectorAll("[data-match]")) {
    each.toggleAttribute("data-chosen", Number(each.dataset.match) === HERE.match);
  }
}

function moveCursors(box, duration_s) {
  showChosen(box);
  const match = matchHere();
  for (const lane of box.querySelectorAll(".lane")) {
    const cursor = lane.querySelector(".cursor");
    const isQuery = lane.classList.contains("query");
    cursor.hidden = !isQuery && Number(lane.dataset.ref) !== match.ref;
    const share = isQuery ? HERE.query_s / duration_s : refAt(match, HERE.query_s) / Number(lane.dataset.duration);
    cursor.style.left = `${clamp(share, 0, 1) * 100}%`;
  }
}

function legend(details) {
  const swatch = (kind, words) => [el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), words];
  const hasExcluded = details.refs.some((ref) => ref.excluded.length);
  const items = [
    swatch("matched hue-0", "matched"),
    swatch("examined", "looked at"),
    details.skipped.length ? swatch("skipped", "not looked at") : null,
    hasExcluded ? swatch("excluded", "excluded, never matches") : null,
  ];
  return el("p", { class: "legend" }, items.filter(Boolean).map((parts) => el("span", {}, ...parts)));
}
