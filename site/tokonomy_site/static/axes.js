/* Other axes for a leaderboard's chart. The library that draws it is loaded when the first is chosen;
   without it the static charts stay. Marks are those of the rows: same symbols, links and cautions. */
if (document.querySelector("form.axes")) {
  const form = document.querySelector("form.axes"), charts = document.querySelector(".charts");
  const { rows, chips, after, set, figures, place, numbers, part, front, name } = board;
  const reference = rows.find((row) => row.classList.contains("ref"));
  const WIDTH = 760, HEIGHT = 470, SVG = "http://www.w3.org/2000/svg";
  const KEYS = ["x", "y", "of", "scale"];
  KEYS.forEach((key) => (chips[key] = null));
  let bundle = null;

  const load = () =>
    (bundle ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = form.dataset.bundle;
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    }));

  const element = (tag, attributes, ...children) => {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  /* As many digits as a figure bears: one decimal of a per cent, else three figures. */
  const form3 = (value, unit) => {
    const digits = unit === "%" ? 1 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
    return value.toLocaleString("en", { maximumFractionDigits: Math.min(digits, 9) });
  };
  /* A title within a sentence; one that begins with capitals keeps them. */
  const inner = (title) => (/^[A-Z]{2}/.test(title) ? title : title[0].toLowerCase() + title.slice(1));
  const said = ({ value, low, high, sign }, { title, unit }) => {
    const ends = isNaN(low) ? "" : ` [${form3(low, unit)} to ${form3(high, unit)}]`;
    const caution = { "\u2020": ", \u2020 unconverged", "\u2021": ", \u2021 flagged" }[sign] || "";
    return `${inner(title)} ${form3(value, unit)}${unit && " " + unit}${ends}${caution}`;
  };

  /* What the view asks for: figures of both axes, and the scale across. */
  const wanted = (view) => {
    const option = (key) =>
      form.elements[key].querySelector(`option[value="${CSS.escape(view[key] || "")}"]`) ||
      form.elements[key].options[0];
    const x = option("x"), y = option("y");
    const { own, relative } = x.dataset, absolute = view.of === "own" || !relative;
    const byRow = !absolute && relative === "row";
    const across = figures[place[absolute || byRow ? own : relative]];
    return {
      x: byRow ? { ...across, title: `${across.title}, reference = 1`, unit: "" } : across,
      y: { ...figures[place[y.dataset.own]], title: y.textContent },
      over: byRow ? numbers.get(reference)?.[own].value : 1,
      log: view.scale === "log",
      fell: view.of !== "own" && absolute,
    };
  };

  /* A row's mark with its intervals, as the static charts have it. */
  const point = ({ row, a, b, off }, place, ask) => {
    const sign = row.cells[0].querySelector("svg.m"), x = place.x(a.value), y = place.y(b.value);
    const label = `${name(row)}: ${said(b, ask.y)}; ${said(a, ask.x)}`;
    const symbol = sign.querySelector("use").getAttribute("href");
    const link = element("a", { href: `#${row.id}`, "aria-label": label },
      element("title", {}, label), element("use", { href: symbol, class: "mk", x, y }));
    if (off) link.classList.add("off");
    const caution = a.sign || b.sign;
    if (caution) link.append(element("text", { x, y, dx: 4, dy: -3 }, caution));
    const left = ask.log && a.low <= 0 ? place.x.range()[0] : place.x(a.low);
    const bars = (isNaN(a.low + a.high) ? "" : `M${left} ${y}H${place.x(a.high)}`) +
      (isNaN(b.low + b.high) ? "" : `M${x} ${place.y(b.low)}V${place.y(b.high)}`);
    const bar = element("path", { class: "bar", d: bars });
    return element("g", { class: `s ${sign.classList[1]}` }, bar, link);
  };

  /* From the least to the greatest end with a little room. */
  const room = (ends, log) => {
    const low = Math.min(...ends), high = Math.max(...ends);
    const more = log ? 1.06 : 0.05 * (high - low || Math.abs(high) || 1);
    return log ? [low / more, high * more] : [low - more, high + more];
  };
  const over = ({ value, low, high, sign }, by) => ({
    value: value / by, low: low / by, high: high / by, sign,
  });
  const words = ({ title, unit }) => (unit ? `${title}, ${unit}` : title);
  const draw = (left, ask) => {
    const { x, y, log } = ask, kept = new Set(left);
    const data = rows
      .map((row) => ({
        row, a: over(numbers.get(row)[x.name], ask.over), b: numbers.get(row)[y.name], off: !kept.has(row),
      }))
      .filter(({ a, b }) => !isNaN(a.value + b.value) && !(log && a.value <= 0));
    const of = new Map(data.map((d) => [d.row, d]));
    const across = (d) => d.a.value, up = (d) => d.b.value;
    const ends = (which, least) =>
      data.flatMap((d) => [d[which].value, d[which].low, d[which].high]).filter((end) => end > least);
    const wide = room(ends("a", log ? 0 : -Infinity), log), tall = room(ends("b", -Infinity), false);
    const best = front(left.filter((row) => of.has(row)), x.name, y.name).map((row) => ({
      x: of.get(row).a.value, y: of.get(row).b.value,
    }));
    if (best.length) { // from the worse edge up to the first, and from the last on to the worse edge
      best.unshift({ x: best[0].x, y: tall[y.sign < 0 ? 0 : 1] });
      best.push({ x: wide[x.sign < 0 ? 0 : 1], y: best.at(-1).y });
    }
    const dashed = of.get(reference);
    const svg = Plot.plot({
      width: WIDTH, height: HEIGHT, marginLeft: 60, marginRight: 18, marginTop: 26, marginBottom: 42,
      x: { type: log ? "log" : "linear", domain: wide },
      y: { domain: tall },
      marks: [
        Plot.gridY({ strokeOpacity: 0.15 }),
        Plot.axisX({ label: words(x), labelAnchor: "right", labelArrow: "none", ticks: 7,
                     tickFormat: log ? (value) => form3(value, "") : undefined }),
        Plot.axisY({ label: words(y), labelArrow: "none", tickSize: 0 }),
        dashed && Plot.ruleX([dashed], { x: across, strokeDasharray: "4 3", strokeOpacity: 0.6 }),
        Plot.line(best, { x: "x", y: "y", curve: "step-after", strokeWidth: 1.6 }),
        Plot.dot(data, {
          x: across, y: up,
          render: (index, scales) =>
            element("g", {}, ...Array.from(index, (i) => point(data[i], scales, ask))),
        }),
      ],
    });
    svg.querySelector("style")?.remove(); // the site's policy allows none; site.css says it all
    for (const part of svg.querySelectorAll("[aria-label]:not(a)")) {
      part.removeAttribute("aria-label");
      part.setAttribute("aria-hidden", "true");
    }
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", `${y.title} against ${inner(x.title)}`);
    return { svg, out: rows.length - data.length };
  };

  const figure = document.createElement("figure");
  figure.className = "redrawn";
  const back = () => {
    KEYS.forEach((key) => set(key, ""));
    form.elements.x.focus();
  };
  const show = (left, ask) => {
    const { svg, out } = draw(left, ask);
    const caption = document.createElement("figcaption");
    const better = ({ sign }, less, more) => (sign < 0 ? more : less);
    const text = [
      ` ${better(ask.x, "Left", "Right")} and ${better(ask.y, "down", "up")} are better; bars are 95 % intervals where there are any, the line is the front of the values of the rows${part} that are left, dashes mark the reference. Stale and doubted rows are on no front.`,
      ask.fell ? "This figure has no other relative to the reference, so it is absolute. " : "",
      out ? `${out} of ${rows.length} rows are not drawn: a figure is missing${ask.log ? " or not above 0" : ""}. ` : "",
    ].join(" ");
    const title = document.createElement("b");
    title.textContent = svg.getAttribute("aria-label") + ".";
    const button = document.createElement("button");
    button.className = "chip";
    button.type = "button";
    button.textContent = "back to the standard charts";
    button.onclick = back;
    caption.append(title, text, button);
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.tabIndex = 0;
    plot.role = "region";
    plot.ariaLabel = "Chart with chosen axes";
    plot.append(svg);
    figure.replaceChildren(caption, plot);
    charts.before(figure);
  };

  let turn = 0;
  after.push((left, shown, view) => {
    const mine = ++turn, on = KEYS.some((key) => view[key]);
    for (const key of KEYS) {
      const field = form.elements[key];
      if (!field) return; // the library could not be loaded
      field.value = view[key] || field.options[0].value;
      if (field.selectedIndex < 0) field.selectedIndex = 0;
    }
    if (!on) {
      charts.hidden = false;
      figure.remove();
      return;
    }
    load().then(
      () => {
        if (mine !== turn) return; // something else was chosen meanwhile
        charts.hidden = true;
        show(left, wanted(view));
      },
      () => {
        form.textContent = "Other axes cannot be drawn: the chart library could not be loaded.";
      },
    );
  });
  form.onsubmit = () => false;
  form.oninput = ({ target }) => set(target.name, target.value);
  form.hidden = false;
}
