"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const plots = [...document.querySelectorAll(".plot svg")];
const grid = [...document.querySelectorAll(".beside img")];
let place = 0;

function nearest(frame) {
  let best = 0;
  data.frames.forEach((one, n) => {
    if (Math.abs(one - frame) < Math.abs(data.frames[best] - frame)) best = n;
  });
  return best;
}

function put(image, which, at) {
  const picture = data.pictures[at][which];
  image.classList.toggle("none", !picture);
  if (picture) image.src = picture;
}

function chosen(side, otherwise) {
  return by(side) ? Number(by(side).value) : otherwise;
}

function xOf(svg, frame) {
  const { first, last } = svg.dataset;
  return (1000 * (frame - first)) / Math.max(1, last - first);
}

function show(at, asked) {
  place = Math.max(0, Math.min(data.frames.length - 1, at));
  const frame = data.frames[place];
  const left = chosen("left", 0);
  const right = chosen("right", 1);
  put(by("left-picture"), left, place);
  put(by("right-picture"), right, place);
  put(by("dock-left"), left, place);
  put(by("dock-right"), right, place);
  grid.forEach((image) => put(image, Number(image.dataset.of), place));
  by("scrub").value = place;
  const near = asked !== undefined && asked !== frame ? ", nearest to " + asked : "";
  const told = "frame " + frame + ", " + data.seconds[place].toFixed(2) + " s" + near;
  by("where").textContent = told;
  by("dock-where").textContent = told;
  by("scrub").setAttribute("aria-valuetext", told);
  for (const svg of plots) {
    const head = svg.querySelector(".head");
    head.setAttribute("visibility", "visible");
    for (const end of ["x1", "x2"]) head.setAttribute(end, xOf(svg, frame));
  }
}

// The pictures.

for (const image of document.querySelectorAll("img[data-still]")) {
  put(image, Number(image.dataset.of), nearest(Number(image.dataset.still)));
}
by("scrub").addEventListener("input", () => show(Number(by("scrub").value)));
by("before").addEventListener("click", () => show(place - 1));
by("after").addEventListener("click", () => show(place + 1));
for (const side of ["left", "right"]) {
  if (by(side)) by(side).addEventListener("change", () => show(place));
}
const line = by("line");
function split() {
  line.parentElement.style.setProperty("--x", line.value + "%");
}
line.addEventListener("input", split);
split();

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("input, select, textarea")) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  show(place + step);
});

// What leads to a frame.

for (const button of document.querySelectorAll(".seek")) {
  button.addEventListener("click", () => {
    const frame = Number(button.dataset.frame);
    show(nearest(frame), frame);
    by("pictures").scrollIntoView({ block: "start" });
  });
}

function frameAt(svg, event) {
  const box = svg.getBoundingClientRect();
  const { first, last } = svg.dataset;
  const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
  return Math.round(Number(first) + share * (last - first));
}

function valueAt(svg, drawn, frame) {
  const x = xOf(svg, frame);
  let best = null;
  for (const part of drawn) {
    for (const point of part.points) {
      if (best === null || Math.abs(point.x - x) < Math.abs(best.x - x)) best = { x: point.x, y: point.y };
    }
  }
  const { low, high, places } = svg.dataset;
  return (Number(low) + (1 - best.y / 160) * (high - low)).toFixed(places);
}

for (const svg of plots) {
  const value = svg.closest(".plot").querySelector(".value");
  const lines = new Map();
  for (const drawn of svg.querySelectorAll(".line")) {
    const whose = drawn.dataset.of;
    lines.set(whose, [...(lines.get(whose) || []), drawn]);
  }
  svg.addEventListener("pointermove", (event) => {
    const frame = frameAt(svg, event);
    const told = [...lines.values()].map((drawn) => drawn[0].dataset.name + " " + valueAt(svg, drawn, frame));
    value.textContent = "frame " + frame + ": " + told.join(", ");
  });
  svg.addEventListener("pointerleave", () => { value.textContent = ""; });
  svg.addEventListener("click", (event) => {
    const frame = frameAt(svg, event);
    show(nearest(frame), frame);
  });
}

// A small copy of the pictures where they are out of sight and plots are in it.

const seen = { pictures: true, plots: false };
function dock() {
  by("dock").hidden = seen.pictures || !seen.plots;
}
const watch = new IntersectionObserver((entries) => {
  for (const entry of entries) seen[entry.target.id] = entry.isIntersecting;
  dock();
});
for (const id of Object.keys(seen)) {
  if (by(id)) watch.observe(by(id));
}
by("dock").addEventListener("click", () => by("pictures").scrollIntoView({ block: "start" }));
show(0);
