"use strict";
// Rows in pages, and only those that contain what was typed.
for (const part of document.querySelectorAll("details.rows")) {
  const size = 20;
  const rows = [...part.querySelectorAll("tbody tr")];
  const typed = part.querySelector("input");
  const [back, on] = part.querySelectorAll("button");
  let first = 0;
  const show = () => {
    const wanted = typed.value.toLowerCase();
    const found = rows.filter((row) => row.textContent.toLowerCase().includes(wanted));
    first = Math.max(0, Math.min(first, size * Math.floor((found.length - 1) / size)));
    const page = new Set(found.slice(first, first + size));
    for (const row of rows) row.hidden = !page.has(row);
    back.disabled = first === 0;
    on.disabled = first + size >= found.length;
    part.querySelector(".place").textContent = `${found.length ? first + 1 : 0} to ${first + page.size} of ${found.length}`;
  };
  typed.addEventListener("input", () => { first = 0; show(); });
  back.addEventListener("click", () => { first -= size; show(); });
  on.addEventListener("click", () => { first += size; show(); });
  part.querySelector(".controls").hidden = false;
  show();
}
