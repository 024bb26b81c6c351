/* What pages share that keep their view after '#': reading and writing it, links that name the
   snapshot, downloads. On every page it also says when a link was made on another snapshot. */
(() => {
  const { snapshot, root } = document.documentElement.dataset;
  const make = (tag, text, parent, kind) => {
    const node = parent.appendChild(document.createElement(tag));
    node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };
  const params = () => new URLSearchParams(location.hash.slice(1));

  /* What a node says on one line. Unlike innerText it parts a value from the small print below it
     also where the node stands in no page. */
  const plain = (node) => {
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT), found = [];
    while (texts.nextNode()) found.push(texts.currentNode.data);
    return found.join(" ").replace(/\s+/g, " ").trim();
  };

  /* The view in the address, without the snapshot that a link may name. */
  const read = () => {
    const found = Object.fromEntries(params());
    delete found.snapshot;
    return found;
  };
  const address = (view) => {
    const text = new URLSearchParams(view).toString();
    return location.href.split("#")[0] + (text ? `#${text}` : "");
  };
  const write = (view) => history.replaceState(null, "", address(view));

  /* Gives a button that copies a link to the view, snapshot included; where nothing can be copied
     the link is shown. `view` is called when the button is pressed. */
  const copier = (parent, view) => {
    const button = make("button", "copy link", parent, "chip");
    button.type = "button";
    button.onclick = async () => {
      const link = address({ ...view(), snapshot });
      try {
        await navigator.clipboard.writeText(link);
        button.textContent = "copied";
      } catch {
        const shown = make("input", "", parent);
        shown.readOnly = true;
        shown.ariaLabel = "Link to this view";
        shown.value = link;
        shown.select();
      }
    };
    return button;
  };

  /* Rows of texts and numbers as CSV that no spreadsheet takes for formulas; numbers that are
     written out lose what makes them easier to read. */
  const number = /^\u2212?\d[\d,]*(\.\d+)?$/;
  const field = (text) => {
    if (typeof text === "number") return isNaN(text) ? "" : String(text);
    if (number.test(text)) return text.replace(/,/g, "").replace("\u2212", "-");
    const plain = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(plain) ? `"${plain.replace(/"/g, '""')}"` : plain;
  };
  const csv = (rows) => rows.map((row) => row.map(field).join(",") + "\n").join("");
  const download = (name, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };

  const other = () => {
    document.querySelector(".elsewhere")?.remove();
    const named = params().get("snapshot");
    if (!named || !snapshot || snapshot.startsWith(named.slice(0, 12))) return;
    const line = make("p", "This link was made on snapshot ", document.body, "note alert elsewhere");
    make("code", named.slice(0, 12), line);
    line.append("; this is ");
    make("code", snapshot, line);
    line.append(". Numbers may have changed. ");
    make("a", "How to get the data of another snapshot", line).href = `${root}data.html#snapshots`;
    document.querySelector("main").prepend(line);
  };
  addEventListener("hashchange", other);
  globalThis.tokonomyView = { make, plain, read, write, address, copier, csv, download, snapshot, root };
  other();
})();
