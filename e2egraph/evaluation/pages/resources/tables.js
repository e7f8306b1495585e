"use strict";
// Tables of class "sortable": a click on a header sorts by its column, a second click the other way round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    return "number" in cell.dataset ? Number(cell.dataset.number) : cell.textContent;
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const ascending = head.getAttribute("aria-sort") !== "ascending";
      const numeric = head.classList.contains("number");
      const rows = [...body.rows];
      rows.sort((one, other) => {
        const a = key(one, column), b = key(other, column);
        if (numeric) {
          // A figure that is absent stands last, whichever way.
          const absent = (typeof a !== "number") - (typeof b !== "number");
          if (absent !== 0 || typeof a !== "number") return absent;
          return ascending ? a - b : b - a;
        }
        const order = String(a).localeCompare(String(b), "en", { numeric: true });
        return ascending ? order : -order;
      });
      body.append(...rows);
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    });
  });
}

// What is folded on the screen is open on paper.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open])")) {
    folded.dataset.folded = "";
    folded.open = true;
  }
});
addEventListener("afterprint", () => {
  for (const folded of document.querySelectorAll("details[data-folded]")) {
    delete folded.dataset.folded;
    folded.open = false;
  }
});
