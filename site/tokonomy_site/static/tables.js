/* Sort, filter and shorten the live table; its view is kept after '#'. Other scripts hook in. */
{
  const { make } = tokonomyView;
  const table = document.querySelector("table.live");
  const body = table.tBodies[0], rows = [...body.rows];
  const heads = [...table.tHead.lastElementChild.cells];
  const line = document.querySelector(".state"), said = line.firstChild, bar = line.previousElementSibling;
  const tests = [], after = [], chips = { sort: null, all: null, snapshot: null };
  let view = {};

  const key = (row, i) =>
    [...row.cells[i].childNodes].reduce((text, node) => text || node.textContent.trim(), "");
  const num = (text) => parseFloat(text.replace(/,/g, "").replace("−", "-"));
  /* Numbers before words either way: what is missing is never best. */
  const compare = (i, sign) => (a, b) => {
    const s = key(a, i), t = key(b, i), x = num(s), y = num(t);
    if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    return sign * (isNaN(x) ? s.localeCompare(t, "en", { numeric: true }) : x - y);
  };
  tests.push((row) => row.textContent.toLowerCase().includes((view.search || "").toLowerCase()));

  const paint = () => {
    const held = document.activeElement, inside = line.contains(held);
    const [, column, way] = /^(\d+)([ud])$/.exec(view.sort) || [];
    const left = rows.filter((row) => tests.every((test) => test(row, view)));
    if (heads[column]) left.sort(compare(+column, way === "d" ? -1 : 1));
    heads.forEach((head, i) => {
      head.ariaSort = i !== +column ? null : way === "d" ? "descending" : "ascending";
    });
    const shown = view.all ? left : left.slice(0, 100);
    body.replaceChildren(...shown);

    while (said.nextSibling) line.lastChild.remove();
    said.textContent = `${shown.length} of ${rows.length} shown`;
    const chip = (text, act) => (make("button", text, line, "chip").onclick = act);
    if (shown.length < left.length) chip(`show all ${left.length}`, () => set("all", "1"));
    const on = Object.keys(view).filter((k) => chips[k] !== null);
    on.forEach((k) => {
      const text = chips[k]?.(view[k]) || `${k}: ${view[k]}`;
      chip(text + " ×", () => set(k, ""));
      line.lastChild.ariaLabel = "remove filter " + text;
    });
    if (on.length || view.sort) chip("reset", () => save((view = {})));
    for (const field of bar.elements) {
      const now = view[field.name] || "";
      if (field.value !== now) field.value = now; // what is being typed stays
    }
    after.forEach((then) => then(left, shown, view));
    if (inside) (line.querySelector("button, a") || bar.elements[0]).focus();
    else held.focus();
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
    else if (!row.isConnected || !said.firstChild) view = { all: "1" };
    paint();
    row?.scrollIntoView({ block: "center" });
  };

  heads.forEach((head, i) => {
    const { filter, first = "u" } = head.dataset, name = head.firstChild.data.trim();
    const button = make("button", name, head, "sort");
    head.firstChild.replaceWith(button);
    button.onclick = () =>
      set("sort", i + (view.sort !== i + first ? first : first === "u" ? "d" : "u"));
    if (!filter) return;
    tests.push((row) => !view[filter] || key(row, i) === view[filter]);
    const select = make("select", "", make("label", name, bar));
    select.name = filter;
    make("option", "any", select).value = "";
    [...new Set(rows.map((row) => key(row, i)))].sort().forEach((v) => make("option", v, select));
  });
  bar.hidden = false;
  bar.oninput = ({ target }) => set(target.name, target.value);
  bar.onsubmit = () => false;
  window.board = { table, rows, heads, bar, line, tests, after, chips, set };
  onhashchange = load;
  addEventListener("DOMContentLoaded", load);
}
