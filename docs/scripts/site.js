// The theme adds boxes around wide tables and buttons to code when a page has loaded, both without what keyboards and
// screen readers need: a box that scrolls must take the focus, and each group of buttons needs a name of its own.
const makeAccessible = () => {
  document.querySelectorAll(".md-typeset__scrollwrap").forEach((box) => {
    box.tabIndex = 0;
  });
  document.querySelectorAll(".md-code__nav").forEach((buttons, number) => {
    const name = `Code ${number + 1}`;
    if (buttons.getAttribute("aria-label") !== name) buttons.setAttribute("aria-label", name);
  });
};
new MutationObserver(makeAccessible).observe(document.body, { childList: true, subtree: true });
makeAccessible();
