// Passkeys: asks the browser for one and sends its answer. Without script, passwords go on.
"use strict";
{
  const works = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON);
  for (const offer of document.querySelectorAll("[data-passkey-offer]")) offer.hidden = !works;
  const form = document.querySelector("form[data-passkey]");
  const ask = async () => {
    const failure = form.querySelector("[role=alert]");
    failure.hidden = true;
    try {
      const options = JSON.parse(form.dataset.options);
      const credential = form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch {
      // Cancelled, too slow, or no passkey for this address: the browser does not tell which.
      failure.hidden = false;
    }
  };
  if (form && works) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask();
    });
    ask();
  }
}
