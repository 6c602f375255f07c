// Small conveniences; the page says everything without them.
(() => {
  "use strict";
  const { el, matcher, scrolls } = globalThis.tabnetAuto;

  const value = (row, column) => {
    const cell = row.cells[column];
    return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent.trim();
  };

  const isBlank = (x) => x === "–" || x === "";

  // Numbers before words, blanks last in both directions.
  const compare = (a, b, sign) => {
    if (isBlank(a) || isBlank(b)) return isBlank(a) - isBlank(b);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
  };

  const sortBy = (table, column) => {
    const head = table.tHead.rows[0].cells;
    const isNumber = head[column].classList.contains("ta-num");
    const now = head[column].getAttribute("aria-sort");
    // The first press shows what is looked for most: large numbers, or A before Z.
    const first = isNumber ? "descending" : "ascending";
    const other = isNumber ? "ascending" : "descending";
    const next = now === first ? other : first;
    for (const cell of head) cell.removeAttribute("aria-sort");
    head[column].setAttribute("aria-sort", next);
    const sign = next === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(value(a, column), value(b, column), sign));
    table.tBodies[0].append(...rows);
  };

  for (const table of document.querySelectorAll("table.ta-sortable")) {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "ta-sort";
      button.append(...cell.childNodes);
      button.addEventListener("click", () => sortBy(table, column));
      cell.append(button);
    });
  }

  const LONG = 12; // rows beyond which a table can be searched

  const searchable = (table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length <= LONG) return;
    const noun = table.classList.contains("ta-schema") ? "columns" : "rows";
    const count = el("span", { class: "ta-count", role: "status" });
    const input = el("input", { type: "search", autocomplete: "off", placeholder: "any words",
      "aria-label": `Filter ${noun}: ${table.caption?.textContent ?? ""}`,
      oninput: () => {
        const match = matcher(input.value);
        for (const row of rows) row.hidden = !match(row.textContent);
        const shown = rows.filter((row) => !row.hidden).length;
        count.textContent = input.value.trim() ? `${shown} of ${rows.length} ${noun}` : "";
      } });
    const label = el("label", {}, `Filter ${noun} `, input);
    (table.closest(".ta-card") ?? table.parentElement).before(el("div", { class: "ta-filter" }, label, count));
  };

  document.querySelectorAll("table.ta-sortable").forEach(searchable);
  document.querySelectorAll(".ta-tall").forEach(scrolls);

  // What scrolls sideways can be reached, and so scrolled, with the keyboard.
  const reach = () => {
    for (const box of document.querySelectorAll(".ta-figure > .ta-scroll")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", reach);
  reach();

  const links = new Map(
    [...document.querySelectorAll(".ta-nav-link")].map((a) => [a.hash.slice(1), a]));
  const sections = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const follow = () => {
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const passed = sections.filter((s) => s.getBoundingClientRect().top < innerHeight * 0.3);
    const here = atEnd ? sections.at(-1) : passed.at(-1);
    for (const [id, link] of links) {
      if (here && here.id === id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  // In a notebook's frame an address that begins with # would be the notebook's.
  const go = (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link) return;
    event.preventDefault();
    // scrollIntoView would move the notebook too.
    const { top } = document.getElementById(link.hash.slice(1)).getBoundingClientRect();
    scrollBy(0, top - document.querySelector(".ta-nav").offsetHeight);
  };
  if (location.protocol === "about:") addEventListener("click", go);

  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; follow(); });
  }, { passive: true });
  follow();
})();
