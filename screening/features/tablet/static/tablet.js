// Asks the person with a shared tablet whether more time is needed, and ends the turn without an answer.
"use strict";
{
  const EVERY = 1000; // milliseconds
  const SAID_EVERY = 10; // seconds, in which what is left is read aloud
  const dialog = document.querySelector(".still-there");
  const [idle, answer] = [dialog.dataset.idle * 1000, dialog.dataset.answer * 1000];
  const said = dialog.querySelector("[data-said]");
  let touched = Date.now(); // a time, not a count: the timers of a tablet that sleeps stand still
  let asked = 0;
  let spoken = 0;

  const extend = () => {
    touched = Date.now();
    asked = spoken = 0;
  };
  const giveBack = () => {
    clearInterval(timer);
    document.body.hidden = true;
    document.getElementById("give-back").submit();
  };
  const look = () => {
    const now = Date.now();
    if (!asked && now - touched >= idle + answer) return giveBack();
    if (!asked && now - touched >= idle) {
      asked = now; // the whole time to answer, however late the question
      dialog.showModal();
    }
    if (!asked) return;
    const left = Math.ceil((asked + answer - now) / 1000);
    if (left <= 0) return giveBack();
    dialog.querySelector("[data-left]").textContent = left;
    if (spoken === Math.ceil(left / SAID_EVERY)) return;
    spoken = Math.ceil(left / SAID_EVERY);
    said.textContent = `${said.dataset.said} ${left}`;
  };
  const timer = setInterval(look, EVERY);

  for (const sign of ["pointerdown", "keydown", "input", "wheel", "scroll", "focusin"]) {
    addEventListener(sign, () => asked || extend(), { capture: true, passive: true });
  }
  dialog.addEventListener("submit", extend);
  dialog.addEventListener("close", () => asked && extend()); // by Escape
  document.addEventListener("visibilitychange", look);
  // Pages that the browser keeps in memory for Back are blank and load again: they may be the last patient's.
  addEventListener("pagehide", () => { document.body.hidden = true; });
  addEventListener("pageshow", (event) => { if (event.persisted) location.replace(location.pathname); });
}
