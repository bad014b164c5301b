// Every fault in the structure of a page, one line each. `language`: the language the page must be in; `error`:
// whether it must be in an error state. Only what axe does not look at, or looks at less strictly. Pages for staff are in
// the clinic's language and have a heading of their own above their groups.
({ language, error }) => {
  const faults = [];
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const words = (element) => element.textContent.replace(/\s+/g, " ").trim();
  const require = (holds, what, element) => {
    if (!holds) faults.push(element ? `${what}: ${element.outerHTML.slice(0, 160)}` : what);
  };
  const visible = (element) => element.checkVisibility({ visibilityProperty: true });
  const described = (element) =>
    (element.getAttribute("aria-describedby") || "").split(" ").filter(Boolean).map((id) => document.getElementById(id));
  const TARGET = 44 - 0.01; // px; layout may be off by rounding
  const root = document.documentElement;
  const staff = /^\/(clinic|admin|account|tablet)(\/|$)/.test(location.pathname);

  // The page
  require(root.lang === language, `lang is ${root.lang}`);
  require(root.dir === "ltr", `dir is ${root.dir}`);
  require(/^[\p{L}¿¡]/u.test(document.title), `title is “${document.title}”`);
  require(document.title.startsWith("Error:") === error, `title is “${document.title}”`);
  require(all("h1").length === 1 && words(all("h1")[0]) !== "", `${all("h1").length} h1`);
  const ids = all("[id]").map((element) => element.id);
  require(new Set(ids).size === ids.length, `ids are not unique: ${ids}`);
  require(all("[style], style, script:not([src])").length === 0, "inline style or script");
  require(root.scrollWidth <= root.clientWidth, `${root.scrollWidth} px wide on a screen of ${root.clientWidth} px`);

  // Language switch
  const current = all("nav.languages [aria-current]");
  const others = all("nav.languages button[name=language]");
  if (staff) {
    require(current.length + others.length === 0, "a language switch that changes nothing");
  } else {
    require(current.length === 1 && current[0].lang === language, "the language switch does not mark the language");
    require(others.length > 0, "no other language is offered");
  }
  others.forEach((button) => require(button.lang === button.value && words(button), "language without name", button));

  // Inputs, groups, questions
  for (const input of all("input:not([type=hidden], [hidden]), textarea, select")) {
    require([...input.labels].some((label) => words(label)), "input without label", input);
  }
  for (const input of all("input[type=radio], input[type=checkbox]")) {
    const group = input.closest("fieldset");
    require(group && group.firstElementChild.matches("legend") && words(group.firstElementChild), "group without legend", input);
    const names = all("input[type=radio], input[type=checkbox]", group)
      .filter((one) => one.closest("fieldset") === group)
      .map((one) => one.name);
    require(new Set(names).size === 1, `one group of several names ${names}`, input);
  }
  if (location.pathname.startsWith("/questions/") && all("input[type=radio]").length) require(all("form > fieldset > legend > h1").length === 1, "the h1 is not the legend");
  for (const element of all("[aria-describedby]")) {
    require(described(element).every((one) => one && words(one)), "described by what is not there", element);
  }

  // Errors
  const messages = all("p.error");
  for (const message of messages) {
    const owners = all(`[aria-describedby~="${message.id}"]`);
    require(message.id && owners.length, "error that describes nothing", message);
    require(owners.every((one) => one.parentElement.contains(message) || one.contains(message)
      || one.closest("fieldset").contains(message)), "error far from what it describes", message);
  }
  for (const input of all("[aria-invalid=true]")) {
    require(described(input).some((one) => one && one.matches(".error")), "invalid input without its error", input);
  }
  const summaries = all(".error-summary");
  require(summaries.length === (error ? 1 : 0), `${summaries.length} error summaries`);
  require((messages.length > 0) === error, `${messages.length} errors beside fields`);
  if (error && summaries.length) {
    require(document.activeElement === summaries[0], "the error summary is not focused", document.activeElement);
    const links = all("a", summaries[0]);
    require(links.length === messages.length, `${links.length} lines for ${messages.length} errors`);
    for (const link of links) {
      const target = document.getElementById(link.getAttribute("href").slice(1));
      require(target && target.matches("input, textarea, select") && visible(target), "leads to no input", link);
      const owner = target && [target, target.closest("fieldset")].find((one) => one && described(one).some((by) => by.matches(".error")));
      const same = owner && described(owner).some((by) => by.matches(".error") && words(by).endsWith(words(link)));
      require(same, "says something else beside the field", link);
    }
  }

  // Targets; a link inside a sentence may be as high as its line
  const inSentence = (link) =>
    link.matches("a") && [...link.parentNode.childNodes].some((node) => node !== link && node.textContent.trim());
  for (const target of all("a[href], button, input:not([type=radio], [type=checkbox]), textarea, select, .choice label, .roles label")) {
    if (!visible(target) || inSentence(target)) continue;
    const box = target.getBoundingClientRect();
    require(box.height >= TARGET && box.width >= TARGET, `target of ${box.width} x ${box.height} px`, target);
  }
  return faults;
}
