// Pages of one browser tell each other in whose hands it is: a tab that was open before the tablet changed hands
// goes blank and is asked for anew. Works where pages of several tabs may talk to each other.
"use strict";
{
  const hands = document.body.dataset.hands;
  const line = new BroadcastChannel("hands");
  line.onmessage = ({ data }) => {
    if (data === hands) return;
    document.body.hidden = true;
    location.replace(location.pathname); // without anything that was typed or searched for
  };
  line.postMessage(hands);
  addEventListener("pagehide", () => line.close());
}
