/* What a reader takes from a leaderboard: a link to this view, its rows as CSV, a comparison. */
{
  const { rows, heads, line, after, chips, set, figures, numbers, name } = board;
  const { make, plain, read, copier, csv, download, snapshot } = tokonomyView;
  const MOST = 4;
  const run = (row) => /([0-9a-f]{32})\.html$/.exec([...row.querySelectorAll("a")].pop().href)[1];
  const byRun = new Map(rows.map((row) => [run(row).slice(0, 12), row]));
  chips.pick = null;

  const table = (left) => {
    const shown = figures.flatMap(({ name, unit }) => {
      const head = unit ? `${name} (${unit})` : name;
      return [head, `${head} low`, `${head} high`, `${head} sign`];
    });
    const lines = left.map((row) => [
      run(row),
      ...[...row.cells].map(plain),
      ...figures.flatMap((figure) => {
        const { value, low, high, sign } = numbers.get(row)[figure.name];
        return [value, low, high, sign];
      }),
    ]);
    return [["run id", ...heads.map(plain), ...shown], ...lines];
  };

  /* Boxes to tick for a comparison. */
  rows[0]?.closest("table").classList.add("picks");
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
    const ids = (view.pick || "").split(",").filter((id) => byRun.has(id));
    for (const [id, box] of boxes) {
      box.checked = ids.includes(id);
      box.disabled = !box.checked && ids.length >= MOST;
    }
    copier(line, read);
    const button = (text, act) => (make("button", text, line, "chip").onclick = act);
    button("CSV of this view", () => download(`tokonomy-${snapshot}.csv`, csv(table(left))));
    if (ids.length > 1) {
      const go = make("a", `compare ${ids.length} runs`, line, "chip");
      go.href = "../compare.html#ids=" + ids.map((id) => run(byRun.get(id))).join(",");
    } else {
      make("span", `tick 2 to ${MOST} rows to compare them`, line, "soft");
    }
    if (ids.length) button("untick all", () => set("pick", ""));
  });
}
