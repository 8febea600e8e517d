// Filter, sort and step. The page is complete without it; nothing here makes HTML from text.
"use strict";
(() => {
  const one = (query, within = document) => within.querySelector(query);
  const all = (query, within = document) => [...within.querySelectorAll(query)];

  const rows = all("#rows tbody tr");
  const heads = all("#rows th");
  const finds = all(".find");
  const filter = one("#filter");
  const findsOnly = one("#finds-only");
  // What the address says: #filter=leak&finds=only&sort=-rule&find=3&op=2
  const state = { filter: "", finds: "", sort: "", find: 1, op: null };

  function read() {
    const said = new URLSearchParams(location.hash.slice(1));
    state.filter = said.get("filter") ?? "";
    state.finds = said.get("finds") ?? "";
    state.sort = said.get("sort") ?? "";
    state.find = Math.min(Math.max(Number(said.get("find")) || 1, 1), Math.max(finds.length, 1));
    state.op = said.has("op") ? Number(said.get("op")) || 0 : null;
  }

  function write() {
    const say = new URLSearchParams();
    for (const key of ["filter", "finds", "sort"]) {
      if (state[key]) say.set(key, state[key]);
    }
    if (finds.length) say.set("find", state.find);
    if (state.op !== null) say.set("op", state.op);
    history.replaceState(null, "", "#" + say);
    show();
  }

  function show() {
    showRows();
    showFind();
  }

  // -- The table of all runs ----------------------------------------------------------------------

  const matches = (row) => {
    const text = row.textContent.toLowerCase();
    const words = state.filter.toLowerCase().split(/\s+/);
    return words.every((word) => text.includes(word)) && (state.finds !== "only" || row.dataset.find);
  };

  function showRows() {
    if (filter.value !== state.filter) filter.value = state.filter;
    findsOnly.checked = state.finds === "only";
    for (const row of rows) {
      row.hidden = !matches(row);
      mark(row, Number(row.dataset.find) === state.find);
    }
    one("#shown").value = `${rows.filter((row) => !row.hidden).length} of ${rows.length} shown`;
    const key = state.sort.replace("-", "");
    const down = state.sort.startsWith("-");
    heads.forEach((head, index) => {
      if (head.dataset.key !== key) return head.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const cell = (row) => row.cells[index].textContent;
      const order = "number" in head.dataset
        ? (a, b) => number(cell(a)) - number(cell(b)) || 0
        : (a, b) => cell(a).localeCompare(cell(b));
      rows.sort((a, b) => (down ? order(b, a) : order(a, b)));
      one("#rows tbody").append(...rows);
    });
  }

  // What has none is the largest.
  const number = (text) => (text === "" ? Infinity : Number(text));

  const mark = (element, current) =>
    current ? element.setAttribute("aria-current", "true") : element.removeAttribute("aria-current");

  // -- One find -----------------------------------------------------------------------------------

  function showFind() {
    finds.forEach((find, index) => (find.hidden = index + 1 !== state.find));
    const find = finds[state.find - 1];
    if (!find) return;
    one("#position").textContent = `find ${state.find} of ${finds.length}`;
    const op = opOf(find);
    const { left, column, first } = one("svg", find).dataset;
    const x = Number(left) + (op - first) * column;
    one(".cursor", find).setAttribute("x", x);
    const view = one(".timeline", find);
    if (x < view.scrollLeft + Number(left) || x + Number(column) > view.scrollLeft + view.clientWidth) {
      view.scrollLeft = x - view.clientWidth / 2;
    }
    for (const step of all(".steps tr[data-op]", find)) {
      const current = Number(step.dataset.op) === op;
      mark(step, current);
      if (current) tell(find, stepInWords(find, step));
    }
  }

  const tell = (find, text) => (one(".readout", find).textContent = text);

  function stepInWords(find, step) {
    const names = all(".steps th", find).map((head) => head.textContent.toLowerCase());
    const did = [...step.cells].slice(2).map((cell, index) => `${names[index + 2]}: ${cell.textContent}`);
    return `op ${step.cells[0].textContent}: ${step.cells[1].textContent} \u2192 ${did.join("; ")}`;
  }

  // The op of the address, within those shown; the broken one where it names none.
  function opOf(find) {
    const { first, count } = one("svg", find).dataset;
    const op = state.op ?? Number(find.dataset.broken);
    return Math.min(Math.max(op, Number(first)), Number(first) + Number(count) - 1);
  }

  function step(to) {
    const find = finds[state.find - 1];
    if (!find) return;
    state.op = to(opOf(find));
    state.op = opOf(find);
    write();
  }

  // To the next find that the filter leaves, in the order shown.
  function turn(by) {
    const shown = rows.filter((row) => !row.hidden && row.dataset.find).map((row) => Number(row.dataset.find));
    if (!shown.length) return;
    const at = shown.indexOf(state.find);
    const to = at < 0 ? 0 : Math.min(Math.max(at + by, 0), shown.length - 1);
    open(shown[to]);
  }

  function open(find) {
    state.find = find;
    state.op = null;
    write();
  }

  // -- What the user does -------------------------------------------------------------------------

  const keys = {
    ArrowLeft: () => step((op) => op - 1),
    ArrowRight: () => step((op) => op + 1),
    Home: () => step(() => 0),
    End: () => step(() => Infinity),
    b: () => step(() => Number(finds[state.find - 1].dataset.broken)),
    j: () => turn(1),
    k: () => turn(-1),
    "/": () => filter.focus(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === filter) {
      if (event.key === "Escape") filter.blur();
      return;
    }
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  filter.addEventListener("input", () => {
    state.filter = filter.value;
    write();
  });
  findsOnly.addEventListener("change", () => {
    state.finds = findsOnly.checked ? "only" : "";
    write();
  });
  for (const head of heads) {
    one("button", head).addEventListener("click", () => {
      state.sort = (state.sort === head.dataset.key ? "-" : "") + head.dataset.key;
      write();
    });
  }
  for (const row of rows) {
    if (!row.dataset.find) continue;
    row.addEventListener("click", (event) => {
      event.preventDefault();
      open(Number(row.dataset.find));
      finds[state.find - 1].scrollIntoView({ block: "nearest" });
    });
  }
  one("#previous")?.addEventListener("click", () => turn(-1));
  one("#next")?.addEventListener("click", () => turn(1));

  for (const find of finds) {
    for (const line of all(".steps tr[data-op]", find)) {
      line.addEventListener("click", () => step(() => Number(line.dataset.op)));
    }
    const drawing = one("svg", find);
    drawing.addEventListener("click", (event) => {
      const { left, column, first } = drawing.dataset;
      const x = event.clientX - drawing.getBoundingClientRect().left - left;
      if (x >= 0) step(() => Number(first) + Math.floor(x / column));
    });
    drawing.addEventListener("mouseover", (event) => {
      const block = event.target.closest(".block");
      if (block) tell(find, `${block.closest(".lane").classList[1]}: ${one("title", block).textContent}`);
    });
    drawing.addEventListener("mouseleave", showFind);
  }

  addEventListener("hashchange", () => {
    read();
    show();
  });
  read();
  show();
})();
