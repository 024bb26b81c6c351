/* What a reader takes from a leaderboard: a link to this view, its rows as CSV, a comparison. */
{
  const { table, rows, heads, line, after, chips, make, set, figures, numbers, name } = board;
  const MOST = 4, snapshot = table.dataset.snapshot;
  const run = (row) => /([0-9a-f]{32})\.html$/.exec([...row.querySelectorAll("a")].pop().href)[1];
  const byRun = new Map(rows.map((row) => [run(row).slice(0, 12), row]));
  chips.pick = chips.snapshot = null;

  const link = () => {
    const view = new URLSearchParams(location.hash.slice(1));
    view.set("snapshot", snapshot);
    return location.href.split("#")[0] + "#" + view;
  };
  const copy = async (button) => {
    let done = false;
    try {
      await navigator.clipboard.writeText(link());
      done = true;
    } catch {
      location.hash = link().split("#")[1]; // the address bar then has it
    }
    button.textContent = done ? "copied" : "copy it from the address bar";
  };

  /* As downloads are written: no spreadsheet takes a text for a formula. */
  const cell = (text) => `"${text.replace(/^(?=[=+\-@\t\r\n])/, "'").replace(/"/g, '""')}"`;
  const number = (value) => (isNaN(value) ? "" : String(value));
  const csv = (left) => {
    const shown = figures.flatMap(({ name, unit }) => {
      const head = unit ? `${name} (${unit})` : name;
      return [head, `${head} low`, `${head} high`, `${head} sign`];
    });
    const words = heads.map((head) => head.innerText.replace(/\s+/g, " ").trim());
    const lines = [["row", "run", ...words, ...shown].map(cell)];
    for (const row of left) {
      const texts = [...row.cells].map((c) => cell(c.innerText.replace(/\s+/g, " ").trim()));
      const values = figures.flatMap((figure) => {
        const { value, low, high, sign } = numbers.get(row)[figure.name];
        return [number(value), number(low), number(high), sign && cell(sign)];
      });
      lines.push([cell(name(row)), cell(run(row)), ...texts, ...values]);
    }
    return lines.map((cells) => cells.join(",") + "\n").join("");
  };
  const save = (left) => {
    const a = document.createElement("a");
    a.href = URL.createObjectURL(new Blob([csv(left)], { type: "text/csv;charset=utf-8" }));
    a.download = `tokonomy-${snapshot}.csv`;
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  };

  /* Boxes to tick for a comparison. */
  const picked = (view) => (view.pick || "").split(",").filter((id) => byRun.has(id));
  const boxes = new Map();
  for (const [id, row] of byRun) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.className = "pick";
    box.ariaLabel = `compare ${name(row)}`;
    box.onchange = () => {
      const now = [...boxes].filter(([, each]) => each.checked).map(([each]) => each);
      set("pick", now.join(","));
    };
    row.cells[0].prepend(box);
    boxes.set(id, box);
  }

  after.push((left, shown, view) => {
    const ids = picked(view);
    for (const [id, box] of boxes) {
      box.checked = ids.includes(id);
      box.disabled = !box.checked && ids.length >= MOST;
    }
    const button = (text, act) => (make("button", text, line, "chip").onclick = act);
    button("copy link", (event) => copy(event.target));
    button("CSV of this view", () => save(left));
    if (ids.length > 1) {
      const go = make("a", `compare ${ids.length} runs`, line, "chip");
      go.href = "../compare.html#ids=" + ids.map((id) => run(byRun.get(id))).join(",");
    } else {
      make("span", `tick 2 to ${MOST} rows to compare them`, line, "soft");
    }
    if (ids.length) button("untick all", () => set("pick", ""));
    if (view.snapshot && view.snapshot !== snapshot) {
      const text = `This link was made from snapshot ${view.snapshot}; this page shows ${snapshot}, so its figures may differ.`;
      make("p", text, line, "wide alert note");
    }
  });
}
