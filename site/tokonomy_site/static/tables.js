/* Sort, filter and shorten the live table; its view is kept after '#'. */
(() => {
  const table = document.querySelector("table.live");
  if (!table) return;
  const LIMIT = 100;
  const body = table.tBodies[0], rows = [...body.rows];
  const heads = [...[...table.tHead.rows].pop().cells];
  const bar = document.querySelector(".controls"), line = document.querySelector(".state");
  const points = {};
  document.querySelectorAll("svg a[href^='#r']").forEach((a) => {
    (points[a.getAttribute("href").slice(1)] ??= []).push(a);
  });
  let view = {};

  const make = (tag, text, parent, kind) => {
    const node = parent.appendChild(document.createElement(tag));
    node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };
  const key = (row, i) =>
    [...row.cells[i].childNodes].reduce((found, node) => found || node.textContent.trim(), "");
  const num = (text) => parseFloat(text.replace(/,/g, "").replace("\u2212", "-"));

  /* Numbers before words either way: a missing figure is never the best. */
  const compare = (i, sign) => (a, b) => {
    const s = key(a, i), t = key(b, i), x = num(s), y = num(t);
    if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    return sign * (isNaN(x) ? s.localeCompare(t, "en", { numeric: true }) : x - y);
  };
  const kept = (row) =>
    row.textContent.toLowerCase().includes((view.search || "").toLowerCase()) &&
    heads.every((head, i) => {
      const want = view[head.dataset.filter];
      return !want || key(row, i) === want;
    });

  const paint = () => {
    const [, column, way] = /^(\d+)([ud])$/.exec(view.sort) || [];
    const order = rows.filter(kept);
    if (heads[column]) order.sort(compare(+column, way === "d" ? -1 : 1));
    heads.forEach((head, i) => {
      head.ariaSort = i !== +column ? null : way === "d" ? "descending" : "ascending";
    });
    const shown = view.all ? order : order.slice(0, LIMIT);
    body.replaceChildren(...shown);
    rows.forEach((row) => points[row.id]?.forEach((a) => a.classList.toggle("off", !order.includes(row))));

    line.replaceChildren();
    make("p", `${shown.length} of ${rows.length} shown`, line).role = "status";
    const chip = (text, action) => (make("button", text, line, "chip").onclick = action);
    if (shown.length < order.length) chip(`show all ${order.length}`, () => set("all", "1"));
    const active = Object.keys(view).filter((k) => k !== "sort" && k !== "all");
    active.forEach((k) => {
      chip(`${k}: ${view[k]} \u00d7`, () => set(k, ""));
      line.lastChild.ariaLabel = `remove filter ${k}: ${view[k]}`;
    });
    if (active.length || view.sort) chip("reset", () => save((view = {})));
    for (const field of bar.elements) field.value = view[field.name] || "";
  };
  const save = () => {
    history.replaceState(null, "", "#" + new URLSearchParams(view));
    paint();
  };
  const set = (k, value) => {
    view[k] = value;
    if (!value) delete view[k];
    save();
  };
  const load = () => {
    const hash = location.hash.slice(1), row = rows.find((r) => r.id && r.id === hash);
    if (!row) view = Object.fromEntries(new URLSearchParams(hash));
    else if (!row.isConnected || !line.firstChild) view = { all: "1" };
    paint();
    row?.scrollIntoView({ block: "center" });
  };

  heads.forEach((head, i) => {
    const { filter, first = "u" } = head.dataset, name = head.firstChild.textContent.trim();
    const button = make("button", name, head, "sort");
    head.replaceChild(button, head.firstChild);
    button.onclick = () =>
      set("sort", i + (view.sort === i + first ? (first === "u" ? "d" : "u") : first));
    if (!filter) return;
    const select = make("select", "", make("label", name, bar));
    select.name = filter;
    make("option", "any", select).value = "";
    [...new Set(rows.map((row) => key(row, i)))].sort().forEach((v) => make("option", v, select));
  });
  bar.hidden = false;
  bar.oninput = (event) => set(event.target.name, event.target.value);
  bar.onsubmit = (event) => event.preventDefault();
  addEventListener("hashchange", load);
  load();
})();
