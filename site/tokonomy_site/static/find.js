/* From the beginning of a run's id to its page. Ids lie by first digit in run/ids-….js. */
(() => {
  const { make } = tokonomyView;
  const place = document.querySelector(".find"), answer = document.querySelector(".found");
  const wanted = () => {
    const text = location.hash.slice(1);
    try {
      return decodeURIComponent(text).split("&")[0].toLowerCase();
    } catch {
      return text; // a lone % is no id either
    }
  };

  const show = (start, all = "") => {
    const ids = all.match(/.{32}/g) || [], found = ids.filter((id) => id.startsWith(start));
    if (found.length === 1) return location.replace(`run/${found[0]}.html`);
    const several = found.length ? `${found.length} runs begin with` : "No run here begins with";
    make("p", `${several} `, answer).append(make("code", start, answer), ".");
    const list = make("ul", "", answer);
    found.slice(0, 100).forEach((id) => (make("a", id, make("li", "", list)).href = `run/${id}.html`));
    if (!found.length) list.remove();
  };
  const look = () => {
    const start = wanted();
    answer.replaceChildren();
    if (!start || start.startsWith("snapshot=")) return;
    if (!/^[0-9a-f]{1,32}$/.test(start)) {
      make("p", "An id is made of the digits 0 to 9 and a to f, 32 of them.", answer);
      return;
    }
    const script = document.createElement("script");
    script.src = `run/ids-${start[0]}.js`;
    script.onload = () => show(start, tokonomyIds[start[0]]);
    script.onerror = () => show(start);
    document.head.append(script);
  };
  const form = make("form", "", place, "controls");
  const field = make("input", "", make("label", "Beginning of its id", form));
  field.name = "id";
  field.autocomplete = "off";
  field.spellcheck = false;
  make("button", "Go to the run", form);
  form.onsubmit = (event) => {
    event.preventDefault();
    location.hash = field.value.trim();
  };
  addEventListener("hashchange", look);
  look();
})();
