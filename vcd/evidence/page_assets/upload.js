/* One upload: what was found, both timelines, its matches, what stopped others, what was not looked at. */

const WORDS = [
  ["similarity", "How alike two pictures are, one of the upload and one of the reference: 1 is the same picture, unrelated pictures are mostly below 0.3. It survives cropping, other colours and bad quality, and can be high for different pictures of one thing."],
  ["score", "How sure a match is, from 0 to 1: it rises with the similarity along the match and with the number of pictures in it that are unlike each other. One still picture, however long it is shown, counts once."],
  ["threshold", "The score from which matches are reported. What it means in right and wrong matches is measured on known copies or on reviewers' decisions; the score itself is no probability."],
  ["a match", "Says that the pictures are alike in order and in step. It does not say who made them first, or whether the use is allowed."],
];

async function showUpload(number, match) {
  const upload = UPLOADS[number];
  const box = byId("upload");
  if (HERE.upload !== upload || !HERE.details) {
    box.replaceChildren(uploadHead(upload, null), el("p", { class: "hint" }, "Loading ..."));
    HERE.upload = upload;
    HERE.details = null;
    let details;
    try {
      details = await loadUpload(number);
    } catch {
      box.replaceChildren(uploadHead(upload, null), el("p", { class: "notice" }, `${uploadFile(number)} is not there or is damaged: make the report again.`));
      focusTitle();
      return;
    }
    if (HERE.upload !== upload || byId("upload").hidden) return;
    forget("upload", "match");
    stopClips();
    HERE.details = details;
    HERE.match = 0;
    box.replaceChildren(...uploadParts(upload, details));
    window.scrollTo(0, 0);
  }
  goToMatch(clamp(match, 0, Math.max(0, HERE.details.matches.length - 1)), false);
  focusTitle();
}

function focusTitle() {
  byId("upload-title")?.focus({ preventScroll: true });
}

function uploadHead(upload, details) {
  const order = VIEW.rows.indexOf(upload);
  const near = (step) => (order < 0 ? UPLOADS[upload.number + step] : VIEW.rows[order + step]);
  const link = (to, words, testid) =>
    to ? el("a", { href: `#/upload/${to.number}`, testid, class: "quiet" }, words) : el("span", { class: "hint" }, words);
  return el(
    "header",
    { class: "upload-head" },
    el(
      "nav",
      { class: "steps", "aria-label": "Uploads" },
      el("a", { href: "#/", class: "quiet" }, "‹ All uploads"),
      el("span", { class: "gap" }),
      link(near(-1), "Previous", "previous-upload"),
      link(near(1), "Next", "next-upload"),
    ),
    el("h1", { id: "upload-title", testid: "upload-name", tabindex: "-1" }, name(upload.id)),
    details && el("p", { class: `lead verdict-line ${upload.verdict}`, testid: "verdict" }, sentence(details.verdict)),
    details && fileFacts(upload, details),
  );
}

function fileFacts(upload, details) {
  const query = details.query;
  const facts = [];
  if (query) facts.push(query.duration_s ? `${lengthWords(query.duration_s)} long` : "a picture", `${query.size_px[0]} × ${query.size_px[1]}`);
  if (upload.sha256) facts.push(`SHA-256 ${upload.sha256.slice(0, 12)}…`);
  return el("p", { class: "facts", testid: "facts" }, facts.join(" · "), query ? [" · ", name(query.uri)] : null);
}

function uploadParts(upload, details) {
  const parts = [uploadHead(upload, details)];
  if (details.problems.length) {
    parts.push(el("ul", { class: "notice", testid: "problems" }, details.problems.map((said) => el("li", {}, name(said)))));
  }
  parts.push(timelines(upload, details));
  if (details.matches.length) {
    parts.push(
      el("div", { class: "matching" }, matchList(upload, details), el("div", { id: "match-place" })),
    );
  }
  parts.push(
    el("div", { class: "below" }, unseenList(upload, details), rejectedList(details)),
    wordsOf(),
    versionsOf(details),
  );
  return parts.filter(Boolean);
}

function matchList(upload, details) {
  const items = details.matches.map((match, i) =>
    el(
      "li",
      {},
      el(
        "button",
        { type: "button", testid: `match-${i}`, class: "match-button", on: { click: () => goToMatch(i) } },
        el("span", { class: `swatch matched hue-${hueOf(details, match.ref)}`, "aria-hidden": "true" }),
        el("span", { class: "what" }, name(details.refs[match.ref].id)),
        el("span", { class: "score" }, match.score.toFixed(2)),
        el("span", { class: "when" }, `upload ${stretchWords(match.query_s)}`),
        el("span", { class: "when" }, `reference ${stretchWords(match.ref_s)}`),
        el("span", { class: "decision" }, decidedWords(upload, i)),
      ),
    ),
  );
  const more = details.left_out[0] ? `${counted(details.left_out[0], "weaker match", "weaker matches")} did not fit into the report.` : null;
  return el(
    "nav",
    { class: "match-list", id: "match-list", "aria-label": "Matches", on: { keydown: stepInList } },
    el("h2", {}, counted(details.matches.length, "match", "matches")),
    el("ol", {}, ...items),
    more && el("p", { class: "hint" }, more),
  );
}

function decidedWords(upload, match) {
  const decision = decisionOf(upload.number, match);
  if (!decision) return "undecided";
  return VERDICTS[decision.verdict].toLowerCase() + (decision.kind ? ` (${KINDS[decision.kind]})` : "");
}

function stepInList(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  goToMatch(clamp(HERE.match + step, 0, HERE.details.matches.length - 1));
  byId("match-list").querySelector("[aria-current]").focus();
}

/* Show a match of the upload that is open, in its place; the address says which, without a new step back. */
function goToMatch(i, isTold = true) {
  const details = HERE.details;
  if (!details?.matches.length) return;
  const place = byId("match-place");
  if (i !== HERE.match || !place.firstChild) {
    forget("match");
    stopClips();
    HERE.match = i;
    place.replaceChildren(matchPanel(HERE.upload, details, i));
  }
  history.replaceState(null, "", `#/upload/${HERE.upload.number}/${i}`);
  byId("match-list").querySelectorAll("button").forEach((each, position) => {
    if (position === i) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  });
  moveTo(details.matches[i].best[0]?.[0] ?? details.matches[i].query_s[0], "step");
  if (isTold) announce(`Match ${i + 1} of ${details.matches.length}: ${plain([...details.matches[i].sentence, ...details.matches[i].hints.map((hint) => `; ${hint}`)])}`);
}

/* After a decision: what shows it, and nothing else, is made anew; focus stays. */
function refreshDecisions(number) {
  if (!HERE.upload || !HERE.details || (number !== null && number !== HERE.upload.number)) return;
  const key = document.activeElement?.closest(".deciding") ? document.activeElement.dataset.key : null;
  const bar = byId("upload").querySelector(".deciding");
  bar?.showDecision();
  if (key) (bar.querySelector(`[data-key="${key}"]`) || bar.querySelector("button")).focus();
  byId("upload").querySelectorAll(".match-button .decision").forEach((words, i) => {
    words.textContent = decidedWords(HERE.upload, i);
  });
}

function unseenList(upload, details) {
  const items = details.skipped.map((stretch) => el("li", {}, `${stretchWords(stretch)}: ${stretch[2]}`));
  const [, stretches, pairs] = details.left_out;
  if (stretches) items.push(el("li", {}, `${counted(stretches, "more stretch", "more stretches")} that did not fit into the report: what is listed nowhere is not known to have been looked at`));
  if (pairs) items.push(el("li", {}, `${counted(pairs, "more reference")} that were similar somewhere, beyond the limit of how many are compared`));
  if (upload.verdict === "refused") items.push(el("li", {}, "All of it: nothing is known about whether it is a copy"));
  return el(
    "section",
    { testid: "unseen", "aria-labelledby": "unseen-title" },
    el("h2", { id: "unseen-title" }, "Not looked at"),
    items.length ? el("ul", {}, ...items) : el("p", { class: "hint" }, "Everything was looked at."),
  );
}

function rejectedList(details) {
  const rows = details.rejected.map((each) =>
    el(
      "li",
      {},
      name(each.ref_id),
      each.query_s ? ` ${stretchWords(each.query_s)} = ${stretchWords(each.ref_s)}` : "",
      `: ${each.sentence}`,
    ),
  );
  return el(
    "section",
    { testid: "rejected", "aria-labelledby": "rejected-title" },
    el("h2", { id: "rejected-title" }, "Nearest that were not reported"),
    rows.length ? el("ol", {}, ...rows) : el("p", { class: "hint" }, "No other candidate was found."),
  );
}

function wordsOf() {
  return el(
    "details",
    { class: "versions words", testid: "words" },
    el("summary", {}, "What the words mean"),
    el(
      "dl",
      {},
      WORDS.map(([word, meaning]) => [el("dt", {}, word), el("dd", {}, meaning)]),
    ),
  );
}

function versionsOf(details) {
  return el(
    "details",
    { class: "versions", testid: "versions" },
    el("summary", {}, "Versions, settings and digests"),
    el("dl", {}, details.versions.map(([key, value]) => [el("dt", {}, key), el("dd", {}, name(value))]), refDigests(details)),
  );
}

function refDigests(details) {
  return details.refs.map((ref) => [
    el("dt", {}, "reference ", name(ref.id)),
    el("dd", {}, `descriptors ${ref.descriptor_digest}, file ${ref.sha256}, `, name(ref.uri)),
  ]);
}
