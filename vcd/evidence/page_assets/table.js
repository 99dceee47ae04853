/* The overview: thousands of rows, of which only those near the screen are in the document.

   The table says how many rows there are and which is which (aria-rowcount, aria-rowindex). Rows are kept
   while they stay near, so that focus stays where it is; a row that is left behind hands it to the table. */

const VIEW = { sort: "verdict", direction: 1, filter: "all", search: "", rows: [], current: 0 };
const SHOWN_ROWS = new Map();
const SPARE_ROWS = 12;
let rowHeight = 0;

function startTable() {
  byId("table-head").append(...COLUMNS.map(headCell));
  byId("filters").append(...FILTERS.map(filterButton));
  byId("search").addEventListener("input", (event) => {
    VIEW.search = event.target.value;
    arrangeRows();
  });
  window.addEventListener("scroll", () => drawRows(), { passive: true });
  window.addEventListener("resize", () => {
    rowHeight = 0;
    drawRows();
  });
  byId("rows").addEventListener("click", openClickedRow);
  byId("rows").addEventListener("focusin", (event) => {
    const row = event.target.closest("tr");
    if (row) setCurrent(Number(row.ariaRowIndex) - 2, false);
  });
  onDecisions(() => {
    byId("rows").replaceChildren();
    SHOWN_ROWS.clear();
    showFilterCounts();
    drawRows();
  });
  tellProblems();
  showFilterCounts();
  arrangeRows();
}

function headCell(column) {
  const sort = () => {
    const isSame = VIEW.sort === column.id;
    VIEW.direction = isSame ? -VIEW.direction : column.first;
    VIEW.sort = column.id;
    arrangeRows();
    announce(`Sorted by ${column.label}, ${VIEW.direction > 0 ? "ascending" : "descending"}`);
  };
  return el(
    "th",
    { scope: "col", role: "columnheader", class: `c-${column.id}${column.isNumber ? " number" : ""}`, data: { column: column.id } },
    button(column.label, sort, { testid: `sort-${column.id}`, class: "sort" }),
  );
}

function filterButton(filter) {
  const choose = () => {
    VIEW.filter = filter.id;
    arrangeRows();
  };
  return button([filter.label, " ", el("span", { class: "count" })], choose, {
    testid: `filter-${filter.id}`, data: { filter: filter.id }, "aria-pressed": "false",
  });
}

function showFilterCounts() {
  for (const filter of FILTERS) {
    const count = UPLOADS.filter(filter.holds).length;
    document.querySelector(`[data-filter="${filter.id}"] .count`).textContent = count.toLocaleString("en");
  }
  const number = (verdict) => UPLOADS.filter((upload) => upload.verdict === verdict).length;
  const partial = UPLOADS.filter((upload) => upload.isPartial).length;
  const done = progress();
  byId("counts").replaceChildren(
    `${counted(UPLOADS.length, "upload")} checked: `,
    el("strong", {}, number("match").toLocaleString("en")),
    ` with ${counted(NUM_MATCHES, "match", "matches")}, ${number("none").toLocaleString("en")} without a match` +
      (partial ? `; ${partial.toLocaleString("en")} only partly looked at` : "") +
      `; ${number("refused").toLocaleString("en")} could not be looked at. ` +
      `${done.uploads.toLocaleString("en")} ${done.uploads === 1 ? "upload is" : "uploads are"} decided.`,
  );
}

/* Filter, search and sort anew, and go to the top of the result. */
function arrangeRows() {
  const wanted = VIEW.search.toLowerCase().split(/\s+/).filter(Boolean);
  const filter = FILTERS.find((each) => each.id === VIEW.filter);
  const column = COLUMNS.find((each) => each.id === VIEW.sort);
  VIEW.rows = UPLOADS.filter(
    (upload) => filter.holds(upload) && wanted.every((word) => searchedText(upload).includes(word)),
  ).sort(VIEW.sort === "verdict" ? byVerdict(VIEW.direction) : comparison(column, VIEW.direction));
  VIEW.current = 0;
  for (const cell of byId("table-head").children) {
    const isSorted = cell.dataset.column === VIEW.sort;
    cell.setAttribute("aria-sort", !isSorted ? "none" : VIEW.direction > 0 ? "ascending" : "descending");
  }
  for (const each of byId("filters").querySelectorAll("button")) {
    each.setAttribute("aria-pressed", String(each.dataset.filter === VIEW.filter));
  }
  byId("table").setAttribute("aria-rowcount", String(VIEW.rows.length + 1));
  byId("shown").textContent = `${counted(VIEW.rows.length, "upload")} shown`;
  byId("no-rows").hidden = VIEW.rows.length > 0;
  byId("rows").replaceChildren();
  SHOWN_ROWS.clear();
  const top = tableTop();
  if (window.scrollY > top) window.scrollTo(0, top);
  drawRows();
}

/* As they come in a day's work: matches first, the surest first. */
function byVerdict(direction) {
  const verdict = comparison(COLUMNS[1], direction);
  const score = comparison(COLUMNS[2], -1);
  return (one, other) => (COLUMNS[1].key(one) === COLUMNS[1].key(other) ? score(one, other) : verdict(one, other));
}

function tableTop() {
  return byId("table").getBoundingClientRect().top + window.scrollY - headHeight();
}

/* What stays at the top of the screen covers rows: bar and column heads. */
function headHeight() {
  return document.querySelector("header.top").offsetHeight;
}

function drawRows() {
  if (byId("overview").hidden) return;
  const body = byId("rows");
  if (!rowHeight && VIEW.rows.length) {
    body.append(rowOf(0));
    const row = body.firstElementChild;
    rowHeight = row.getBoundingClientRect().height + parseFloat(getComputedStyle(row).marginBottom) || 40;
    body.replaceChildren();
    SHOWN_ROWS.clear();
  }
  const above = byId("space-above").getBoundingClientRect().top;
  const first = clamp(Math.floor(-above / (rowHeight || 40)) - SPARE_ROWS, 0, VIEW.rows.length);
  const number = Math.ceil(window.innerHeight / (rowHeight || 40)) + 2 * SPARE_ROWS;
  const stop = Math.min(first + number, VIEW.rows.length);
  if (SHOWN_ROWS.size === stop - first && SHOWN_ROWS.has(first) && SHOWN_ROWS.has(stop - 1)) return;
  const hadFocus = body.contains(document.activeElement);
  for (const [position, row] of SHOWN_ROWS) {
    if (position < first || position >= stop) {
      row.remove();
      SHOWN_ROWS.delete(position);
    }
  }
  for (let position = stop - 1, next = null; position >= first; position -= 1) {
    if (!SHOWN_ROWS.has(position)) {
      const row = rowOf(position);
      SHOWN_ROWS.set(position, row);
      body.insertBefore(row, next);
    }
    next = SHOWN_ROWS.get(position);
  }
  byId("space-above").style.setProperty("--space", `${first * rowHeight}px`);
  byId("space-below").style.setProperty("--space", `${(VIEW.rows.length - stop) * rowHeight}px`);
  if (hadFocus && !body.contains(document.activeElement)) byId("main").focus({ preventScroll: true });
}

function rowOf(position) {
  const upload = VIEW.rows[position];
  const cells = COLUMNS.map((column) =>
    el(
      column.id === "name" ? "th" : "td",
      {
        role: column.id === "name" ? "rowheader" : "cell", scope: column.id === "name" ? "row" : null,
        class: `c-${column.id}${column.isNumber ? " number" : ""}`, testid: column.id === "name" ? null : `row-${column.id}`,
      },
      el("div", { class: "fit", data: { label: column.label } }, column.show(upload)),
    ),
  );
  return el(
    "tr",
    {
      role: "row", testid: "row", data: { upload: upload.number }, "aria-rowindex": position + 2,
      "aria-current": position === VIEW.current,
    },
    ...cells,
  );
}

function openClickedRow(event) {
  const row = event.target.closest("tr");
  if (!row || event.target.closest("a") || String(window.getSelection())) return;
  location.hash = `#/upload/${row.dataset.upload}`;
}

function setCurrent(position, isFocused) {
  SHOWN_ROWS.get(VIEW.current)?.removeAttribute("aria-current");
  VIEW.current = clamp(position, 0, Math.max(0, VIEW.rows.length - 1));
  if (isFocused) showPosition(VIEW.current);
  const row = SHOWN_ROWS.get(VIEW.current);
  row?.setAttribute("aria-current", "true");
  if (isFocused) row?.querySelector("a").focus({ preventScroll: true });
}

/* Scroll so that a row is whole on the screen, below what is fixed at its top. */
function showPosition(position) {
  const top = byId("space-above").getBoundingClientRect().top + window.scrollY + position * rowHeight;
  const covered = headHeight() + byId("table-head").offsetHeight;
  if (top < window.scrollY + covered) window.scrollTo(0, top - covered);
  else if (top + rowHeight > window.scrollY + window.innerHeight) window.scrollTo(0, top + rowHeight - window.innerHeight);
  drawRows();
}

/* Come back from an upload to its row. */
function showOverview(number) {
  const position = VIEW.rows.findIndex((upload) => upload.number === number);
  drawRows();
  if (position >= 0) setCurrent(position, true);
  else byId("overview-title").focus({ preventScroll: true });
}

function tellProblems() {
  const problems = Object.entries(DATA.problems);
  if (!problems.length) return;
  byId("damaged").append(
    el(
      "details",
      { class: "notice" },
      el("summary", {}, `${counted(problems.length, "evidence folder")} could not be shown as ${problems.length === 1 ? "it" : "they"} should`),
      el("ul", {}, problems.map(([folder, said]) => el("li", {}, name(folder), ": ", said.map((each) => name(each))))),
    ),
  );
}
