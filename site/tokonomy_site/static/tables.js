/* Sort, filter and shorten the page's live table; the view is kept after '#' in the address.
   Everything is readable without this file: it only rearranges rows that are already there. */
(function () {
  "use strict";
  var LIMIT = 100;
  var table = document.querySelector("table.live");
  if (!table) return;
  var body = table.tBodies[0];
  var rows = Array.from(body.rows);
  var heads = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
  var bar = document.querySelector(".controls");
  var line = document.querySelector(".state");
  var links = {};
  document.querySelectorAll("svg a[href^='#r']").forEach(function (a) {
    var id = a.getAttribute("href").slice(1);
    (links[id] = links[id] || []).push(a);
  });
  var view = {};

  function make(tag, text, parent, kind) {
    var node = document.createElement(tag);
    node.textContent = text;
    if (kind) node.className = kind;
    if (tag === "button") node.type = "button";
    return parent.appendChild(node);
  }
  function name(head) { return (head.dataset.name || head.firstChild.textContent).trim(); }
  function key(row, i) {
    var cell = row.cells[i];
    if (cell.tagName === "TH") return cell.textContent.trim();
    return cell.firstChild ? cell.firstChild.textContent.trim() : "";
  }
  function number(text) {
    var value = parseFloat(text.replace(/,/g, "").replace("\u2212", "-"));
    return isNaN(value) ? null : value;
  }

  /* Numbers before words, whatever the direction: a missing figure is never the best one. */
  function compare(i, down) {
    return function (a, b) {
      var s = key(a, i), t = key(b, i), x = number(s), y = number(t), d;
      if (x === null || y === null) {
        if (x !== y) return x === null ? 1 : -1;
        d = s.localeCompare(t, "en", { numeric: true });
      } else d = x - y;
      return down ? -d : d;
    };
  }
  function kept(row) {
    if (view.search && row.textContent.toLowerCase().indexOf(view.search.toLowerCase()) < 0) return false;
    return heads.every(function (head, i) {
      var want = head.dataset.filter && view[head.dataset.filter];
      return !want || key(row, i) === want;
    });
  }

  function paint() {
    var parts = (view.sort || "").match(/^(\d+)([ud])$/);
    var order = rows.filter(kept);
    if (parts && heads[parts[1]]) order.sort(compare(+parts[1], parts[2] === "d"));
    heads.forEach(function (head, i) {
      if (parts && +parts[1] === i) {
        head.setAttribute("aria-sort", parts[2] === "d" ? "descending" : "ascending");
      } else head.removeAttribute("aria-sort");
    });
    var shown = view.all ? order : order.slice(0, LIMIT);
    body.replaceChildren.apply(body, shown);
    rows.forEach(function (row) {
      (links[row.id] || []).forEach(function (a) {
        a.classList.toggle("off", order.indexOf(row) < 0);
      });
    });
    status(order.length, shown.length);
  }
  function status(matched, shown) {
    line.replaceChildren();
    var text = shown + " of " + rows.length + " shown";
    make("p", text, line).setAttribute("role", "status");
    if (shown < matched) {
      make("button", "show all " + matched, line, "chip").onclick = function () { set("all", "1"); };
    }
    var active = Object.keys(view).filter(function (k) { return k !== "sort" && k !== "all"; });
    active.forEach(function (k) {
      var chip = make("button", k + ": " + view[k] + " \u00d7", line, "chip");
      chip.setAttribute("aria-label", "remove filter " + k + ": " + view[k]);
      chip.onclick = function () { set(k, ""); };
    });
    if (active.length || view.sort) {
      make("button", "reset", line, "chip").onclick = function () { view = {}; save(); };
    }
  }

  function controls() {
    Array.from(bar.elements).forEach(function (field) { field.value = view[field.name] || ""; });
  }
  function set(k, value) {
    if (value) view[k] = value; else delete view[k];
    save();
  }
  function save() {
    history.replaceState(null, "", "#" + new URLSearchParams(view));
    controls();
    paint();
  }
  function load() {
    var hash = location.hash.slice(1);
    if (/^r\d+$/.test(hash)) {
      var row = rows.find(function (r) { return r.id === hash; });
      if (row && !row.isConnected) { view = { all: "1" }; paint(); }
      if (row) row.scrollIntoView({ block: "center" });
      return;
    }
    view = {};
    new URLSearchParams(hash).forEach(function (value, k) { if (k && value) view[k] = value; });
    controls();
    paint();
  }

  heads.forEach(function (head, i) {
    var button = make("button", name(head), head, "sort");
    head.replaceChild(button, head.firstChild);
    button.onclick = function () {
      var first = head.dataset.first || "u";
      set("sort", i + (view.sort === i + first ? (first === "u" ? "d" : "u") : first));
    };
    if (!head.dataset.filter) return;
    var label = make("label", name(head), bar), select = make("select", "", label);
    select.name = head.dataset.filter;
    make("option", "any", select).value = "";
    Array.from(new Set(rows.map(function (row) { return key(row, i); }))).sort()
      .forEach(function (value) { make("option", value, select).value = value; });
  });
  bar.hidden = false;
  bar.addEventListener("input", function (event) { set(event.target.name, event.target.value); });
  bar.addEventListener("submit", function (event) { event.preventDefault(); });
  window.addEventListener("hashchange", load);
  load();
  if (/^r\d+$/.test(location.hash.slice(1))) paint();
})();
