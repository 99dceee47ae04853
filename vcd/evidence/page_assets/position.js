/* Where the reader is: which upload, which match, which moment of it. All views follow one position. */

const HERE = { upload: null, details: null, match: 0, query_s: 0, pair: null };
const FOLLOWERS = { upload: new Set(), match: new Set() };

function matchHere() {
  return HERE.details?.matches[HERE.match] ?? null;
}

/* The moment of the reference that lies on the line; without a line, that of the second's most similar pair. */
function refAt(match, query_s) {
  if (match.line) return match.line[0] * query_s + match.line[1];
  const pair = match.per_second[secondAt(match, query_s)];
  if (pair) return pair[1];
  const share = (query_s - match.query_s[0]) / (match.query_s[1] - match.query_s[0]);
  return match.ref_s[0] + share * (match.ref_s[1] - match.ref_s[0]);
}

function queryAt(match, ref_s) {
  if (match.line) return (ref_s - match.line[1]) / match.line[0];
  const share = (ref_s - match.ref_s[0]) / (match.ref_s[1] - match.ref_s[0]);
  return match.query_s[0] + share * (match.query_s[1] - match.query_s[0]);
}

/* Call back at each move, with what moved it ("hover", "step", "play"), until another upload or match is shown. */
function follow(scope, callback) {
  FOLLOWERS[scope].add(callback);
}

function forget(...scopes) {
  for (const scope of scopes) FOLLOWERS[scope].clear();
}

/* The pictures shown are the nearest, or those of a pair that is asked for: of two pairs, one side can be the same. */
function moveTo(query_s, by, pair = null) {
  const match = matchHere();
  if (!match || !Number.isFinite(query_s)) return;
  HERE.query_s = clamp(query_s, match.query_s[0], match.query_s[1]);
  HERE.pair = match.sheets?.[0] ? (pair ?? nearest(match.sheets[0].t, HERE.query_s)) : null;
  for (const callback of [...FOLLOWERS.upload, ...FOLLOWERS.match]) callback(match, by);
}

/* Follow a pointer over something. What comes to lie under a resting one tells of a move too, which is none. */
const POINTER = { x: null, y: null };

function followPointer(place, timeOf) {
  place.addEventListener("pointermove", (event) => {
    if (event.clientX !== POINTER.x || event.clientY !== POINTER.y) moveTo(timeOf(event), "hover");
  });
  place.addEventListener("click", (event) => moveTo(timeOf(event), "step"));
}

for (const type of ["pointermove", "pointerdown", "pointerup"]) {
  window.addEventListener(type, (event) => Object.assign(POINTER, { x: event.clientX, y: event.clientY }));
}

/* A second, or a fiftieth of a stretch that is shorter than that. */
function stepOf(match) {
  return Math.min(1, (match.query_s[1] - match.query_s[0]) / 50);
}

function stepPosition(direction) {
  const match = matchHere();
  if (match) moveTo(HERE.query_s + direction * stepOf(match), "step");
}

/* To the next or previous pair of pictures. */
function stepPair(direction) {
  const match = matchHere();
  if (!match) return;
  if (!match.sheets?.[0]) {
    stepPosition(direction);
    return;
  }
  const times = match.sheets[0].t;
  const next = clamp((HERE.pair ?? 0) + direction, 0, times.length - 1);
  moveTo(times[next], "step", next);
}

/* Entry i of the curve is second i of the stretch. */
function secondAt(match, query_s) {
  return clamp(Math.floor(query_s - match.query_s[0]), 0, match.per_second.length - 1);
}

function similarityAt(match, query_s) {
  return match.per_second[secondAt(match, query_s)]?.[2] ?? null;
}

function readoutWords(match) {
  const similarity = similarityAt(match, HERE.query_s);
  return [
    `Upload ${clock(HERE.query_s)} · reference ${clock(refAt(match, HERE.query_s))} · `,
    similarity === null ? "nothing to compare in this second" : `similarity ${similarity.toFixed(2)}`,
  ].join("");
}
