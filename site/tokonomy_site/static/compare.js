/* Two to four runs side by side. What the address says is looked up and shown as text, never as HTML. */
{
  const { make, read, write, copier, snapshot } = tokonomyView;
  const place = document.querySelector(".compare"), status = place.firstChild;
  const { fields, figures } = JSON.parse(place.dataset.described);
  const digits = +place.dataset.digits;
  const LEAST = 8, MOST = 4;
  const waiting = {};

  /* The script that holds the runs whose ids begin alike. */
  const load = (start) =>
    (waiting[start] ??= new Promise((done) => {
      const script = document.createElement("script");
      script.src = `compare/${start}.js`;
      script.onload = () => done(globalThis.tokonomyCompared?.[start]);
      script.onerror = () => done(null);
      document.head.append(script);
    }));

  /* A run by its id or the beginning of it: itself, or what to say of why there is none. */
  const find = async (text) => {
    const said = text.length > 40 ? text.slice(0, 40) + "\u2026" : text;
    const start = text.trim().toLowerCase();
    if (!new RegExp(`^[0-9a-f]{${LEAST},32}$`).test(start)) {
      return { wrong: `\u201c${said}\u201d is no id of a run: expected ${LEAST} to 32 digits from 0 to f.` };
    }
    const some = await load(start.slice(0, digits));
    if (!some) return { wrong: `The data of run ${start} could not be loaded.` };
    const ids = Object.keys(some).filter((id) => id.startsWith(start));
    if (ids.length === 1) return { id: ids[0], ...some[ids[0]] };
    const several = `${ids.length} runs begin with ${start}; give more digits.`;
    return { wrong: ids.length ? several : `No run of this snapshot begins with ${start}.` };
  };

  /* Interval of first less second from the intervals of both (Zou and Donner 2008). */
  const mover = ([a, la, ua], [b, lb, ub]) => [
    a - b,
    a - b - Math.hypot(a - la, ub - b),
    a - b + Math.hypot(ua - a, b - lb),
  ];
  const distance = (one, two, figure) => {
    const ratio = figure.by === "ratio", bare = (v) => (v === null ? NaN : ratio ? Math.log(v) : v);
    const a = one.slice(3).map(bare), b = two.slice(3).map(bare);
    const ends = figure.exact ? [a[0] - b[0], a[0] - b[0], a[0] - b[0]] : mover(a, b);
    return ratio ? ends.map(Math.exp) : ends;
  };

  const minus = (text) => text.replace("-", "\u2212");
  const write3 = (value, { by, unit }) => {
    if (by === "ratio") return minus(Math.abs(value) >= 10 ? value.toPrecision(3) : value.toFixed(2));
    const text = unit === "%" ? value.toFixed(1) : String(+value.toPrecision(3));
    return minus((value > 0 ? "+" : "") + text);
  };
  const said = ([value, low, high], figure) => {
    const unit = figure.by === "ratio" ? "times" : figure.unit === "%" ? "points" : figure.unit;
    const ends = figure.exact || isNaN(low) || isNaN(high)
      ? "" : ` [${write3(low, figure)} to ${write3(high, figure)}]`;
    return `${write3(value, figure)} ${unit}${ends}`.trim();
  };
  /* Sittings differ by more than the intervals of costs know, so these get no verdict. */
  const WITHIN = ["cost", "energy"];
  /* Half the interval's width, of a ratio a factor. */
  const half = (low, high, { by, unit }) => by === "ratio"
    ? `${Math.sqrt(high / low).toFixed(2)} times`
    : `${+((high - low) / 2).toPrecision(2)} ${unit === "%" ? "points" : unit}`;
  const judged = ([value, low, high], figure) => {
    const none = figure.by === "ratio" ? 1 : 0;
    if (WITHIN.includes(figure.need) && !isNaN(low + high)) return ["within the runs only", "soft"];
    if (figure.exact ? value === none : low <= none && high >= none) {
      return figure.exact ? ["the same", "soft"]
        : [`no detectable difference; half the interval's width is ${half(low, high, figure)}`, "soft"];
    }
    if (isNaN(low) || isNaN(high)) return ["no interval, so nothing is said", "soft"];
    if (!figure.better) return ["differs", ""];
    const good = value > none === (figure.better === "higher");
    return good ? ["better", "good"] : ["worse", "bad"];
  };

  /* What would have to be the same and is not. */
  const apart = (one, two, need) =>
    fields.flatMap(([title, needed], i) =>
      needed.includes(need) && one.fields[i] !== two.fields[i] ? [title.toLowerCase()] : []);

  const against = (cell, run, base, figure, i) => {
    const one = run.figures[i], two = base.figures[i];
    if (figure.by === "nothing" || one.length < 4 || two.length < 4) return;
    const differs = apart(run, base, figure.need), doubt = run.doubt || base.doubt;
    if (doubt || differs.length) {
      const why = doubt ? `not held against: ${doubt}` : `not comparable: other ${differs.join(", ")}`;
      make("span", why, cell, "soft delta");
      return;
    }
    const found = distance(one, two, figure), [word, kind] = judged(found, figure);
    make("span", said(found, figure), cell, "delta");
    make("span", word, cell, `delta ${kind}`);
  };

  const value = (cell, run, figure, i) => {
    const [text, interval, sign] = run.figures[i];
    if (run.figures[i].length < 4) {
      make("a", text, cell, "soft").href = `run/${run.id}.html`;
      return;
    }
    const unit = figure.unit && figure.unit !== "%" ? ` ${figure.unit}` : figure.unit;
    cell.append(text + (unit === "%" ? " %" : unit));
    const below = interval || (figure.interval ? "interval withheld" : "");
    if (below || sign) make("small", `${below}${sign}`, cell);
  };

  const section = (table, title, columns) => {
    const body = make("tbody", "", table), row = make("tr", "", body, "group");
    const head = make("th", title, row, "t");
    head.colSpan = columns;
    head.scope = "rowgroup";
    return body;
  };

  const line = (body, title, tag) => {
    const row = make("tr", "", body), head = make("th", title, row);
    head.scope = "row";
    if (tag) make("span", tag, make("small", "", head), "tag warn");
    return row;
  };

  const show = (runs, base, again) => {
    const frame = make("div", "", place, "scroll");
    frame.tabIndex = 0;
    frame.role = "region";
    frame.ariaLabel = "Runs side by side";
    const table = make("table", "", frame, "pin sides");
    make("caption", `${runs.length} ${runs.length > 1 ? "runs" : "run"} of snapshot ${snapshot}; distances are from ${base.title}`, table);
    const top = make("tr", "", make("thead", "", table));
    make("td", "", top);
    for (const run of runs) {
      const head = make("th", "", top, "t");
      head.scope = "col";
      make("a", run.title, head).href = `run/${run.id}.html`;
      make("small", [run.status, ...run.notes].join("; "), head);
      if (run === base) make("small", "baseline", head);
      if (runs.length < 3) continue;
      const button = make("button", "take out", head, "chip");
      button.ariaLabel = `take out ${run.title}`;
      button.onclick = () => again(runs.filter((each) => each !== run), base === run ? "" : base.id);
    }
    const first = section(table, "Figures", runs.length + 1);
    figures.forEach((figure, i) => {
      if (!runs.some((run) => run.figures[i].length > 3)) return;
      const row = line(first, figure.title);
      for (const run of runs) {
        const cell = make("td", "", row);
        value(cell, run, figure, i);
        if (run !== base) against(cell, run, base, figure, i);
      }
    });
    const second = section(table, "Configuration", runs.length + 1);
    fields.forEach(([title], i) => {
      const differs = new Set(runs.map((run) => run.fields[i])).size > 1;
      const row = line(second, title, differs ? "differs" : "");
      if (differs) row.className = "differs";
      runs.forEach((run) => make("td", run.fields[i], row, "w"));
    });
  };

  const controls = (runs, base, view, again) => {
    const bar = make("form", "", place, "controls");
    bar.ariaLabel = "What is compared";
    bar.onsubmit = () => false;
    const select = make("select", "", make("label", "Baseline", bar));
    for (const run of runs) make("option", `${run.title} (${run.id.slice(0, 8)})`, select).value = run.id;
    select.value = base.id;
    select.onchange = () => again(runs, select.value);
    copier(make("span", "", bar), () => view);
  };

  const paired = (runs, base) => {
    const others = runs.filter((run) => run !== base && run.ok && base.ok && !run.doubt && !base.doubt);
    if (!others.length) return;
    const text = make("p", "Paired by sample, on the same data: ", place, "soft");
    others.forEach((run, i) => {
      if (i) text.append(", ");
      make("code", `tokonomy compare ${base.id.slice(0, 12)} ${run.id.slice(0, 12)}`, text);
    });
  };

  let turn = 0;
  const paint = async () => {
    const mine = ++turn, view = read();
    const asked = [...new Set((view.ids || "").split(",").filter(Boolean))];
    const found = await Promise.all(asked.slice(0, MOST).map(find));
    if (mine !== turn) return;
    const runs = found.filter((run, i) =>
      run.id && found.findIndex((other) => other.id === run.id) === i);
    const held = document.activeElement?.tagName === "SELECT";
    while (status.nextSibling) place.lastChild.remove();
    const problems = found.flatMap((run) => run.wrong || []);
    if (asked.length > MOST) problems.push(`Only the first ${MOST} of ${asked.length} runs are shown.`);
    if (runs.length < 2) problems.push(`At least two runs are needed; this address names ${runs.length}.`);
    status.replaceChildren();
    for (const problem of problems) make("p", problem, status, "note alert");
    if (!runs.length) return;
    const base = runs.find((run) => view.base && run.id.startsWith(view.base)) || runs[0];
    const again = (some, id) => {
      write({ ids: some.map((run) => run.id).join(","), ...(id && { base: id }) });
      paint();
    };
    if (runs.length > 1) controls(runs, base, view, again);
    show(runs, base, again);
    paired(runs, base);
    if (held) place.querySelector("select")?.focus();
  };
  addEventListener("hashchange", paint);
  paint();
}
