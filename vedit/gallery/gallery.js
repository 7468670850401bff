
"use strict";
const looks = [...document.querySelectorAll(".look")];
const count = document.getElementById("count");

function place(slider) {
  slider.parentElement.style.setProperty("--x", slider.value + "%");
}

for (const slider of document.querySelectorAll(".pair input")) {
  slider.addEventListener("input", () => place(slider));
  place(slider);
}

document.getElementById("all").addEventListener("input", (event) => {
  for (const slider of document.querySelectorAll(".pair input")) {
    slider.value = event.target.value;
    place(slider);
  }
});

function filter() {
  const words = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const look of looks) look.hidden = !words.every((word) => look.dataset.words.includes(word));
  for (const group of document.querySelectorAll("section")) group.hidden = !group.querySelector(".look:not([hidden])");
  const shown = looks.filter((look) => !look.hidden).length;
  count.textContent = shown + (shown === 1 ? " look" : " looks");
}
document.getElementById("filter").addEventListener("input", filter);
filter();

const asShown = document.getElementById("as-shown");
function spell() {
  for (const part of document.querySelectorAll("code .quality")) part.hidden = !asShown.checked;
}
if (asShown) {
  asShown.addEventListener("change", spell);
  spell();
}

function told(code) {
  return [...code.childNodes].filter((part) => !part.hidden).map((part) => part.textContent).join("");
}

async function copy(text) {
  try {
    if (window.isSecureContext && navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // Refused: the old way may still work.
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    area.remove();
  }
}

for (const button of document.querySelectorAll(".named button")) {
  button.addEventListener("click", async () => {
    const code = button.closest(".look").querySelector("code");
    const done = await copy(told(code));
    button.focus();
    if (!done) window.getSelection().selectAllChildren(code);
    button.textContent = done ? "Copied" : "Marked";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
