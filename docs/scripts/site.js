// The theme adds boxes around wide tables and buttons to code when a page has loaded, both without what keyboards and
// screen readers need: a box that scrolls must take the focus, and each group of buttons needs a name of its own.
// Code that scrolls takes the focus by the theme, but not on a screen that is touched, which may have a keyboard too.
const takeFocus = (box) => {
  if (box.tabIndex !== 0) box.tabIndex = 0;
};
const makeAccessible = () => {
  document.querySelectorAll(".md-typeset__scrollwrap").forEach(takeFocus);
  document.querySelectorAll("pre > code").forEach((code) => {
    if (code.scrollWidth > code.clientWidth) takeFocus(code);
  });
  document.querySelectorAll(".md-code__nav").forEach((buttons, number) => {
    const name = `Code ${number + 1}`;
    if (buttons.getAttribute("aria-label") !== name) buttons.setAttribute("aria-label", name);
  });
};
const changes = { childList: true, subtree: true, attributes: true, attributeFilter: ["tabindex"] };
new MutationObserver(makeAccessible).observe(document.body, changes);
window.addEventListener("resize", makeAccessible);
makeAccessible();
