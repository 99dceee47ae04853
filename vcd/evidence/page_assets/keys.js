/* The keyboard: single keys where nothing is being written, and the list of them. */

const KEYS = [
  ["j, k", "next and previous upload; in an upload its next and previous match, then the next upload"],
  ["J, K or ], [", "next and previous upload from within one"],
  ["Up, Down", "the same in the table and in the list of matches"],
  ["Enter", "open the upload"],
  ["Escape", "leave a field; back to all uploads"],
  ["Left, Right", "one second back and on in the match"],
  ["n, p", "next and previous pair of frames"],
  ["Space", "play and pause the clips"],
  ["1, 2, 3", "copy, not a copy, common material"],
  ["0", "take the decision back"],
  ["u", "undo the last decision, wherever it was"],
  ["b", "blur pictures, or show them"],
  ["/", "search"],
  ["?", "this list"],
];

const EVERYWHERE = {
  b: toggleBlur,
  u: undoLast,
  "?": openKeys,
  "/": () => {
    if (byId("overview").hidden) location.hash = "#/";
    byId("search").focus();
  },
};

const IN_OVERVIEW = {
  j: () => setCurrent(VIEW.current + currentStep(1), true),
  k: () => setCurrent(VIEW.current - 1, true),
  ArrowDown: () => setCurrent(VIEW.current + currentStep(1), true),
  ArrowUp: () => setCurrent(VIEW.current - 1, true),
  Enter: () => {
    const upload = VIEW.rows[VIEW.current];
    if (upload) location.hash = `#/upload/${upload.number}`;
  },
};

const IN_UPLOAD = {
  j: () => stepMatch(1),
  k: () => stepMatch(-1),
  J: () => stepUpload(1),
  K: () => stepUpload(-1),
  "]": () => stepUpload(1),
  "[": () => stepUpload(-1),
  n: () => stepPair(1),
  p: () => stepPair(-1),
  ArrowRight: () => stepPosition(1),
  ArrowLeft: () => stepPosition(-1),
  " ": () => togglePlay(),
  1: () => markMatch("copy"),
  2: () => markMatch("not_a_copy"),
  3: () => markMatch("common_material"),
  0: () => markMatch(null),
  Escape: () => (location.hash = "#/"),
};

/* The first j goes to the first row, from wherever focus was. */
function currentStep(step) {
  return byId("rows").contains(document.activeElement) ? step : 0;
}

function stepMatch(step) {
  const count = HERE.details?.matches.length ?? 0;
  const next = HERE.match + step;
  if (next >= 0 && next < count) goToMatch(next);
  else stepUpload(step);
}

function stepUpload(step) {
  const order = VIEW.rows.indexOf(HERE.upload);
  const next = order < 0 ? UPLOADS[HERE.upload.number + step] : VIEW.rows[order + step];
  if (next) location.hash = `#/upload/${next.number}`;
  else announce(step > 0 ? "This is the last upload" : "This is the first upload");
}

function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (isWriting(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (!isWanted(event)) return;
    const act = EVERYWHERE[event.key] || (byId("overview").hidden ? IN_UPLOAD : IN_OVERVIEW)[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function isWriting(target) {
  return target.matches("textarea, select, input:not([type=range]):not([type=checkbox])") || target.isContentEditable;
}

/* Leave keys to what has focus where it has a use for them. */
function isWanted(event) {
  const isLetter = event.key.length === 1 && event.key !== " ";
  if (isLetter) return SETTINGS.keys;
  const target = event.target;
  if (event.key === " " || event.key === "Enter") return !target.matches("button, a, summary, video, input:not([type=range])");
  if (event.key.startsWith("Arrow")) return !target.matches("input, video") && isArrowPlace(event);
  return true;
}

/* Up and down scroll an upload as they do any page; in the overview they step when the table has focus. */
function isArrowPlace(event) {
  if (!byId("overview").hidden) return byId("table").contains(event.target) && event.target.tagName !== "BUTTON";
  return event.key === "ArrowLeft" || event.key === "ArrowRight";
}

function openKeys() {
  const dialog = byId("keys");
  const off = el("input", {
    type: "checkbox", id: "keys-off", testid: "keys-off", checked: SETTINGS.keys,
    on: { change: (event) => setSetting("keys", event.target.checked) },
  });
  dialog.replaceChildren(
    el("h2", { id: "keys-title" }, "Keys"),
    el("dl", { class: "keys" }, KEYS.map(([keys, words]) => [el("dt", {}, el("kbd", {}, keys)), el("dd", {}, words)])),
    el("p", {}, off, " ", el("label", { for: "keys-off" }, "Single letters and digits are keys")),
    el("p", { class: "end" }, button("Close", () => dialog.close(), { testid: "close-keys" })),
  );
  dialog.showModal();
}
