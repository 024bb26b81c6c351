/* Decodes data/runs.js; the format stands in site/tokonomy_site/encoded.py.
   A column gets `places`, the place of each run's value among `values`; `text(run)`, that value;
   and `size(run)`, the number it shows, NaN for a word. Runs are counted from 0, oldest first. */
globalThis.tokonomyTable = ({ snapshot, count, id, columns }) => {
  const decode = ({ codes, ...column }) => {
    const { values, numbers } = column, places = new Int32Array(count);
    for (let plane = 0, worth = 1; plane < codes.length; plane += count, worth *= 91)
      for (let run = 0; run < count; run++) {
        const code = codes.charCodeAt(plane + run);
        places[run] += worth * (code - 35 - (code > 92));
      }
    const text = (run) => values[places[run]];
    const size = (run) =>
      places[run] < numbers ? +text(run).replace(/,/g, "").replace("\u2212", "-") : NaN;
    return [column.name, { ...column, places, text, size }];
  };
  const name = (run) => id.text.substr(run * id.width, id.width);
  /* The run whose id begins as the given text does, as far as ids are kept; -1 for none. */
  const find = (given) => {
    const start = given.slice(0, id.width);
    let at = start.length < id.width ? -1 : id.text.indexOf(start);
    while (at > 0 && at % id.width) at = id.text.indexOf(start, at + 1);
    return at < 0 ? -1 : at / id.width;
  };
  return { snapshot, count, name, find, columns: Object.fromEntries(columns.map(decode)) };
};
