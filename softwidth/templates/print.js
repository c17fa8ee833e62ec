"use strict";
{
  // On paper nothing can be opened.
  const folded = document.querySelectorAll("details.printed:not([open])");
  const unfold = (open) => () => { for (const part of folded) part.open = open; };
  window.addEventListener("beforeprint", unfold(true));
  window.addEventListener("afterprint", unfold(false));
}
