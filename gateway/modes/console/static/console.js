// What all pages have: live views that stop when nobody looks, a pause, copying, ticking all.
"use strict";
(() => {
  const EVERY = 2000;
  const paused = new Set();

  for (const one of document.querySelectorAll("[data-without-script]")) one.hidden = true;

  for (const all of document.querySelectorAll("[data-all]")) {
    all.addEventListener("change", () => {
      for (const one of document.querySelectorAll(`.${all.dataset.all}`)) one.checked = all.checked;
    });
  }

  for (const button of document.querySelectorAll("[data-pause]")) {
    button.addEventListener("click", () => {
      const id = button.dataset.pause;
      const stop = !paused.has(id);
      if (stop) paused.add(id); else paused.delete(id);
      button.setAttribute("aria-pressed", String(stop));
      button.textContent = stop ? "Go on" : "Pause";
    });
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      button.textContent = "Copied";
    });
  }

  // A view is asked for anew by the event `live` (`hx-trigger="live"`), or by a script of its own.
  setInterval(() => {
    if (document.hidden) return;
    for (const one of document.querySelectorAll("[data-live]")) {
      // What somebody is reading with the keyboard stays as it is.
      if (!paused.has(one.id) && !one.contains(document.activeElement)) {
        one.dispatchEvent(new CustomEvent("live"));
      }
    }
  }, EVERY);
})();
