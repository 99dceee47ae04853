/* The dialog of decisions: how far one is, take them out as JSON, take them in again. */

function openDecisions() {
  const dialog = byId("decisions");
  const far = el("span", { testid: "decided" });
  const text = el("textarea", { id: "decisions-json", testid: "decisions-json", readonly: true, rows: 8, spellcheck: "false" });
  const show = () => {
    text.value = JSON.stringify(decisionsDocument(now(), SETTINGS.reviewer), null, 1);
    far.textContent = `${progress().matches.toLocaleString("en")} of ${counted(NUM_MATCHES, "match", "matches")} decided.`;
  };
  const result = el("p", { class: "hint", testid: "import-result", role: "status" });
  const reviewer = el("input", {
    type: "text", id: "reviewer", testid: "reviewer", value: SETTINGS.reviewer, maxlength: 200, dir: "auto", autocomplete: "off",
    on: {
      input: (event) => {
        setSetting("reviewer", event.target.value);
        show();
      },
    },
  });
  const copied = async () => {
    text.select();
    try {
      await navigator.clipboard.writeText(text.value);
      result.textContent = "Copied.";
    } catch {
      result.textContent = "Press Ctrl+C to copy what is selected.";
    }
  };
  const taken = async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    result.textContent = file.size > 64e6 ? "This file is too large to be decisions." : importDecisions(await file.text());
    event.target.value = "";
    show();
  };
  dialog.replaceChildren(
    el("h2", { id: "decisions-title" }, "Decisions"),
    el("p", {}, far, " Decisions are kept in this browser; a file of them goes to ", el("code", {}, "vcd feedback FILE --index DIR"), "."),
    el("p", {}, el("label", { for: "reviewer" }, "Reviewer "), reviewer),
    el("p", {}, el("label", { for: "decisions-json" }, "The file"), text),
    el(
      "p",
      { class: "playing" },
      button("Download", () => download(text.value), { testid: "download", class: "main" }),
      button("Copy the text", copied, { testid: "copy-json" }),
      el("label", { class: "file" }, "Import a file ", el("input", { type: "file", accept: ".json,application/json", testid: "import", on: { change: taken } })),
    ),
    result,
    el("p", { class: "end" }, button("Close", () => dialog.close(), { testid: "close-decisions" })),
  );
  show();
  dialog.showModal();
}

function download(text) {
  const address = URL.createObjectURL(new Blob([text, "\n"], { type: "application/json" }));
  const link = el("a", { href: address, download: `decisions-${now().slice(0, 10)}.json` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

function showProgress() {
  byId("progress").textContent = `${progress().matches.toLocaleString("en")} of ${counted(NUM_MATCHES, "match", "matches")} decided`;
  byId("undo").disabled = UNDOS.length === 0;
}

function undoLast() {
  const last = undo();
  if (!last) {
    announce("Nothing to undo");
    return;
  }
  const isElsewhere = HERE.upload?.number !== last.number || byId("upload").hidden;
  announce(`Undone: match ${last.match + 1} of ${visible(UPLOADS[last.number].id)}`);
  if (isElsewhere) location.hash = `#/upload/${last.number}/${last.match}`;
  else goToMatch(last.match, false);
}
