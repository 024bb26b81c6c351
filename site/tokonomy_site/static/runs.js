/* Decodes data/runs.js; the format stands in site/tokonomy_site/encoded.py.
   A column gets `places`, the place of each run's value among `values`, and `text(run)`, that
   value. Runs are counted from 0, oldest first. */
globalThis.tokonomyTable = ({ snapshot, count, id, columns }) => {
  const decode = ({ codes, ...column }) => {
    const { values } = column, places = new Int32Array(count);
    for (let plane = 0, worth = 1; plane < codes.length; plane += count, worth *= 91)
      for (let run = 0; run < count; run++) {
        const code = codes.charCodeAt(plane + run);
        places[run] += worth * (code - 35 - (code > 92));
      }
    const text = (run) => values[places[run]];
    return [column.name, { ...column, places, text }];
  };
  const name = (run) => id.text.substr(run * id.width, id.width);
  return { snapshot, count, name, columns: Object.fromEntries(columns.map(decode)) };
};
