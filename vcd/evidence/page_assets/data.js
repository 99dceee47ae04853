/* The overview's rows as objects, and the details of uploads as they are asked for. */

const DATA = JSON.parse(byId("overview-data").textContent);

const UPLOADS = DATA.rows.map((row, number) => {
  const [id, verdict, duration_s, copied_s, matches, hints, unseen, isUnknown, digest, sha256, context] = row;
  return {
    number, id, verdict, duration_s, copied_s, digest, sha256,
    context: DATA.contexts[context],
    matches: matches.map(([ref, queryStart, queryEnd, refStart, refEnd, score]) => ({
      ref, score, query_s: [queryStart, queryEnd], ref_s: [refStart, refEnd],
    })),
    refs: [...new Set(matches.map((match) => match[0]))],
    hints: hints.map((word) => DATA.words[word]),
    unseen: unseen.map(([word, length_s]) => [DATA.words[word], length_s]),
    unseen_s: unseen.reduce((sum, [, length_s]) => sum + length_s, 0),
    isPartial: verdict !== "refused" && (unseen.length > 0 || isUnknown === 1),
    share: duration_s ? copied_s / duration_s : null,
    score: matches.length ? matches[0][5] : null,
  };
});

const NUM_MATCHES = UPLOADS.reduce((sum, upload) => sum + upload.matches.length, 0);

function refId(ordinal) {
  return DATA.refs[ordinal][0];
}

function verdictWords(upload) {
  if (upload.verdict === "refused") return "Not looked at";
  if (upload.verdict === "match") return upload.isPartial ? "Match, partly looked at" : "Match";
  return upload.isPartial ? "No match in what was seen" : "No match";
}

/* A browser lets no page read files beside it, but lets it run scripts: each file hands in its upload. */
const DETAILS = new Map();
const WAITING = new Map();
const MOST_KEPT = 20;

const LOADER = window.trustedTypes
  ? trustedTypes.createPolicy("vcd-upload", { createScriptURL: uploadFile })
  : { createScriptURL: uploadFile };

function uploadFile(number) {
  return `uploads/${String(Number(number)).padStart(5, "0")}.js`;
}

window.vcdUpload = (number, details) => {
  DETAILS.set(number, details);
  if (DETAILS.size > MOST_KEPT) DETAILS.delete(DETAILS.keys().next().value);
};

function loadUpload(number) {
  if (DETAILS.has(number)) return Promise.resolve(DETAILS.get(number));
  if (!WAITING.has(number)) {
    WAITING.set(
      number,
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        const end = (settle) => {
          script.remove();
          WAITING.delete(number);
          settle();
        };
        script.addEventListener("load", () =>
          end(() => (DETAILS.has(number) ? resolve(DETAILS.get(number)) : reject(new Error("empty")))),
        );
        script.addEventListener("error", () => end(() => reject(new Error("missing"))));
        script.src = LOADER.createScriptURL(String(number));
        document.head.append(script);
      }),
    );
  }
  return WAITING.get(number);
}

/* Base64 of uint8 cells, row after row. */
function cellsOf(map) {
  return Uint8Array.from(atob(map.cells), (sign) => sign.charCodeAt(0));
}
