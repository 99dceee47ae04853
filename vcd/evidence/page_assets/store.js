/* What is remembered: settings, and decisions under the digest of the evidence that they are about.

   So a report that is made again, or another one with the same evidence, shows the same decisions. */

const PREFIX = "vcd.decisions.";
const VERDICTS = { copy: "Copy", not_a_copy: "Not a copy", common_material: "Common material" };
const KINDS = { intro: "intro or credits", black: "black or plain", logo: "logo or overlay", other: "something else" };

const STORAGE = openStorage();
const SETTINGS = { theme: "auto", blur: null, keys: true, reviewer: "", ...readJson("vcd.review.settings") };
const DECISIONS = new Map(
  UPLOADS.map((upload) => [upload.number, readJson(PREFIX + upload.digest)]).filter(([, made]) => made),
);
const UNDOS = [];
const LISTENERS = [];

function openStorage() {
  try {
    window.localStorage.setItem("vcd.review.test", "1");
    window.localStorage.removeItem("vcd.review.test");
    return window.localStorage;
  } catch {
    return null;
  }
}

function readJson(key) {
  try {
    const value = JSON.parse(STORAGE ? STORAGE.getItem(key) : null);
    return value !== null && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/* Another tab with the same evidence decides too: what it wrote last counts here as well. */
window.addEventListener("storage", (event) => {
  const upload = UPLOADS.find((each) => event.key === PREFIX + each.digest);
  if (!upload) return;
  const made = readJson(event.key);
  if (made) DECISIONS.set(upload.number, made);
  else DECISIONS.delete(upload.number);
  tellListeners(upload.number);
});

function writeJson(key, value) {
  try {
    if (value === null) STORAGE.removeItem(key);
    else STORAGE.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    tellOfStorage();
    return false;
  }
}

function tellOfStorage() {
  const notice = byId("storage-notice");
  notice.textContent =
    "This browser does not let the report remember anything: decisions are lost when it is closed. " +
    "Export them before that (Decisions, Download).";
  notice.hidden = false;
}

function setSetting(key, value) {
  SETTINGS[key] = value;
  writeJson("vcd.review.settings", SETTINGS);
}

/* A decision is {verdict, kind, note, decided_at}; undefined where there is none. */
function decisionOf(number, match) {
  const made = DECISIONS.get(number);
  return made && Object.hasOwn(made, match) ? made[match] : undefined;
}

/* Letters of one note are undone together. */
function decide(number, match, decision, isNote = false) {
  const last = UNDOS.at(-1);
  const isSameNote = isNote && last?.isNote && last.number === number && last.match === match;
  if (!isSameNote) UNDOS.push({ number, match, isNote, before: decisionOf(number, match) });
  putDecision(number, match, decision);
  tellListeners(number);
}

function putDecision(number, match, decision) {
  const made = { ...DECISIONS.get(number) };
  if (decision) made[match] = decision;
  else delete made[match];
  const isEmpty = Object.keys(made).length === 0;
  if (isEmpty) DECISIONS.delete(number);
  else DECISIONS.set(number, made);
  writeJson(PREFIX + UPLOADS[number].digest, isEmpty ? null : made);
}

function undo() {
  const last = UNDOS.pop();
  if (!last) return null;
  putDecision(last.number, last.match, last.before);
  tellListeners(last.number);
  return last;
}

/* Call back after a change; a number of null: many uploads changed. */
function onDecisions(callback) {
  LISTENERS.push(callback);
}

function tellListeners(number) {
  for (const callback of LISTENERS) callback(number);
}

function numDecided(upload) {
  let count = 0;
  for (let match = 0; match < upload.matches.length; match += 1) count += decisionOf(upload.number, match) ? 1 : 0;
  return count;
}

function isUndecided(upload) {
  return numDecided(upload) < upload.matches.length;
}

function decisionWords(upload) {
  const decided = numDecided(upload);
  if (!upload.matches.length) return "";
  if (!decided) return "undecided";
  if (decided < upload.matches.length) return `${decided} of ${upload.matches.length}`;
  const verdicts = new Set(upload.matches.map((_, match) => decisionOf(upload.number, match).verdict));
  return verdicts.size === 1 ? VERDICTS[[...verdicts][0]].toLowerCase() : "decided";
}

function progress() {
  let matches = 0;
  let uploads = 0;
  for (const number of DECISIONS.keys()) {
    const decided = numDecided(UPLOADS[number]);
    matches += decided;
    uploads += decided > 0 && decided === UPLOADS[number].matches.length ? 1 : 0;
  }
  return { matches, uploads };
}
