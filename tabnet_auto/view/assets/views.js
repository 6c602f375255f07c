// The explorers of folds, steps, rows and cohorts. Where anything here fails, the pictures and
// tables that the page came with stay.
(async () => {
  "use strict";
  const { unpack, across, el, select, search, button, matcher, percent, counts, starred, breakable, level, scale,
    walk, Grid } = globalThis.tabnetAuto;
  const packed = document.getElementById("ta-data");
  if (!packed || typeof DecompressionStream === "undefined") return;
  const data = await unpack(packed.textContent.trim());
  const { columns } = data;
  const nFolds = data.fold.length;
  const average = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  const folds = Array.from({ length: nFolds }, (_, f) => `fold ${f + 1}`);
  const capital = (words) => words[0].toUpperCase() + words.slice(1);

  const mount = (name, parts) => {
    const host = document.querySelector(`[data-view="${name}"]`);
    host.append(el("div", { class: "ta-explore ta-figure" }, ...parts));
    host.classList.add("ta-drawn");
  };
  const exists = (name) => document.querySelector(`[data-view="${name}"]`) !== null;
  // Of many columns, a page holds the rows' values of some.
  const held = new Set(data.rows?.columns);
  const opens = !held.size ? "" : held.size === columns.length ? " A cell opens its rows."
    : " A cell opens its rows, if they hold its column.";
  const status = () => el("p", { class: "ta-note", role: "status" });
  const bar = (...fields) => el("div", { class: "ta-controls" }, ...fields);
  // -1 is the mean of the seeds.
  const seedSelect = (nSeeds, change) => select("Seed",
    [["-1", "mean"], ...Array.from({ length: nSeeds }, (_, k) => [`${k}`, `seed ${k + 1}`])],
    (value) => change(Number(value)));
  const seedWords = (nSeeds, seed) => nSeeds < 2 ? "" : seed < 0 ? ", mean of the seeds" : `, seed ${seed + 1}`;
  // Seeds of a fold whose means the page holds apart.
  const nApart = data.foldSeeds ? data.foldSeeds[0].length : 1;

  const cohortKey = (g) => `group ${g}`;

  // --- folds ------------------------------------------------------------------------------------

  const ranksOf = (shares) => {
    const order = shares.map((_, i) => i).sort((a, b) => shares[b] - shares[a]);
    const rank = [];
    order.forEach((column, place) => { rank[column] = place + 1; });
    return rank;
  };

  const foldRows = (seed) => {
    const byFold = seed < 0 ? data.fold : data.foldSeeds.map((own) => own[seed]);
    const ranks = byFold.map(ranksOf);
    return columns.map((name, i) => {
      const own = byFold.map((shares) => shares[i]);
      const places = ranks.map((rank) => rank[i]);
      const [low, high] = [Math.min(...own), Math.max(...own)];
      const [first, last] = [Math.min(...places), Math.max(...places)];
      return { id: i, name, shut: !held.has(i), value: [...own, average(own), high - low, last - first],
        words: [...own.map(percent), null, percent(high - low), first === last ? `${first}` : `${first}–${last}`],
        sorts: [...own, average(own), high - low, average(places)] };
    });
  };

  const foldView = (openRows) => {
    const words = status();
    let seed = -1;
    let rows = foldRows(seed);
    const grid = new Grid({
      label: "Attention by column and fold",
      heads: [...folds.map((label) => ({ label: capital(label), kind: "heat" })),
        { label: "Mean", kind: "bar" },
        { label: "Spread", kind: "text", title: "highest minus lowest fold, in percentage points" },
        { label: "Ranks", kind: "text", title: "best and worst rank of the column over the folds" }],
      sort: { column: nFolds, down: true },
      onopen: openRows ? (column, f) => openRows({ column, fold: f, seed }) : null,
      oncount: (count) => {
        words.textContent = `${count}; shares of a fold's attention in percent`
          + `${seedWords(nApart, seed)}. Spread: highest minus lowest fold, in percentage points. Ranks: the best and `
          + `the worst over the folds.${opens}`;
      },
    });
    const show = () => grid.show(rows, find.box.value);
    const pick = seedSelect(nApart, (value) => { seed = value; rows = foldRows(seed); show(); });
    const find = search("Find columns", "part of a name", show);
    show();
    mount("folds", [bar(nApart > 1 ? pick.field : null, find.field), grid.host, words]);
  };

  // --- steps ------------------------------------------------------------------------------------

  const stepView = (openRows) => {
    const nSteps = data.step[0].length;
    const order = el("ol", { class: "ta-order" });
    const words = status();
    let fold = -1;
    let seed = -1;
    const grid = new Grid({
      label: "Attention by column and step",
      heads: [...Array.from({ length: nSteps }, (_, s) => ({ label: `Step ${s + 1}`, kind: "heat" })),
        ...(nSteps > 1 ? [{ label: "All steps", kind: "bar", title: "weighed by the size of what each step adds" }] : [])],
      sort: { column: nSteps > 1 ? nSteps : 0, down: true },
      onopen: openRows ? (column, step) => openRows({ column, step, fold, seed }) : null,
      oncount: (count) => {
        words.textContent = `${count}, ${fold < 0 ? "mean of the folds" : folds[fold]}`
          + `${seedWords(nApart, seed)}; in percent.${opens}`;
      },
    });
    const show = () => {
      const byFold = seed < 0 ? data.step : data.stepSeeds.map((own) => own[seed]);
      const whole = seed < 0 ? data.fold : data.foldSeeds.map((own) => own[seed]);
      const shares = (s, i) => fold < 0 ? average(byFold.map((own) => own[s][i])) : byFold[fold][s][i];
      const all = (i) => fold < 0 ? average(whole.map((own) => own[i])) : whole[fold][i];
      const rows = columns.map((name, i) => {
        const own = Array.from({ length: nSteps }, (_, s) => shares(s, i));
        return { id: i, name, shut: !held.has(i), value: nSteps > 1 ? [...own, all(i)] : own };
      });
      grid.show(rows, find.box.value);
      order.replaceChildren(...Array.from({ length: nSteps }, (_, s) => {
        const top = [...rows].sort((a, b) => b.value[s] - a.value[s]).slice(0, 4);
        return el("li", {}, el("strong", {}, `Step ${s + 1}`), " looks most at ",
          top.map((row) => `${row.name} (${percent(row.value[s])}%)`).join(", "));
      }));
    };
    const find = search("Find columns", "part of a name", show);
    const pick = select("Read by", [["-1", "all folds, mean"], ...folds.map((label, f) => [`${f}`, label])],
      (value) => { fold = Number(value); show(); });
    const own = seedSelect(nApart, (value) => { seed = value; show(); });
    show();
    mount("steps", [order, bar(pick.field, nApart > 1 ? own.field : null, find.field), grid.host, words]);
  };

  // --- rows -------------------------------------------------------------------------------------

  const rowView = () => {
    const { rows } = data;
    const [F, K, S, n, D] = rows.shape;
    const columns = rows.columns.map((c) => data.columns[c]);
    const PAGE = 15;
    const WIDTH = across(columns, rows.cells);
    const weight = (f, k, s, i, c) => {
      const at = data.levels[(((f * K + k) * S + s) * n + i) * D + c] / 255;
      return rows.peak * at * at;
    };
    // A step of -1 is the mean of the steps by their size, a seed of -1 the mean of the seeds.
    const share = (f, s, i, c) => {
      let sum = 0;
      const seeds = state.seed >= 0 ? [state.seed] : Array.from({ length: K }, (_, k) => k);
      for (const k of seeds) {
        if (s >= 0) sum += weight(f, k, s, i, c);
        else for (let t = 0; t < S; t += 1) sum += rows.sizes[f][k][t][i] * weight(f, k, t, i, c);
      }
      return sum / seeds.length;
    };
    const groups = Object.keys(rows.groups);
    // Rows to choose from by what a menu says: why they are in the sample, then by their cohorts.
    const sets = { "": rows.names.map((_, i) => i), ...rows.groups };
    const { by: cohortsBy, label: cohortLabel, members } = data.cohorts ?? { by: [], members: [] };
    members.forEach((list, g) => { sets[cohortKey(g)] = list; });
    const state = { group: groups[0], fold: -1, seed: -1, step: -1, sort: "group", find: "", columns: "",
      page: 0, first: 0, row: null };
    // All errors have as many decimals as give the largest three digits.
    const worst = Math.max(1e-9, ...rows.error.filter((error) => error != null));
    const decimals = Math.min(Math.max(2 - Math.floor(Math.log10(worst)), 0), 9);
    const errorWords = (i) => rows.error[i] == null ? "–" : rows.error[i].toLocaleString("en",
      { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    const own = (i) => state.fold >= 0 ? state.fold : Math.max(rows.heldOut[i], 0);
    const table = el("div", {});
    const words = status();
    const detail = el("div", { class: "ta-detail" });

    const chosen = () => {
      const match = matcher(state.find);
      const text = (i) => [rows.names[i], rows.truth[i], rows.predicted[i],
        ...rows.cells[i].map((cell, c) => `${columns[c]}=${cell}`)].join(" ");
      const list = sets[state.group].filter((i) => !state.find || match(text(i)));
      const by = { error: (i) => -rows.error[i], exact: (i) => rows.error[i] }[state.sort]
        ?? (state.sort.startsWith("c") ? (i) => -share(own(i), state.step, i, Number(state.sort.slice(1))) : null);
      return by ? [...list].sort((a, b) => by(a) - by(b)) : list;
    };

    // The column that rows are sorted by first, then those with most attention in these rows.
    const ordered = (list) => {
      const total = columns.map((_, c) => list.reduce((sum, i) => sum + share(own(i), state.step, i, c), 0));
      if (state.sort.startsWith("c")) total[Number(state.sort.slice(1))] = Infinity;
      const match = matcher(state.columns);
      return columns.map((_, c) => c).filter((c) => match(columns[c])).sort((a, b) => total[b] - total[a]);
    };

    // Buttons are made anew when they are pressed: the new one takes the focus.
    const pager = (label, first, size, total, go) => {
      const turn = (words, by, name, disabled) => button(words, () => {
        go(by);
        const again = table.querySelector(`button[aria-label="${name}"]`);
        (again && !again.disabled ? again : table.querySelector('[data-at][tabindex="0"]'))?.focus();
      }, { "aria-label": name, disabled });
      return el("span", { class: "ta-pager" },
        turn("‹", -1, `previous ${label}`, first <= 0),
        `${label} ${total ? first + 1 : 0}–${Math.min(first + size, total)} of ${total}`,
        turn("›", 1, `next ${label}`, first + size >= total));
    };

    const part = () =>
      `${state.step < 0 ? "mean of the steps" : `step ${state.step + 1}`}${seedWords(K, state.seed)}`;

    const draw = () => {
      const list = chosen();
      state.page = Math.min(state.page, Math.max(0, Math.ceil(list.length / PAGE) - 1));
      const seen = list.slice(state.page * PAGE, (state.page + 1) * PAGE);
      const order = ordered(seen.length ? seen : list);
      state.first = Math.min(state.first, Math.max(0, Math.floor((order.length - 1) / WIDTH) * WIDTH));
      const window = order.slice(state.first, state.first + WIDTH);
      const peak = Math.max(1e-9, ...seen.flatMap((i) => order.map((c) => share(own(i), state.step, i, c))));
      const heads = ["Row", "Truth", "Predicted", "Error"];
      const cell = (i, c) => {
        const value = share(own(i), state.step, i, c);
        const raw = rows.cells[i][c] || "missing";
        return el("td", { class: `ta-heat ta-raw h${level(value, peak)}`, "data-at": `${i},${c}`, tabindex: -1,
          title: `${columns[c]} = ${raw}; attention ${percent(value)}%`,
          "aria-label": `${columns[c]} ${raw}, attention ${percent(value)}%` }, raw);
      };
      const body = seen.map((i) => el("tr", { class: state.row === i ? "ta-lead" : null },
        el("th", { scope: "row", "data-at": `${i},-1`, tabindex: -1 }, rows.names[i]),
        el("td", {}, rows.truth[i]), el("td", {}, rows.predicted[i]),
        el("td", { class: "ta-num" }, errorWords(i)),
        ...window.map((c) => cell(i, c))));
      const made = el("table", { class: "ta-table ta-grid-table ta-rows-table", role: "grid",
        "aria-label": "Attention and values by row and column" },
      el("thead", {}, el("tr", {}, ...heads.map((head) =>
        el("th", { scope: "col", class: head === "Error" ? "ta-num" : null }, head)),
        ...window.map((c) => el("th", { scope: "col", class: "ta-mid", title: columns[c] },
          el("span", { class: "ta-name" }, ...breakable(columns[c])))))),
      el("tbody", {}, ...body));
      made.querySelector("[data-at]")?.setAttribute("tabindex", "0");
      walk(made, (cell) => open(Number(cell.dataset.at.split(",")[0])));
      table.replaceChildren(el("div", { class: "ta-scroll" }, made), el("div", { class: "ta-below" },
        scale(peak),
        pager("rows", state.page * PAGE, PAGE, list.length, (by) => { state.page += by; draw(); }),
        order.length > WIDTH ? pager("columns", state.first, WIDTH, order.length,
          (by) => { state.first += by * WIDTH; draw(); }) : null));
      const who = state.fold < 0 ? "each row as read by the fold that held it out" : `as read by ${folds[state.fold]}`;
      words.textContent = list.length ? `Cells show values, colour shows attention (${part()}), ${who}. A row opens below.`
        : sets[state.group].length ? "No row matches." : "None of the sampled rows is in this group.";
    };

    const open = (i) => {
      state.row = i;
      draw();
      const a = Math.max(rows.heldOut[i], 0);
      compare(i, a, furthest(i, a));
      table.querySelector(`[data-at^="${i},"]`)?.focus();
    };

    // The fold that reads the row most differently.
    const furthest = (i, a) => {
      const gap = folds.map((_, f) => columns.reduce((sum, _column, c) =>
        sum + Math.abs(share(a, state.step, i, c) - share(f, state.step, i, c)), 0));
      return gap.indexOf(Math.max(...gap));
    };

    // One row under two folds: all members read the same row.
    const compare = (i, a, b) => {
      state.pair = [i, a, b];
      const name = (f) => f === rows.heldOut[i] ? `${folds[f]} (held it out)` : folds[f];
      const pick = (label, f, change) => {
        const made = select(label, folds.map((_, k) => [`${k}`, name(k)]), (value) => {
          change(Number(value));
          detail.querySelector(`select[aria-label="${label}"]`)?.focus();
        });
        made.box.value = `${f}`;
        return made.field;
      };
      const two = (c) => [share(a, state.step, i, c), share(b, state.step, i, c)];
      const grid = new Grid({
        label: `${rows.names[i]} under two folds`,
        heads: [{ label: "Value", kind: "text" }, { label: capital(folds[a]), kind: "heat" },
          { label: capital(folds[b]), kind: "heat" },
          { label: "Difference", kind: "signed", title: "first minus second, in percentage points" }],
        sort: state.compared?.sort ?? { column: 1, down: true },
      });
      state.compared = grid;
      grid.limit = 12;
      const said = `In percent (${part()}). Blue: more in ${folds[a]}, orange: more in ${folds[b]}.`;
      const each = folds.map((_, f) => el("li", {}, `${name(f)}: `, el("strong", {}, rows.byFold[f][i])));
      const title = `${capital(rows.names[i])}: truth ${rows.truth[i]}, predicted out of fold ${rows.predicted[i]}`;
      detail.replaceChildren(
        el("div", { class: "ta-detail-head" }, el("h3", { class: "ta-sub" }, title),
          button("Close", () => { state.row = null; detail.replaceChildren(); draw(); })),
        bar(pick("Compare", a, (f) => compare(i, f, b)), pick("with", b, (f) => compare(i, a, f))),
        el("div", { class: "ta-two" }, el("div", {}, grid.host, el("p", { class: "ta-note" }, said)),
          el("div", {}, el("h4", { class: "ta-minor" }, "What each fold's networks predict"), el("ul", { class: "ta-list" }, ...each))));
      grid.show(columns.map((column, c) => {
        const [x, y] = two(c);
        return { id: c, name: column, value: [rows.cells[i][c], x, y, x - y],
          words: [rows.cells[i][c] || "missing", null, null, null] };
      }));
    };

    const change = (changes) => { Object.assign(state, { page: 0, first: 0 }, changes); draw(); };
    // The row that is open is read anew, too.
    const reread = (changes) => { change(changes); if (state.row !== null) compare(...state.pair); };
    const entry = (key, words) => [key, `${words} (${sets[key].length})`];
    const group = select("Rows", [...groups.map((name) => entry(name, name)), entry("", "all of these"),
      ...[...new Set(members.map((_, g) => cohortsBy[g]))].map((name) => ({ label: name,
        choices: members.flatMap((_, g) => cohortsBy[g] === name ? [entry(cohortKey(g), cohortLabel[g])] : []) }))],
    (value) => change({ group: value }));
    const fold = select("Read by", [["-1", "fold that held it out"], ...folds.map((label, f) => [`${f}`, label])],
      (value) => change({ fold: Number(value) }));
    const seed = seedSelect(K, (value) => reread({ seed: value }));
    const step = select("Step", [["-1", "mean"], ...Array.from({ length: S }, (_, s) => [`${s}`, `step ${s + 1}`])],
      (value) => reread({ step: Number(value) }));
    const byMean = columns.map((_, c) => c).sort((a, b) =>
      average(data.fold.map((own) => own[rows.columns[b]])) - average(data.fold.map((own) => own[rows.columns[a]])));
    const sort = select("Order", [["group", "as in the group"], ["error", "largest error first"],
      ["exact", "smallest error first"],
      { label: "most attention to", choices: byMean.map((c) => [`c${c}`, columns[c]]) }],
    (value) => change({ sort: value }));
    const find = search("Find rows", "column=value", (value) => change({ find: value }));
    const narrow = search("Find columns", "part of a name", (value) => change({ columns: value }));
    draw();
    mount("rows", [bar(group.field, fold.field, K > 1 ? seed.field : null, S > 1 ? step.field : null, sort.field, find.field, narrow.field),
      table, words, detail]);

    // From a cell of another view: the rows that give most attention to its column.
    return ({ column, fold: f = -1, step: s = -1, seed: asked = -1, group: key = "" }) => {
      const k = K > 1 ? asked : -1; // a large sample keeps the mean of the seeds only
      const order = `c${rows.columns.indexOf(column)}`;
      group.box.value = key;
      fold.box.value = `${f}`;
      seed.box.value = `${k}`;
      step.box.value = `${s}`;
      sort.box.value = order;
      find.box.value = narrow.box.value = "";
      detail.replaceChildren();
      change({ group: key, fold: f, seed: k, step: s, sort: order, find: "", columns: "", row: null });
      document.getElementById("rows").scrollIntoView();
      table.querySelector("[data-at]")?.focus({ preventScroll: true });
    };
  };

  // --- cohorts ----------------------------------------------------------------------------------

  const cohortView = (openRows) => {
    const { cohorts } = data;
    const all = cohorts.by.map((_, i) => i);
    const by = [...new Set(cohorts.by)];
    const words = status();
    const host = el("div", {});
    let sort = { column: 0, down: true };
    const of = (name) => all.filter((i) => cohorts.by[i] === name);
    const opensGroups = openRows !== null && cohorts.members.length > 0; // an older model kept none
    const label = (i) => `${cohorts.label[i]} (${cohorts.nRows[i].toLocaleString("en")} rows)`;
    let shown = by[0];
    let [a, b] = [of(shown).at(0), of(shown).at(-1)];
    const draw = () => {
      const list = of(shown);
      const grid = new Grid({
        label: `Attention by ${shown}`,
        heads: [
          { label: "A\u00a0−\u00a0B", kind: "signed", title: "difference of the two chosen groups, in percentage points" },
          { label: "± 2 s.e.", kind: "text", title: "a difference within this is what chance does" },
          ...list.map((i) => ({ label: cohorts.label[i], kind: "heat", title: `${cohorts.nRows[i].toLocaleString("en")} rows` }))],
        sort,
        onopen: opensGroups ? (column, i) => openRows({ column, group: cohortKey(list[i - 2]) }) : null,
        oncount: (count) => {
          sort = grid.sort;
          words.textContent = `${count}; percent of attention, ${cohorts.total.toLocaleString("en")} rows `
            + `each read by networks that did not learn from it. A: ${cohorts.by[a]} ${label(a)}. B: ${cohorts.by[b]} ${label(b)}. `
            + `Blue: more in A, orange: more in B, by more than two standard errors (a star).${opensGroups ? opens : ""}`;
        },
      });
      const rows = columns.map((name, c) => {
        const gap = cohorts.mean[a][c] - cohorts.mean[b][c];
        const noise = 2 * Math.hypot(cohorts.error[a][c], cohorts.error[b][c]);
        const means = list.map((i) => cohorts.mean[i][c]);
        return { id: c, name, shut: !held.has(c), value: [gap, noise, ...means], sorts: [Math.abs(gap), noise, ...means],
          words: [starred(gap, noise), percent(noise)], quiet: !counts(gap, noise) };
      });
      grid.show(rows, find.box.value);
      host.replaceChildren(grid.host);
    };
    const choices = by.map((name) => ({ label: name, choices: of(name).map((i) => [`${i}`, label(i)]) }));
    const group = select("Group rows by", by.map((name) => [name, name]), (value) => {
      shown = value;
      sort = { column: 0, down: true };
      [a, b] = [of(shown).at(0), of(shown).at(-1)];
      [first.box.value, second.box.value] = [`${a}`, `${b}`];
      draw();
    });
    const first = select("A", choices, (value) => { a = Number(value); draw(); });
    const second = select("B", choices, (value) => { b = Number(value); draw(); });
    [first.box.value, second.box.value] = [`${a}`, `${b}`];
    const find = search("Find columns", "part of a name", draw);
    draw();
    mount("cohorts", [bar(group.field, first.field, second.field, find.field), host, words]);
  };

  const openRows = exists("rows") && data.rows ? rowView() : null;
  if (exists("folds")) foldView(openRows);
  if (exists("steps")) stepView(openRows);
  if (exists("cohorts") && data.cohorts) cohortView(openRows);
  document.documentElement.classList.add("ta-ready");
})();
