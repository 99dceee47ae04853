/* Boot, routes, settings, and what a test or an extension may hold on to.

   Routes       #/  the overview;  #/upload/17  an upload;  #/upload/17/2  its third match (from 0)
   Storage      localStorage: "vcd.review.settings" {theme, blur, keys, reviewer} and, for each upload with a decision,
                "vcd.decisions.<evidence digest>" {"<match>": {verdict, kind, note, decided_at}}
   Keys         overview: j k or arrows move, Enter opens, / searches. Upload: j k match, J K or [ ] upload, n p frame
                pair, 1 2 3 decide, 0 takes it back, u undo, space plays, Escape back. b blur, ? keys.
   Hooks        data-testid of
     everywhere home progress undo open-decisions blur theme open-keys storage-notice live
     overview   overview counts damaged search shown table rows no-rows foot
                filter-all filter-match filter-none filter-refused filter-partial filter-undecided   (aria-pressed)
                sort-name sort-verdict sort-score sort-matches sort-copied sort-refs sort-hints sort-unseen
                sort-decision                                                       (in a th with aria-sort)
                row (tr, data-upload="17", aria-rowindex, aria-current on one) with row-name (a) row-verdict
                row-score row-matches row-copied row-refs row-hints row-unseen row-decision
     upload     upload upload-name verdict facts previous-upload next-upload versions
                timelines lane-query lane-ref (data-ref) ribbon (data-match) unseen (list) missing rejected (list)
                match-0 match-1 ... (buttons, aria-current on the chosen one)
                match match-title sentence hints reasons
                decide-copy decide-not_a_copy decide-common_material (aria-pressed) decide-none kind note
                heat strip (canvas, role img) position (input range, seconds of the upload) readout
                pair pair-query pair-ref (canvas, data-time) best-0 best-1 ... (buttons)
                clips clip-query clip-ref (video) play reveal (shows a blurred picture)
     dialogs    decisions-dialog reviewer decisions-json download copy-json import import-result close-decisions
                keys-dialog keys-off close-keys
   On <html>    data-theme="auto|light|dark", data-blur="on|off", data-view="overview|upload",
                data-ready="<route>" once a view is complete
*/

const THEMES = ["auto", "light", "dark"];

function start() {
  setTheme(SETTINGS.theme);
  setBlur(SETTINGS.blur ?? document.documentElement.dataset.blur === "on");
  if (!STORAGE) tellOfStorage();
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
  byId("undo").addEventListener("click", undoLast);
  byId("open-decisions").addEventListener("click", openDecisions);
  byId("blur").addEventListener("click", toggleBlur);
  byId("open-keys").addEventListener("click", openKeys);
  byId("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(SETTINGS.theme) + 1) % THEMES.length];
    setSetting("theme", next);
    setTheme(next);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawPlots);
  byId("foot").textContent = "This report asks for nothing from a network. Decisions stay in this browser until they are exported.";
  onDecisions(showProgress);
  onDecisions(refreshDecisions);
  showProgress();
  startTable();
  startKeys();
  window.addEventListener("hashchange", route);
  route();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = THEMES.includes(theme) ? theme : "auto";
  byId("theme").textContent = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[document.documentElement.dataset.theme];
  redrawPlots();
}

function redrawPlots() {
  COLOURS.clear();
  for (const canvas of document.querySelectorAll("canvas.heat, canvas.strip")) canvas.redrawAnew();
}

let overviewScroll = 0;

async function route() {
  const [, number, match] = location.hash.match(/^#\/upload\/(\d+)(?:\/(\d+))?$/) || [];
  const root = document.documentElement;
  delete root.dataset.ready;
  const isUpload = number !== undefined && Number(number) < UPLOADS.length;
  if (root.dataset.view === "overview" && isUpload) overviewScroll = window.scrollY;
  const cameFrom = root.dataset.view === "upload" && HERE.upload ? HERE.upload.number : null;
  root.dataset.view = isUpload ? "upload" : "overview";
  byId("overview").hidden = isUpload;
  byId("upload").hidden = !isUpload;
  if (isUpload) {
    await showUpload(Number(number), Number(match || 0));
  } else {
    stopClips();
    forget("upload", "match");
    HERE.upload = HERE.details = null;
    byId("upload").replaceChildren();
    window.scrollTo(0, overviewScroll);
    if (cameFrom === null) drawRows();
    else showOverview(cameFrom);
  }
  root.dataset.ready = location.hash || "#/";
}

start();
