/* One match: what it says, why, the pictures that show it, and what a person makes of it. */

function matchPanel(upload, details, position) {
  const match = details.matches[position];
  const ref = details.refs[match.ref];
  const title = details.matches.length > 1 ? `Match ${position + 1} of ${details.matches.length}` : "The match";
  return el(
    "article",
    { class: "panel", testid: "match", "aria-labelledby": "match-title" },
    el("h2", { id: "match-title", testid: "match-title", tabindex: "-1" }, `${title}: `, name(ref.id)),
    el("p", { class: "sentence", testid: "sentence" }, sentence(match.sentence), hintsOf(match), "."),
    el("ul", { class: "reasons", testid: "reasons" }, match.reasons.map((reason) => el("li", {}, reason))),
    decisionBar(upload, position),
    el(
      "div",
      { class: "views" },
      el("div", { class: "plots" }, heatMap(match, ref), similarityStrip(match, details.floor), positionControl(match)),
      el("div", { class: "pictures" }, pairView(match), bestPairs(match), clipsOf(match)),
    ),
    missingNotes(match),
  );
}

function hintsOf(match) {
  return match.hints.length ? ["; ", el("span", { testid: "hints" }, match.hints.join("; "))] : null;
}

function decisionBar(upload, position) {
  const group = el("div", { class: "deciding", role: "group", "aria-label": "Decision about this match" });
  const show = () => {
    const decision = decisionOf(upload.number, position);
    if (group.firstChild && group.dataset.verdict === (decision?.verdict ?? "")) {
      refill(group, decision);
      return;
    }
    group.dataset.verdict = decision?.verdict ?? "";
    group.replaceChildren(...decisionParts(upload, position));
  };
  show();
  group.showDecision = show;
  return group;
}

function decisionParts(upload, position) {
  const decision = decisionOf(upload.number, position);
  const choices = Object.entries(VERDICTS).map(([verdict, label], i) =>
    button([label, el("kbd", { "aria-hidden": "true" }, String(i + 1))], () => markMatch(verdict), {
      testid: `decide-${verdict}`, class: `choice ${verdict}`, "aria-pressed": String(decision?.verdict === verdict),
      "aria-keyshortcuts": String(i + 1), data: { key: verdict },
    }),
  );
  if (!decision) return [...choices, el("span", { class: "hint" }, "Undecided")];
  const kinds = el(
    "select",
    { testid: "kind", "aria-label": "Kind of common material", data: { key: "kind" }, on: { change: (event) => redecide({ kind: event.target.value || null }) } },
    el("option", { value: "" }, "kind not said"),
    ...Object.entries(KINDS).map(([kind, words]) => el("option", { value: kind, selected: decision.kind === kind }, words)),
  );
  const note = el("input", {
    type: "text", testid: "note", maxlength: 2000, value: decision.note, placeholder: "Note", "aria-label": "Note", dir: "auto",
    data: { key: "note" }, on: { input: (event) => redecide({ note: event.target.value }, true) },
  });
  const back = button("Take back", () => markMatch(null), { testid: "decide-none", class: "quiet", "aria-keyshortcuts": "0", data: { key: "none" } });
  return [...choices, decision.verdict === "common_material" ? kinds : null, note, back].filter(Boolean);
}

/* While the verdict stays, its parts stay too: focus may be on its way from one to the next. */
function refill(group, decision) {
  const [kinds, note] = ["kind", "note"].map((key) => group.querySelector(`[data-key="${key}"]`));
  if (kinds) kinds.value = decision.kind ?? "";
  if (note && note !== document.activeElement) note.value = decision.note;
}

/* Decide about the match that is shown; null takes the decision back. */
function markMatch(verdict) {
  const match = matchHere();
  if (!match) return;
  const before = decisionOf(HERE.upload.number, HERE.match);
  if (before?.verdict === verdict || (!before && verdict === null)) return;
  const decision = verdict && {
    verdict,
    kind: null,
    note: before?.note ?? "",
    decided_at: now(),
  };
  decide(HERE.upload.number, HERE.match, decision || undefined);
  announce(verdict ? `Match ${HERE.match + 1}: ${VERDICTS[verdict]}` : `Match ${HERE.match + 1}: decision taken back`);
}

function redecide(change, isNote = false) {
  const before = decisionOf(HERE.upload.number, HERE.match);
  if (before) decide(HERE.upload.number, HERE.match, { ...before, ...change, decided_at: now() }, isNote);
}

function positionControl(match) {
  const readout = el("output", { class: "readout", testid: "readout", for: "position" });
  const [start, end] = match.query_s;
  const range = el("input", {
    type: "range", id: "position", testid: "position", min: start, max: end, step: stepOf(match), value: start,
    "aria-label": "Position in the match, seconds of the upload",
    on: { input: (event) => moveTo(Number(event.target.value), "step") },
  });
  const [left, right] = match.map.query_s;
  const share = (value) => (value - left) / (right - left);
  const inner = `(100% - ${PLOT.left + PLOT.right}px)`;
  range.style.marginLeft = `calc(${PLOT.left}px + ${clamp(share(start), 0, 1)} * ${inner})`;
  range.style.width = `calc(${clamp(share(end) - share(start), 0.05, 1)} * ${inner})`;
  follow("match", () => {
    readout.textContent = readoutWords(match);
    range.value = String(HERE.query_s);
    range.setAttribute("aria-valuetext", readout.textContent);
  });
  return el("div", { class: "position" }, range, readout);
}

function pairView(match) {
  if (!match.sheets?.[0] || !match.sheets[1]) return el("p", { class: "absent" }, "There are no pictures of this match.");
  const sides = match.sheets.map((sheet, i) => {
    const side = i ? "Reference" : "Upload";
    const canvas = el("canvas", { class: "picture", role: "img", testid: i ? "pair-ref" : "pair-query", width: sheet.size[0], height: sheet.size[1] });
    const words = el("figcaption", {});
    follow("match", () => {
      const ordinal = Math.min(HERE.pair, sheet.t.length - 1);
      words.textContent = `${side} at ${clock(sheet.t[ordinal], 2)}`;
      canvas.setAttribute("aria-label", words.textContent);
      drawPicture(canvas, sheet, ordinal);
    });
    return el("figure", {}, canvas, words);
  });
  const steps = [
    button("‹ Earlier pair", () => stepPair(-1), { class: "quiet", "aria-keyshortcuts": "p", testid: "previous-pair" }),
    button("Later pair ›", () => stepPair(1), { class: "quiet", "aria-keyshortcuts": "n", testid: "next-pair" }),
  ];
  return veiled({ class: "pair", testid: "pair" }, el("div", { class: "two" }, ...sides), el("div", { class: "playing" }, ...steps));
}

/* The most similar pairs of frames, as buttons that go there. */
function bestPairs(match) {
  if (!match.best.length) return null;
  const pairs = match.best.map(([query_s, ref_s, similarity], i) =>
    el(
      "li",
      {},
      button(`${clock(query_s)} = ${clock(ref_s)}`, () => moveTo(query_s, "step"), { testid: `best-${i}`, class: "quiet" }),
      el("span", { class: "hint" }, similarity === null ? "" : ` ${similarity.toFixed(2)}`),
    ),
  );
  return el("div", { class: "best" }, el("h3", {}, "Most similar frames"), el("ol", {}, ...pairs));
}

function missingNotes(match) {
  if (!match.missing.length) return null;
  return el("ul", { class: "notice", testid: "missing" }, match.missing.map((said) => el("li", {}, name(said))));
}
