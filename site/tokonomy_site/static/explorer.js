/* The page of all runs: sorts and filters columns of data/runs.js, shows a page of rows at a time. */
(() => {
  const { make, read, write, copier, csv, download, snapshot } = tokonomyView;
  const table = tokonomyTable(tokonomyRuns), columns = Object.values(table.columns);
  const words = columns.filter((column) => column.kind === "word");
  const wide = matchMedia("(min-width: 40rem)").matches, SIZES = [100, 200, 500];
  const NEAR = wide ? ["family", "method", "task", "status", "state"] : ["method"];
  const count = (n) => n.toLocaleString("en");
  let view = {}, order = [], drawn = [];

  const place = document.querySelector(".explorer");
  const bar = make("form", "", place, "controls");
  const line = make("div", "", place, "state"), said = make("p", "", line);
  const alike = make("p", "", place, "soft");
  const scroll = make("div", "", place, "scroll");
  const pager = make("nav", "", place, "state");
  said.role = "status";
  bar.ariaLabel = "Filters";
  pager.ariaLabel = "Pages of the table";
  scroll.tabIndex = 0;
  scroll.role = "region";
  scroll.ariaLabel = "Runs";
  const grid = make("table", "", scroll, "pin live");
  make("caption", "Runs; a row's first cell leads to its run", grid);
  const heads = make("tr", "", make("thead", "", grid)), body = make("tbody", "", grid);

  const label = (text, parent, tag, name) => {
    const field = make(tag, "", make("label", text, parent));
    field.name = name;
    return field;
  };
  const chip = (text, parent, action) => {
    const button = make("button", text, parent, "chip");
    button.type = "button";
    button.onclick = action;
    return button;
  };

  /* Filters: a select for every column of words with a choice, the less used ones folded away,
     on a narrow page most of them. */
  const search = label("Search", bar, "input", "search");
  search.type = "search";
  search.autocomplete = "off";
  const facets = words.filter((column) => column.values.length > 1 && column.values.length <= 500);
  const more = document.createElement("details");
  const facet = (column, parent) => {
    const select = label(column.title, parent, "select", column.name);
    make("option", "any", select).value = "";
    column.values.forEach((value) => {
      make("option", value || "none", select).value = value || "\u2014";
    });
  };
  NEAR.map((name) => facets.find((column) => column.name === name)).forEach((column) => {
    if (column) facet(column, bar);
  });
  const rest = facets.filter((column) => !NEAR.includes(column.name));
  if (rest.length) {
    bar.append(more);
    make("summary", "More filters", more);
    const inner = make("div", "", more, "controls");
    rest.forEach((column) => facet(column, inner));
  }

  /* A search term hits a run where one of its words has it, looked for once in every value, or
     where it is the beginning of the run's id, of which a few digits are here. */
  const hits = (term) => {
    const found = words.map(({ values, places }) => ({
      places,
      hit: values.map((value) => value.toLowerCase().includes(term)),
    })).filter(({ hit }) => hit.includes(true));
    return (run) => {
      const id = table.name(run);
      return found.some(({ places, hit }) => hit[places[run]]) || id.startsWith(term) || term.startsWith(id);
    };
  };
  const tests = () => {
    const terms = (view.search || "").toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = words.filter(({ name }) => view[name]).map(({ name, values, places }) => {
      const at = values.indexOf(view[name] === "\u2014" ? "" : view[name]);
      return (run) => places[run] === at;
    });
    return [...wanted, ...terms.map(hits)];
  };
  /* Numbers before words either way: a missing figure is never the best. */
  const ranks = ({ places, values, numbers, kind }, down) => {
    const most = kind === "figure" ? numbers : values.length;
    return (run) => (down && places[run] < most ? most - 1 - places[run] : places[run]);
  };
  const sorting = () => {
    const [, name, way] = /^(.+)-([ud])$/.exec(view.sort) || [];
    return { column: columns.find((column) => column.name === name), down: way === "d" };
  };

  const select = () => {
    const all = tests(), { column, down } = sorting();
    order = [];
    for (let run = table.count - 1; run >= 0; run--) {
      if (all.every((test) => test(run))) order.push(run);
    }
    if (!column) return;
    const of = ranks(column, down), rank = new Int32Array(table.count);
    for (const run of order) rank[run] = of(run);
    order.sort((a, b) => rank[a] - rank[b]);
  };

  /* Left out are columns of figures without a number in the view, and of words that are all alike
     there: those are said above the table. */
  const kept = () => columns.filter(({ kind, places, numbers }, at) => {
    if (!at || !order.length) return true;
    if (kind === "figure") return order.some((run) => places[run] < numbers);
    return order.some((run) => places[run] !== places[order[0]]);
  });

  const drawHead = (now) => {
    const { column: by, down } = sorting();
    if (now.length !== drawn.length || now.some((column, at) => column !== drawn[at])) {
      heads.replaceChildren(...now.map(headOf));
      drawn = now;
    }
    drawn.forEach((column, at) => {
      heads.cells[at].ariaSort = column !== by ? null : down ? "descending" : "ascending";
    });
  };
  const headOf = (column) => {
    const head = document.createElement("th");
    if (column.kind === "word") head.className = "t";
    head.scope = "col";
    const button = make("button", column.title, head, "sort");
    button.dataset.name = column.name;
    if (column.unit) make("small", column.unit, head);
    const first = column.kind === "figure" || column.name === "started" ? "d" : "u";
    button.onclick = () => {
      const { column: by, down } = sorting(), now = by !== column ? "" : down ? "d" : "u";
      const way = now === first ? (first === "u" ? "d" : "u") : first;
      set({ sort: `${column.name}-${way}`, page: "" });
    };
    return head;
  };
  /* Rows are used again, so that a sort changes texts and nothing else. */
  const blank = () => {
    const row = document.createElement("tr");
    drawn.forEach((column, at) => {
      const cell = make(at ? "td" : "th", "", row);
      if (!at) cell.scope = "row";
      (at ? cell : make("a", "", cell)).append("");
    });
    return row;
  };
  const drawRows = (from, size) => {
    const some = order.slice(from, from + size), model = blank();
    if (body.rows[0]?.cells.length !== drawn.length) body.replaceChildren();
    while (body.rows.length > some.length) body.lastChild.remove();
    while (body.rows.length < some.length) body.append(model.cloneNode(true));
    let row = body.firstChild;
    for (const run of some) {
      let cell = row.firstChild;
      cell.firstChild.href = `run.html#${table.name(run)}`;
      drawn.forEach((column, at) => {
        const { places, numbers, kind } = column, into = at ? cell.firstChild : cell.firstChild.firstChild;
        const style = kind === "word" ? "t" : places[run] < numbers ? "" : "soft";
        const text = column.text(run);
        if (into.data !== text) into.data = text;
        if (cell.className !== style) cell.className = style;
        cell = cell.nextSibling;
      });
      row = row.nextSibling;
    }
  };
  const drawState = (from, to) => {
    while (said.nextSibling) line.lastChild.remove();
    const rows = order.length ? `rows ${count(from + 1)}\u2013${count(to)}` : "no row";
    said.textContent = `${count(order.length)} of ${count(table.count)} runs, ${rows}`;
    const same = words.filter((column) => !drawn.includes(column));
    alike.textContent = same.length
      ? `In all of these: ${same.map((c) => `${c.title.toLowerCase()} ${c.text(order[0]) || "none"}`).join(", ")}.`
      : "";
    const active = ["search", ...words.map(({ name }) => name)].filter((name) => view[name]);
    active.forEach((name) => {
      const text = `${table.columns[name]?.title ?? "Search"}: ${view[name]}`;
      chip(`${text} \u00d7`, line, () => set({ [name]: "", page: "" })).ariaLabel =
        `remove filter ${text}`;
    });
    if (active.length || view.sort) {
      chip("reset", line, () => {
        view = {};
        save();
      });
    }
    copier(line, () => view);
    chip("CSV of this view", line, () => {
      const { status, trust } = table.columns;
      const every = [...drawn, ...[status, trust].filter((column) => !drawn.includes(column))];
      const names = every.flatMap(({ title, unit, kind }) =>
        kind === "figure" ? [unit ? `${title}, ${unit}` : title, `${title} sign`] : [title]);
      const parts = ({ text, kind }, run) =>
        kind === "figure" ? /^(.*?)([\u2020\u2021]?)$/.exec(text(run)).slice(1) : [text(run)];
      const rows = order.map((run) => [
        `${table.name(run)}\u2026`, // the beginning of an id, and no number
        ...every.flatMap((column) => parts(column, run)),
      ]);
      download(`tokonomy-runs-${snapshot}.csv`, csv([["run", ...names], ...rows]));
    });
  };
  const drawPager = (page, pages, size) => {
    const focused = pager.contains(document.activeElement) ? document.activeElement.name : "";
    pager.replaceChildren();
    const turn = (text, name, to, possible) => {
      const button = chip(text, pager, () => {
        set({ page: to > 1 ? String(to) : "" });
        place.scrollIntoView();
      });
      button.name = name;
      button.disabled = !possible;
    };
    turn("first", "first", 1, page > 1);
    turn("previous", "previous", page - 1, page > 1);
    make("p", `Page ${count(page)} of ${count(pages)}`, pager);
    turn("next", "next", page + 1, page < pages);
    turn("last", "last", pages, page < pages);
    const choice = label("Rows ", pager, "select", "size");
    SIZES.forEach((each) => (make("option", each, choice).selected = each === size));
    choice.onchange = () => set({ size: choice.value === "100" ? "" : choice.value, page: "" });
    const again = pager.querySelector(`[name="${focused}"]`);
    if (focused) (again?.disabled ? pager.querySelector("button:enabled, select") : again)?.focus();
  };

  const paint = () => {
    select();
    const size = SIZES.includes(+view.size) ? +view.size : SIZES[0];
    const pages = Math.max(1, Math.ceil(order.length / size));
    const page = Math.min(pages, Math.max(1, Math.floor(+view.page) || 1)), from = (page - 1) * size;
    drawHead(kept());
    drawRows(from, size);
    drawState(from, Math.min(from + size, order.length));
    drawPager(page, pages, size);
    for (const field of bar.elements) {
      if (field.name && field.value !== (view[field.name] || "")) field.value = view[field.name] || "";
    }
    if (rest.some(({ name }) => view[name])) more.open = true;
  };
  const save = () => {
    write(view);
    paint();
  };
  const set = (changes) => {
    view = { ...view, ...changes };
    Object.keys(view).forEach((name) => view[name] || delete view[name]);
    save();
  };
  const load = () => {
    view = read();
    paint();
  };
  bar.oninput = ({ target }) => target.name && set({ [target.name]: target.value, page: "" });
  bar.onsubmit = (event) => event.preventDefault();
  addEventListener("hashchange", load);
  load();
})();
