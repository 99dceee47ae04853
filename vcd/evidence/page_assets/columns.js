/* The columns of the overview: what each shows, and what it is sorted by. */

const VERDICT_ORDER = { match: 0, refused: 1, none: 2 };
const NOTHING = "–";

const COLUMNS = [
  {
    id: "name", label: "Upload", first: 1,
    key: (upload) => upload.id,
    show: (upload) =>
      el("a", { href: `#/upload/${upload.number}`, testid: "row-name", title: visible(upload.id) }, name(upload.id)),
  },
  {
    id: "verdict", label: "Verdict", first: 1,
    key: (upload) => VERDICT_ORDER[upload.verdict],
    show: (upload) => el("span", { class: `verdict ${upload.verdict}` }, verdictWords(upload)),
  },
  {
    id: "score", label: "Score", first: -1, isNumber: true,
    key: (upload) => upload.score,
    show: (upload) => (upload.score === null ? NOTHING : upload.score.toFixed(2)),
  },
  {
    id: "matches", label: "Matches", first: -1, isNumber: true,
    key: (upload) => upload.matches.length,
    show: (upload) => (upload.matches.length ? String(upload.matches.length) : NOTHING),
  },
  {
    id: "copied", label: "Matched", first: -1, isNumber: true,
    key: (upload) => upload.copied_s,
    show: (upload) => {
      if (!upload.copied_s) return NOTHING;
      return lengthWords(upload.copied_s) + (upload.share === null ? "" : ` · ${percent(upload.share)}`);
    },
  },
  {
    id: "refs", label: "References", first: 1,
    key: (upload) => (upload.refs.length ? refId(upload.refs[0]) : null),
    show: (upload) => {
      if (!upload.refs.length) return NOTHING;
      const more = upload.refs.length - 1;
      return [name(refId(upload.refs[0])), more ? ` and ${more} more` : null];
    },
  },
  {
    id: "hints", label: "Hints", first: 1,
    key: (upload) => upload.hints.join(", ") || null,
    show: (upload) => (upload.hints.length ? el("span", { title: upload.hints.join(", ") }, upload.hints.join(", ")) : NOTHING),
  },
  {
    id: "unseen", label: "Not looked at", first: -1,
    key: (upload) => (upload.verdict === "refused" ? Infinity : upload.unseen_s),
    show: (upload) => {
      if (upload.verdict === "refused" && !upload.unseen_s) return "all of it";
      if (!upload.unseen_s) return upload.isPartial ? "some of it" : NOTHING;
      const words = `${lengthWords(upload.unseen_s)}: ${upload.unseen.map(([reason]) => reason).join(", ")}`;
      return el("span", { title: words }, words);
    },
  },
  {
    id: "decision", label: "Decision", first: 1,
    key: (upload) => decisionWords(upload) || null,
    show: (upload) => {
      const words = decisionWords(upload);
      return words ? el("span", { class: `decision ${words.replaceAll(" ", "_")}` }, words) : NOTHING;
    },
  },
];

const COLLATOR = new Intl.Collator("en", { numeric: true });

/* Compare by one column; what has no value comes last either way, equals stay in their order. */
function comparison(column, direction) {
  return (one, other) => {
    const [a, b] = [column.key(one), column.key(other)];
    if (a === b) return one.number - other.number;
    if (a === null) return 1;
    if (b === null) return -1;
    const order = typeof a === "string" ? COLLATOR.compare(a, b) : a - b;
    return order * direction || one.number - other.number;
  };
}

const FILTERS = [
  { id: "all", label: "All", holds: () => true },
  { id: "match", label: "With matches", holds: (upload) => upload.verdict === "match" },
  { id: "none", label: "No match", holds: (upload) => upload.verdict === "none" },
  { id: "refused", label: "Not looked at", holds: (upload) => upload.verdict === "refused" },
  { id: "partial", label: "Partly looked at", holds: (upload) => upload.isPartial },
  { id: "undecided", label: "Undecided", holds: isUndecided },
];

/* What a search looks through, in lower case; made when the first search is. */
const SEARCHED = new Map();

function searchedText(upload) {
  if (!SEARCHED.has(upload)) {
    const words = [upload.id, ...upload.refs.map(refId), ...upload.hints, verdictWords(upload)];
    SEARCHED.set(upload, words.join("\n").toLowerCase());
  }
  return SEARCHED.get(upload);
}
