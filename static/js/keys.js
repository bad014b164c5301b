// Keys of one letter: j and k go through a list, / to the search. The pages work without them.
"use strict";
{
  const note = document.querySelector(".keys");
  const toggle = note?.querySelector("button");
  const links = [...document.querySelectorAll('.inbox th[scope="row"] a')];
  // WCAG 2.1.4: people who speak to their computer type letters that they do not mean.
  const areOn = () => localStorage.getItem("keys") !== "off";
  const show = () => {
    note.querySelector("span").hidden = !areOn();
    toggle.textContent = areOn() ? note.dataset.off : note.dataset.on;
    note.hidden = false;
  };
  const step = (by) => {
    const link = document.querySelector(`a[rel="${by > 0 ? "next" : "prev"}"]`);
    if (!links.length) return link?.click();
    const place = links.indexOf(document.activeElement);
    links[place < 0 ? (by > 0 ? 0 : links.length - 1) : place + by]?.focus();
  };
  const actions = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => document.querySelector("#search")?.focus(),
  };
  if (note) {
    show();
    toggle.addEventListener("click", () => {
      localStorage.setItem("keys", areOn() ? "off" : "on");
      show();
    });
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.closest("input:not([type=checkbox]), select, textarea");
      if (!areOn() || isTyping || event.ctrlKey || event.altKey || event.metaKey || !(event.key in actions)) return;
      event.preventDefault();
      actions[event.key]();
    });
  }
}
