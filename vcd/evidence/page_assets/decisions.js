/* Decisions as the document that `vcd feedback` takes in, and back (docs/design/evidence.md). */

/* What `vcd feedback` takes: one entry that it does not take has it refuse the whole file. */
const MAX_NOTE = 10000;
const MOMENT = /^\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(\.\d{1,6})?Z$/;

/* Everything decided, in the order of the uploads and of their matches. */
function decisionsDocument(madeAt, reviewer) {
  const decisions = [];
  for (const upload of UPLOADS) {
    upload.matches.forEach((match, position) => {
      const decision = decisionOf(upload.number, position);
      if (decision) decisions.push(exportedDecision(upload, match, decision));
    });
  }
  return { format: "vcd decisions", version: 1, made_at: madeAt, reviewer, decisions };
}

function exportedDecision(upload, match, decision) {
  const [refIdentity, refDigest] = DATA.refs[match.ref];
  return {
    verdict: decision.verdict,
    kind: decision.verdict === "common_material" ? decision.kind : null,
    note: decision.note,
    decided_at: decision.decided_at,
    evidence_digest: upload.digest,
    query_id: upload.id,
    query_sha256: upload.sha256,
    ref_id: refIdentity,
    ref_descriptor_digest: refDigest,
    query: { start_s: match.query_s[0], end_s: match.query_s[1] },
    ref: { start_s: match.ref_s[0], end_s: match.ref_s[1] },
    score: match.score,
    ...upload.context,
  };
}

function now() {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}

/* Take in an exported document. A decision finds its match by the digest of the evidence or, when the
   evidence was made again, by upload, reference and times. Returns a sentence. */
function importDecisions(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    return "This is no JSON: nothing was imported.";
  }
  if (found?.format !== "vcd decisions" || found.version !== 1 || !Array.isArray(found.decisions)) {
    return "This is no file of decisions of version 1: nothing was imported.";
  }
  const places = matchPlaces();
  let [taken, strange, unusable] = [0, 0, 0];
  for (const each of found.decisions) {
    const decision = importedDecision(each);
    const place = decision && (places.get(placeKey(each, true)) ?? places.get(placeKey(each, false)));
    if (!decision) unusable += 1;
    else if (!place) strange += 1;
    else {
      putDecision(place[0], place[1], decision);
      taken += 1;
    }
  }
  UNDOS.length = 0;
  tellListeners(null);
  const others = strange ? ` ${counted(strange, "decision")} about matches that are not in this report: left out.` : "";
  const bad = unusable ? ` ${counted(unusable, "entry", "entries")} that cannot be read: left out.` : "";
  return `${counted(taken, "decision")} imported.${others}${bad}`;
}

function importedDecision(each) {
  if (typeof each !== "object" || each === null) return null;
  const { verdict, kind = null, note = "", decided_at: decidedAt } = each;
  if (!Object.hasOwn(VERDICTS, verdict) || typeof note !== "string" || note.length > MAX_NOTE) return null;
  if (typeof decidedAt !== "string" || !MOMENT.test(decidedAt)) return null;
  if (kind !== null && !(verdict === "common_material" && Object.hasOwn(KINDS, kind))) return null;
  if (typeof each.query !== "object" || typeof each.ref !== "object" || !each.query || !each.ref) return null;
  return { verdict, kind, note, decided_at: decidedAt };
}

function matchPlaces() {
  const places = new Map();
  for (const upload of UPLOADS) {
    upload.matches.forEach((match, position) => {
      const exported = exportedDecision(upload, match, { verdict: "copy", note: "" });
      places.set(placeKey(exported, true), [upload.number, position]);
      places.set(placeKey(exported, false), [upload.number, position]);
    });
  }
  return places;
}

function placeKey(each, byEvidence) {
  const whose = byEvidence ? [each.evidence_digest] : [each.query_id, each.query_sha256, each.ref_descriptor_digest];
  return JSON.stringify([
    ...whose, each.ref_id, each.query.start_s, each.query.end_s, each.ref.start_s, each.ref.end_s,
  ]);
}
