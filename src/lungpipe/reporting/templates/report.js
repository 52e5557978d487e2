"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const value = (row, column) => row.cells[column].textContent.trim();
  const compare = (a, b) => {
    const x = parseFloat(a), y = parseFloat(b);
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    // cells without a number come last in ascending order
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
    return a.localeCompare(b, "en");
  };
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const isDown = heading.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => compare(value(a, column), value(b, column)));
      body.append(...(isDown ? rows.reverse() : rows));
    });
  });
}
for (const search of document.querySelectorAll(".search")) {
  const table = document.getElementById(search.dataset.table);
  const input = search.querySelector("input");
  const shown = search.querySelector("output");
  const rows = [...table.tBodies[0].rows];
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = [...row.cells].map((cell) => cell.textContent.trim().toLowerCase()).join(" ");
      row.hidden = !words.every((word) => text.includes(word));
    }
    const count = rows.filter((row) => !row.hidden).length;
    shown.textContent = `${count} of ${rows.length} rows`;
  };
  search.hidden = false;
  input.addEventListener("input", filter);
  filter();
}
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
