// What the explorers are made of: the packed numbers, elements, and a heat map that is a table.
(() => {
  "use strict";
  const N_LEVELS = 24;
  const HEAD_CSS = { name: null, heat: "ta-mid", signed: "ta-mid", bar: "ta-num", text: "ta-num" };
  const MORE = 60; // rows that a grid draws before it is asked for more

  // One gzip of: length of the text (4 bytes), JSON, then one byte a weight.
  const unpack = async (text) => {
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const bytes = new Uint8Array(await new Response(plain).arrayBuffer());
    const size = new DataView(bytes.buffer).getUint32(0, true);
    const data = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
    return { ...data, levels: bytes.subarray(4 + size) };
  };

  const el = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value != null) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child != null));
    return made;
  };

  // Choices are [value, words] pairs, or groups of them: { label, choices }.
  const select = (label, choices, change) => {
    const option = ([value, words]) => el("option", { value }, words);
    const box = el("select", { "aria-label": label, onchange: () => change(box.value) },
      ...choices.map((entry) => Array.isArray(entry) ? option(entry)
        : el("optgroup", { label: entry.label }, ...entry.choices.map(option))));
    return { box, field: el("label", { class: "ta-field" }, label, box) };
  };

  const search = (label, placeholder, change) => {
    const box = el("input", { "aria-label": label, type: "search", autocomplete: "off", placeholder,
      oninput: () => change(box.value) });
    return { box, field: el("label", { class: "ta-field" }, label, box) };
  };

  const button = (words, press, attributes = {}) =>
    el("button", { type: "button", class: "ta-button", onclick: press, ...attributes }, words);

  const matcher = (words) => {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    return (text) => wanted.every((word) => text.toLowerCase().includes(word));
  };

  const percent = (share) => {
    const value = share * 100;
    if (!Number.isFinite(value)) return "–";
    if (Math.abs(value) < 0.05) return "0";
    return Math.abs(value) < 9.95 ? value.toFixed(1) : value.toFixed(0);
  };

  const plusMinus = (share) => {
    const size = percent(Math.abs(share));
    return size === "0" ? size : `${share < 0 ? "−" : "+"}${size}`;
  };

  // A difference that counts keeps a digit, however small; the page's means have five decimals.
  const counts = (gap, noise) => Math.abs(gap) > Math.max(noise, 1.5e-5);
  const starred = (gap, noise) => {
    const said = plusMinus(gap);
    if (!counts(gap, noise)) return said;
    return `${said === "0" ? `${gap < 0 ? "−" : "+"}${Number((100 * Math.abs(gap)).toPrecision(1))}` : said} *`;
  };

  // A name that is too long for its column goes on below, after an underscore.
  const breakable = (name) => name.split(/(?<=_)/).flatMap((part) => [part, el("wbr")]);

  // How many columns of values stand beside a row's words: all have room, if three in four of
  // the columns are no wider than reckoned.
  const across = (names, cells) => {
    const widths = names.map((name, c) => {
      const longest = (texts) => Math.max(...texts.map((text) => text.length));
      const room = Math.max(8.5 * longest(name.split(/[-_ ]/)), 7 * longest(cells.map((row) => row[c])));
      return Math.min(Math.max(16 + room, 60), 123);
    }).sort((a, b) => a - b);
    return Math.max(5, Math.floor(620 / widths[Math.floor(0.75 * (widths.length - 1))]));
  };

  const level = (share, peak) =>
    Math.round(Math.min(Math.max(share / (peak || 1), 0), 1) * (N_LEVELS - 1));

  // Blue is more, orange is less; safe for colour-blind readers.
  const signed = (value, peak) => {
    const step = Math.round(Math.min(Math.abs(value) / (peak || 1), 1) * 8);
    return step ? `${value < 0 ? "m" : "p"}${step}` : "h0";
  };

  const scale = (peak) => el("span", { class: "ta-scale" }, "0%",
    el("span", { class: "ta-scale-bar", "aria-hidden": "true" },
      ...Array.from({ length: N_LEVELS }, (_, i) => el("i", { class: `h${i}` }))),
    `${percent(peak)}%`);

  // A table that goes on below its box fades out there.
  const fade = (box) =>
    box.classList.toggle("ta-goes-on", box.scrollTop + box.clientHeight < box.scrollHeight - 2);
  const resized = new ResizeObserver((boxes) => boxes.forEach(({ target }) => fade(target)));
  const scrolls = (box) => {
    box.addEventListener("scroll", () => fade(box), { passive: true });
    resized.observe(box);
    return box;
  };

  // Cells are reached with the arrow keys, and the whole grid with one press of Tab.
  const walk = (table, open) => {
    const all = () => [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("[data-at]")])
      .filter((cells) => cells.length);
    const focus = (cell) => {
      for (const other of table.querySelectorAll('[data-at][tabindex="0"]')) other.tabIndex = -1;
      cell.tabIndex = 0;
      cell.focus();
    };
    table.addEventListener("keydown", (event) => {
      const here = event.target.closest("[data-at]");
      if (!here) return;
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        open(here);
      } else if (moves[event.key]) {
        event.preventDefault();
        const rows = all();
        const r = rows.findIndex((row) => row.includes(here));
        const c = rows[r].indexOf(here);
        const [down, right] = moves[event.key];
        const next = rows[r + down]?.[c + right];
        if (next) focus(next);
      }
    });
    table.addEventListener("click", (event) => {
      const cell = event.target.closest("[data-at]");
      if (cell) {
        focus(cell);
        open(cell);
      }
    });
  };

  // A heat map of named rows. `heads` are { label, title }, `rows` are { name, value: [..] },
  // and each head says how its cells look: kind "heat", "signed" (no colour of `quiet` rows), "bar" or "text".
  // Cells of `shut` rows do not open.
  // `oncount` is told how many of the rows are drawn, in words, whenever that may have changed.
  class Grid {
    constructor({ label, heads, onopen, oncount, sort }) {
      this.label = label;
      this.onopen = onopen;
      this.oncount = oncount;
      this.host = el("div", {});
      this.sort = sort;
      this.limit = MORE;
      this.heads = heads;
    }

    show(rows, words = "") {
      this.rows = rows;
      this.match = matcher(words);
      this.draw();
    }

    // What matches a search and is yet to be drawn is counted apart.
    count(drawn) {
      const [all, found] = [this.rows.length, this.shown.length];
      const more = drawn < found && found < all ? ` (${found} match)` : "";
      return `${drawn} of ${all} column${all === 1 ? "" : "s"}${more}`;
    }

    draw() {
      const { column, down } = this.sort;
      const key = (row) => column < 0 ? row.name : row.sorts?.[column] ?? row.value[column];
      this.shown = this.rows.filter((row) => this.match(row.name)).sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (typeof x === "string") return (down ? -1 : 1) * x.localeCompare(y, undefined, { numeric: true });
        if (!Number.isFinite(x) || !Number.isFinite(y)) return Number.isFinite(y) - Number.isFinite(x);
        return down ? y - x : x - y;
      });
      const peak = (kind) => Math.max(1e-9, ...this.rows.flatMap((row) =>
        row.value.filter((v, i) => this.heads[i].kind === kind && Number.isFinite(v)).map(Math.abs)));
      const peaks = { heat: peak("heat"), signed: peak("signed"), bar: peak("bar") };
      const drawn = this.shown.slice(0, this.limit);
      const body = el("tbody", {}, ...drawn.map((row) => this.row(row, peaks)));
      const table = el("table", { class: "ta-table ta-grid-table", role: "grid", "aria-label": this.label,
        "aria-rowcount": this.rows.length + 1 }, el("thead", {}, this.head()), body);
      table.querySelector("[data-at]")?.setAttribute("tabindex", "0");
      if (this.onopen) walk(table, (cell) => this.onopen(...cell.dataset.at.split(",").map(Number)));
      const top = this.host.querySelector(".ta-scroll")?.scrollTop ?? 0;
      const scroll = scrolls(el("div", { class: "ta-scroll ta-tall" }, table));
      const left = this.shown.length - drawn.length;
      this.host.replaceChildren(scroll,
        el("div", { class: "ta-below" }, scale(peaks.heat),
          left ? button(`Show ${left} more`, () => {
            this.limit = Infinity;
            this.draw();
            this.host.querySelector("[aria-sort] button")?.focus();
          }) : null,
          this.shown.length ? null : el("span", { class: "ta-empty" }, "No column matches.")));
      scroll.scrollTop = top;
      this.oncount?.(this.count(drawn.length));
    }

    head() {
      const cell = (label, column, title, kind) => {
        const on = this.sort.column === column;
        const press = () => {
          this.sort = { column, down: on ? !this.sort.down : column >= 0 };
          this.draw();
          this.host.querySelector('[aria-sort] button')?.focus();
        };
        return el("th", { scope: "col", class: HEAD_CSS[kind], title,
          "aria-sort": on ? (this.sort.down ? "descending" : "ascending") : null },
        el("button", { type: "button", class: "ta-sort", onclick: press }, label));
      };
      return el("tr", {}, cell("Column", -1, null, "name"),
        ...this.heads.map((head, i) => cell(head.label, i, head.title, head.kind)));
    }

    row(row, peaks) {
      const cells = row.value.map((value, i) => {
        const { kind } = this.heads[i];
        if (kind === "text") return el("td", { class: "ta-num" }, String(row.words?.[i] ?? value));
        if (kind === "bar") {
          const bar = el("i", {});
          bar.style.setProperty("--w", String(value / peaks.bar));
          return el("td", { class: "ta-num" }, `${percent(value)}%`,
            el("span", { class: "ta-track", "aria-hidden": "true" }, bar));
        }
        const css = kind === "heat" ? `h${level(value, peaks.heat)}` : signed(row.quiet ? 0 : value, peaks.signed);
        const open = this.onopen && kind === "heat" && !row.shut;
        return el("td", { class: `ta-heat ${css}`, "data-at": open ? `${row.id},${i}` : null,
          tabindex: open ? -1 : null,
          title: open ? `${row.name}, ${this.heads[i].label}: ${percent(value)}%. Press to see its rows.` : null },
        row.words?.[i] ?? (kind === "signed" ? plusMinus(value) : percent(value)));
      });
      return el("tr", {}, el("th", { scope: "row", title: row.name }, row.name), ...cells);
    }
  }

  globalThis.tabnetAuto = { unpack, across, el, select, search, button, matcher, percent, counts,
    starred, breakable, level, scale, scrolls, walk, Grid };
})();
