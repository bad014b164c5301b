// The tabs of one browser tell each other who holds it: a tab that was open before the tablet was handed over goes
// blank and loads again. It works where the browser lets tabs talk to each other.
"use strict";
{
  const holder = document.body.dataset.holder;
  const channel = new BroadcastChannel("holder");
  channel.onmessage = ({ data }) => {
    if (data === holder) return;
    document.body.hidden = true;
    location.replace(location.pathname); // without anything that was typed or searched for
  };
  channel.postMessage(holder);
  addEventListener("pagehide", () => channel.close());
}
