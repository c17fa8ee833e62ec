"use strict";
// Colours of text, axes and grids come from the style sheet: they follow the theme and the printer.
const config = {
  background: "transparent",
  font: "system-ui, sans-serif",
  view: {stroke: null},
  axis: {labelFontSize: 12, titleFontSize: 13, titleFontWeight: "normal"},
};
for (const place of document.querySelectorAll(".chart")) {
  const stored = document.getElementById(place.id.replace("figure", "spec"));
  const spec = {...JSON.parse(stored.textContent), config};
  // `ast` interprets expressions instead of compiling them: the page's policy forbids eval.
  vegaEmbed(place, spec, {actions: false, renderer: "svg", ast: true})
    .then(() => { place.dataset.drawn = "yes"; })
    .catch((error) => { place.textContent = `This figure could not be drawn: ${error.message}`; });
}
// On paper nothing can be opened.
const folded = document.querySelectorAll("details.printed:not([open])");
const unfold = (open) => () => { for (const part of folded) part.open = open; };
window.addEventListener("beforeprint", unfold(true));
window.addEventListener("afterprint", unfold(false));
