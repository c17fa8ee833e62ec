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
  const options = {actions: false, renderer: "svg", ast: true};
  vegaEmbed(place, spec, options)
    .then(() => { offer(place, spec, options); place.dataset.drawn = "yes"; })
    .catch((error) => { place.textContent = `This figure could not be drawn: ${error.message}`; });
}
// A figure for papers is drawn anew: on white, 640 wide, as `softwidth report --figure` saves it.
function offer(place, spec, options) {
  const line = place.parentElement.querySelector(".save");
  if (line === null) return;
  line.hidden = false;
  for (const button of line.querySelectorAll("button")) {
    const {name, format} = button.dataset;
    button.addEventListener("click", async () => {
      const paper = {...spec, width: 640, background: "white"};
      const {view} = await vegaEmbed(document.createElement("div"), paper, options);
      const link = document.createElement("a");
      link.href = await view.toImageURL(format, format === "png" ? 2 : 1);
      link.download = `${name}.${format}`;
      link.click();
      view.finalize();
    });
  }
}
