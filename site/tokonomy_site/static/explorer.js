/* The page of all runs: sorts and filters columns of data/runs.js, shows a page of rows at a time. */
(() => {
  const { make, read, write, copier, csv, download, snapshot } = tokonomyView;
  const table = tokonomyTable(tokonomyRuns), columns = Object.values(table.columns);
  const shown = columns.filter((column) => column.kind !== "key");
  const words = shown.filter((column) => column.kind === "word");
  const wide = matchMedia("(min-width: 40rem)").matches, SIZES = [100, 200, 500];
  const NEAR = wide ? ["family", "method", "task", "status", "state"] : ["method"];
  const count = (n) => n.toLocaleString("en");
  let view = {}, order = [], drawn = [];

  const place = document.querySelector(".explorer");
  const bar = make("form", "", place, "controls");
  const line = make("div", "", place, "state");
  const scroll = make("div", "", place, "scroll");
  const pager = make("nav", "", place, "state");
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

  /* A search term hits a run where one of its words has it: looked for once in every value. */
  const hits = (term) => {
    const found = words.map(({ values, places }) => ({
      places,
      hit: values.map((value) => value.toLowerCase().includes(term)),
    })).filter(({ hit }) => hit.includes(true));
    return (run) =>
      found.some(({ places, hit }) => hit[places[run]]) || table.name(run).startsWith(term);
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
    return { column: shown.find((column) => column.name === name), down: way === "d" };
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

  /* A column of figures without a number in the view is left out. */
  const kept = () => shown.filter(({ kind, places, numbers }) =>
    kind === "word" || order.some((run) => places[run] < numbers));

  const drawHead = () => {
    const { column: by, down } = sorting();
    heads.replaceChildren();
    drawn.forEach((column) => {
      const head = make("th", "", heads, column.kind === "word" ? "t" : "");
      head.scope = "col";
      if (column === by) head.ariaSort = down ? "descending" : "ascending";
      const button = make("button", column.title, head, "sort");
      button.dataset.name = column.name;
      if (column.unit) make("small", column.unit, head);
      const first = column.kind === "figure" || column.name === "started" ? "d" : "u";
      const now = column === by ? (down ? "d" : "u") : "";
      button.onclick = () => {
        const way = now === first ? (first === "u" ? "d" : "u") : first;
        set({ sort: `${column.name}-${way}`, page: "" });
        heads.querySelector(`[data-name="${column.name}"]`)?.focus();
      };
    });
  };
  const drawRows = (from, size) => {
    const blank = document.createElement("tr");
    drawn.forEach((column, at) => {
      const cell = make(at ? "td" : "th", "", blank, at && column.kind === "word" ? "t" : "");
      (at ? cell : make("a", "", cell)).append("");
      if (!at) cell.scope = "row";
    });
    body.replaceChildren(...order.slice(from, from + size).map((run) => {
      const row = blank.cloneNode(true);
      drawn.forEach((column, at) => {
        const cell = row.cells[at], text = column.text(run);
        (at ? cell : cell.firstChild).firstChild.data = text;
        if (at && column.kind === "figure" && column.places[run] >= column.numbers) {
          cell.className = "soft";
        }
      });
      row.cells[0].firstChild.href = `run.html#${table.name(run)}`;
      return row;
    }));
  };
  const drawState = (from, to) => {
    line.replaceChildren();
    const rows = order.length ? `rows ${count(from + 1)}\u2013${count(to)}` : "no row";
    make("p", `${count(order.length)} of ${count(table.count)} runs, ${rows}`, line).role = "status";
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
      const names = ["run", ...drawn.map(({ title, unit }) => (unit ? `${title}, ${unit}` : title))];
      const rows = order.map((run) => [table.name(run), ...drawn.map(({ text }) => text(run))]);
      rows.forEach((row) => (row[0] = `${row[0]}\u2026`)); // the beginning of an id, and no number
      download(`tokonomy-runs-${snapshot}.csv`, csv([names, ...rows]));
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
    drawn = kept();
    drawHead();
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
