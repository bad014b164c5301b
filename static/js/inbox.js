// Announces new screenings without moving the page. The inbox works without it.
"use strict";
{
  const EVERY = 20000; // milliseconds
  const note = document.querySelector("[data-arrivals]");
  const ask = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(note.dataset.arrivals, { redirect: "manual" });
      if (!answer.ok) return;
      const { arrived } = await answer.json();
      if (!arrived) return;
      note.querySelector("span").textContent = arrived === 1 ? note.dataset.one : note.dataset.many.replace("{n}", arrived);
      note.firstElementChild.hidden = false;
    } catch {
      // Signed out or no connection: the next page that is opened says so.
    }
  };
  setInterval(ask, EVERY);
  document.addEventListener("visibilitychange", ask);
}
