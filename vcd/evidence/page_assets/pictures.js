/* Pictures from sheets (many in one file), drawn where they are wanted, and blurred until asked for. */

const SHEET_FILES = new Map();
const MOST_SHEETS = 40;

/* The image of a sheet; null when it cannot be shown. */
function sheetImage(sheet) {
  if (!SHEET_FILES.has(sheet.file)) {
    const image = new Image();
    const loaded = new Promise((resolve) => {
      image.addEventListener("load", () => resolve(image));
      image.addEventListener("error", () => resolve(null));
    });
    image.src = sheet.file;
    SHEET_FILES.set(sheet.file, loaded);
    if (SHEET_FILES.size > MOST_SHEETS) SHEET_FILES.delete(SHEET_FILES.keys().next().value);
  }
  return SHEET_FILES.get(sheet.file);
}

function nearest(times, time) {
  let best = 0;
  for (let i = 1; i < times.length; i += 1) {
    if (Math.abs(times[i] - time) < Math.abs(times[best] - time)) best = i;
  }
  return best;
}

function tileOf(sheet, ordinal) {
  const [width, height] = sheet.size;
  const [row, column] = [Math.floor(ordinal / sheet.columns), ordinal % sheet.columns];
  return [column * width, row * height, width, height];
}

/* Fill a canvas with picture `ordinal` of a sheet, at the size that it has in the file. */
async function drawPicture(canvas, sheet, ordinal) {
  const time = sheet.t[ordinal].toFixed(2);
  if (canvas.dataset.time === time && canvas.dataset.file === sheet.file) return;
  Object.assign(canvas.dataset, { time, file: sheet.file });
  const image = await sheetImage(sheet);
  if (!image || canvas.dataset.time !== time) return;
  const [x, y, width, height] = tileOf(sheet, ordinal);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, width, height);
}

/* Lay pictures along a timeline: as many as fit, each the nearest to the middle of its place. */
async function drawFilm(canvas, sheet, duration_s) {
  const image = await sheetImage(sheet);
  if (!image || !canvas.isConnected || !canvas.clientWidth) return;
  const { context, width, height } = canvasContext(canvas);
  const tileWidth = Math.max(12, (sheet.size[0] / sheet.size[1]) * height);
  const number = Math.max(1, Math.round(width / tileWidth));
  const placeWidth = width / number;
  for (let place = 0; place < number; place += 1) {
    const time = ((place + 0.5) / number) * duration_s;
    const [x, y, w, h] = tileOf(sheet, nearest(sheet.t, time));
    const cut = Math.min(w, (placeWidth / height) * h);
    context.drawImage(image, x + (w - cut) / 2, y, cut, h, place * placeWidth, 0, placeWidth, height);
  }
}

/* Pictures that belong together, under one veil. Hold the button to look, or press it to leave them open. */
function veiled(attributes, ...children) {
  const box = el("div", { ...attributes, class: `veiled ${attributes.class || ""}` }, ...children);
  let pressedAt = 0;
  const reveal = button("Show pictures", () => {}, { class: "reveal", testid: "reveal", "aria-pressed": "false" });
  const set = (isOpen) => {
    box.toggleAttribute("data-revealed", isOpen);
    reveal.setAttribute("aria-pressed", String(isOpen));
    reveal.textContent = isOpen ? "Blur again" : "Show pictures";
  };
  let wasOpen = false;
  reveal.addEventListener("pointerdown", (event) => {
    reveal.setPointerCapture(event.pointerId);
    pressedAt = performance.now();
    wasOpen = box.hasAttribute("data-revealed");
    set(true);
  });
  reveal.addEventListener("click", () => {
    const isByKey = pressedAt === 0;
    const isHeld = performance.now() - pressedAt > 400;
    set(isByKey ? !box.hasAttribute("data-revealed") : !isHeld && !wasOpen);
    pressedAt = 0;
  });
  reveal.addEventListener("pointercancel", () => {
    if (pressedAt) set(wasOpen);
    pressedAt = 0;
  });
  box.append(reveal);
  return box;
}

function setBlur(isOn) {
  document.documentElement.dataset.blur = isOn ? "on" : "off";
  byId("blur").setAttribute("aria-pressed", String(isOn));
  for (const box of document.querySelectorAll(".veiled[data-revealed]")) box.querySelector(".reveal").click();
}

function toggleBlur() {
  const isOn = document.documentElement.dataset.blur !== "on";
  setSetting("blur", isOn);
  setBlur(isOn);
  announce(isOn ? "Pictures are blurred" : "Pictures are shown");
}
