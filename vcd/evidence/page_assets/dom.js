/* Make elements from data. Nothing from outside becomes markup: text goes in as text. */

const SVG = "http://www.w3.org/2000/svg";

function byId(id) {
  return document.getElementById(id);
}

/* el("p", {class: "lead", testid: "counts"}, "3 of ", name("x")): null children are left out. */
function el(tag, attributes, ...children) {
  const node = tag.startsWith("svg:")
    ? document.createElementNS(SVG, tag.slice(4))
    : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) put(node, key, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

function put(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key === "testid") node.dataset.testid = value;
  else if (key === "on") for (const [type, act] of Object.entries(value)) node.addEventListener(type, act);
  else if (key === "style") for (const [name, text] of Object.entries(value)) node.style.setProperty(name, text);
  else if (key === "data") Object.assign(node.dataset, value);
  else node.setAttribute(key, value === true ? "" : String(value));
}

function button(label, act, attributes) {
  return el("button", { type: "button", ...attributes, on: { click: act } }, label);
}

/* Controls, bidirectional marks, invisible characters and halves of pairs become ⟨U+202E⟩. */
const UNSEEN_CHARACTERS = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]" +
    "|[\\u{e0000}-\\u{e007f}]|\\p{Surrogate}",
  "gu",
);

function visible(text) {
  return String(text).replace(
    UNSEEN_CHARACTERS,
    (sign) => `⟨U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
  );
}

/* A name from outside: isolated, so that it cannot turn the row around that it stands in. */
function name(text, attributes) {
  return el("bdi", { class: "name", dir: "auto", ...attributes }, visible(text));
}

/* Parts of a sentence: text of ours as strings, names from outside as [name]. */
function sentence(parts) {
  return parts.map((part) => (Array.isArray(part) ? name(part[0]) : part));
}

function plain(parts) {
  return parts.map((part) => (Array.isArray(part) ? visible(part[0]) : part)).join("");
}

/* How long something is: "31.0 s", "1 min 31 s", "2 h 5 min". */
function lengthWords(value) {
  if (value < 60) return `${value.toFixed(1)} s`;
  const total = Math.round(value);
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
}

/* A moment: "75.2 s"; from ten minutes on, or on a long axis, "12:05.2". */
function clock(value, digits = 1, isLong = Math.abs(value) >= 600) {
  if (!isLong) return `${value.toFixed(digits)} s`;
  const total = Number(Math.abs(value).toFixed(digits));
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor(total / 60) % 60;
  const rest = (total % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return `${value < 0 ? "-" : ""}${hours ? `${hours}:${String(minutes).padStart(2, "0")}` : minutes}:${rest}`;
}

function percent(share) {
  return share > 0 && share < 0.01 ? "<1 %" : `${Math.round(share * 100)} %`;
}

function counted(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/* Tell those who do not see the screen. */
function announce(text) {
  byId("live").textContent = "";
  requestAnimationFrame(() => (byId("live").textContent = visible(text)));
}

/* Resolve a colour of the style sheet for a canvas: "--heat-3" -> "rgb(...)"; kept until the theme changes. */
const COLOURS = new Map();

function colour(variable) {
  if (!COLOURS.has(variable)) {
    const probe = byId("live");
    probe.style.color = `var(${variable})`;
    COLOURS.set(variable, getComputedStyle(probe).color);
    probe.style.color = "";
  }
  return COLOURS.get(variable);
}

/* Size a canvas to its box in device pixels and hand back its context in CSS pixels. */
function canvasContext(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
