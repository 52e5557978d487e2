// The table of candidates: sorted by a click on a heading, filtered by the threshold, a click on a row selects.

const COLUMNS = [
  { key: "number", title: "#", digits: 0, about: "number of the candidate" },
  { key: "probability", title: "score", digits: 2, about: "probability of being a nodule" },
  { key: "diameter_mm", title: "mm", digits: 1, about: "diameter" },
  { key: "malignancy", title: "malig.", digits: 2, about: "probability that readers think the nodule malignant; no diagnosis" },
  { key: "side", title: "side", about: "lung that holds the candidate" },
  { key: "slice_number", title: "slice", digits: 0, about: "slice of the scan, from 1" },
];

class CandidateTable {
  constructor(table, candidates, onSelect) {
    this.table = table;
    this.candidates = candidates;
    this.columns = COLUMNS.filter(({ key }) => candidates.some((candidate) => candidate[key] !== null));
    this.hasScores = this.columns.some(({ key }) => key === "probability");
    this.order = this.hasScores ? { key: "probability", isFalling: true } : { key: "number", isFalling: false };
    this.onSelect = onSelect;
    this.rows = new Map();
    const heading = table.tHead.insertRow();
    for (const { key, title, about } of this.columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      const button = document.createElement("button");
      button.textContent = title;
      button.title = `${about}; click to sort`;
      button.addEventListener("click", () => this.sortBy(key));
      cell.append(button);
      cell.dataset.key = key;
      heading.append(cell);
    }
    for (const candidate of candidates) this.rows.set(candidate, this.makeRow(candidate));
    this.sort();
  }

  makeRow(candidate) {
    const row = document.createElement("tr");
    row.tabIndex = 0;
    row.dataset.number = candidate.number;
    for (const { key, digits } of this.columns) {
      const value = candidate[key];
      const cell = row.insertCell();
      cell.textContent = value === null ? "–" : digits === undefined ? value : value.toFixed(digits);
    }
    row.addEventListener("click", () => this.onSelect(candidate));
    row.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.onSelect(candidate);
    });
    return row;
  }

  sortBy(key) {
    this.order = { key, isFalling: this.order.key === key ? !this.order.isFalling : key !== "number" && key !== "side" };
    this.sort();
  }

  sort() {
    const { key, isFalling } = this.order;
    const factor = isFalling ? -1 : 1;
    const compare = (a, b) => {
      if (a[key] === b[key]) return a.number - b.number;
      if (a[key] === null || b[key] === null) return a[key] === null ? 1 : -1; // unknown values last
      return factor * (a[key] < b[key] ? -1 : 1);
    };
    this.sorted = [...this.candidates].sort(compare);
    this.table.tBodies[0].replaceChildren(...this.sorted.map((candidate) => this.rows.get(candidate)));
    for (const cell of this.table.tHead.rows[0].cells) {
      if (cell.dataset.key === key) cell.setAttribute("aria-sort", isFalling ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
  }

  // The candidates from the threshold on, in the order of the table.
  filter(threshold) {
    const isShown = (candidate) => candidate.probability === null || candidate.probability >= threshold;
    for (const [candidate, row] of this.rows) row.hidden = !isShown(candidate);
    return this.sorted.filter(isShown);
  }

  mark(selected) {
    for (const [candidate, row] of this.rows) {
      row.classList.toggle("selected", candidate === selected);
      row.setAttribute("aria-selected", String(candidate === selected));
    }
    if (selected) this.rows.get(selected).scrollIntoView({ block: "nearest" });
  }
}
