/* Limits on a leaderboard: which rows keep them, and the front of what is left in the static charts.
   The numbers are those that the rows carry; no figure is changed. */
{
  const { rows, bar, line, tests, after, chips } = board;
  const { make, plain } = tokonomyView;
  const part = document.querySelector("[aria-label='Parts of this class']") ? " of this part" : "";
  const figures = JSON.parse(bar.dataset.figures).map(([name, title, unit, better]) => ({
    name, title, unit, sign: better === "higher" ? -1 : 1,
  }));
  const place = Object.fromEntries(figures.map(({ name }, i) => [name, i]));

  /* Figures of each row by name: value, low and high, NaN where there is none, and a sign. */
  const numbers = new Map(
    rows.map((row) => {
      const all = (row.dataset.f || "").split(";");
      const read = (name) => {
        const [value, low, high, sign = ""] = (all[place[name]] || "").split(",");
        return { value: parseFloat(value), low: parseFloat(low), high: parseFloat(high), sign };
      };
      return [row, Object.fromEntries(figures.map(({ name }) => [name, read(name)]))];
    }),
  );
  const stale = (row) => row.classList.contains("stale");

  /* Rows that no other row equals or beats on both figures and beats on one, by cost. */
  const front = (some, x, y) => {
    const sx = figures[place[x]].sign, sy = figures[place[y]].sign;
    const ranked = some
      .filter((row) => !stale(row))
      .map((row) => ({ row, x: sx * numbers.get(row)[x].value, y: sy * numbers.get(row)[y].value }))
      .filter((p) => !isNaN(p.x + p.y))
      .sort((a, b) => a.x - b.x || a.y - b.y);
    let best = Infinity, last = null;
    return ranked
      .filter((p) => {
        const equal = last && p.x === last.x && p.y === last.y;
        if (p.y >= best && !equal) return false;
        best = p.y;
        last = p;
        return true;
      })
      .map((p) => p.row);
  };

  /* A number as it is typed: commas that part thousands are left out, another is a decimal mark. */
  const typed = (text = "") => {
    const bare = text.trim();
    const grouped = /^[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/.test(bare);
    return bare ? Number(grouped ? bare.replace(/,/g, "") : bare.replace(",", ".")) : NaN;
  };

  /* Limits: the point value counts, and a figure that is missing keeps none. What is no number
     limits nothing, and is said to be none. */
  const boxes = [...bar.querySelectorAll("[data-limit]")].map((label) => {
    const input = label.querySelector("input");
    return { input, key: input.name, figure: label.dataset.limit, said: input.ariaLabel };
  });
  for (const { key, figure, said } of boxes) {
    const [what, unit] = said.split(" at most, ");
    chips[key] = (value) => isNaN(typed(value))
      ? `${what}: \u201c${value.slice(0, 40)}\u201d is no number, so no limit`
      : `${what} \u2264 ${value} ${unit}`;
    tests.push((row, view) => {
      const most = typed(view[key]);
      return isNaN(most) || numbers.get(row)[figure].value <= most;
    });
  }
  const set = (view) => boxes.filter(({ key }) => !isNaN(typed(view[key])));
  const missing = (row, view) =>
    set(view).some(({ figure }) => isNaN(numbers.get(row)[figure].value));

  const SVG = "http://www.w3.org/2000/svg";
  const name = (row) => plain(row.cells[0]);

  /* The front of the rows that are left, through the marks where they stand. */
  const redraw = (figure, left, on) => {
    const { x, y, box } = figure.dataset, svg = figure.querySelector("svg");
    svg.querySelector(".left")?.remove();
    svg.querySelector(".front")?.classList.toggle("faint", on);
    if (!on) return;
    const [right, bottom] = box.split(" ");
    const kept = front(left, x, y).filter((row) => svg.querySelector(`a[href="#${row.id}"]`));
    const at = kept.map((row) => svg.querySelector(`a[href="#${row.id}"] .mk`));
    if (!at.length) return;
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", "front left");
    const steps = at.map((m) => `${m.getAttribute("x")}V${m.getAttribute("y")}`).join("H");
    path.setAttribute("d", `M${steps.replace("V", ` ${bottom}V`)}H${right}`);
    svg.querySelector("g").append(path);
    const title = figure.querySelector("b").textContent.replace(".", "");
    const said = make("p", `Front of what is left${part}, ${title.toLowerCase()}: `, line, "wide");
    kept.forEach((row, i) => {
      if (i) said.append(", ");
      make("a", name(row), said).href = `#${row.id}`;
    });
  };

  after.push((left, shown, view) => {
    const ids = new Set(left.map((row) => row.id));
    for (const point of document.querySelectorAll("svg a[href^='#r']")) {
      point.classList.toggle("off", !ids.has(point.getAttribute("href").slice(1)));
    }
    for (const { key, input } of boxes) {
      input.ariaInvalid = view[key] && isNaN(typed(view[key])) ? "true" : null;
    }
    const on = set(view).length > 0;
    if (on) {
      const out = rows.filter((row) => missing(row, view)).length;
      const why = out ? `, ${out} ${out === 1 ? "row is" : "rows are"} out for want of a figure` : "";
      const text = `; ${left.length} rows${part} are left${why}. Limits are about the value itself, not its interval.`;
      line.firstChild.append(text);
    }
    document.querySelectorAll("figure[data-x]").forEach((figure) => redraw(figure, left, on));
  });
  Object.assign(board, { figures, place, numbers, part, front, name });
}
