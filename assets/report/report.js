"use strict";
// Sorting: a click on a column's name sorts by it, a second one turns the order around. Cells without a number sort last.
for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const column = [...head.parentNode.children].indexOf(head);
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows];
    const key = (row) => row.cells[column];
    const numeric = rows.some((row) => key(row).dataset.sort !== undefined);
    const compare = (a, b) => {
      if (!numeric) return key(a).textContent.localeCompare(key(b).textContent, undefined, { numeric: true }) * (down ? -1 : 1);
      const [x, y] = [a, b].map((row) => (key(row).dataset.sort === undefined ? NaN : Number(key(row).dataset.sort)));
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return (x - y) * (down ? -1 : 1);
    };
    body.append(...rows.sort(compare));
  });
}
// What a mark stands for: browsers show an SVG's <title> late and not everywhere, so it is shown at once, beside the pointer.
const tip = document.getElementById("tip");
for (const title of document.querySelectorAll(".paper svg :is(circle, polygon, rect, polyline) > title")) {
  const mark = title.parentNode;
  const text = title.textContent;
  title.remove();
  mark.setAttribute("aria-label", text);
  mark.dataset.note = text;
}
document.addEventListener("pointermove", (event) => {
  const note = event.target.dataset ? event.target.dataset.note : undefined;
  tip.hidden = note === undefined;
  if (note === undefined) return;
  tip.textContent = note;
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const top = event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18;
  tip.style.left = `${Math.max(left, 8)}px`;
  tip.style.top = `${top}px`;
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
