(() => {
  const form = document.getElementById("filters");
  const rows = Array.from(document.querySelectorAll("#list > .row"));
  const folds = document.querySelectorAll("#list > .fold");
  const shown = document.getElementById("shown");
  const apply = () => {
    const data = new FormData(form);
    const classes = new Set(data.getAll("class"));
    const command = data.get("command");
    const conversation = data.get("conversation");
    const text = data.get("text").trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      const d = row.dataset;
      const fits = classes.has(d.class) && (!command || d.command === command) &&
        (!conversation || d.conversation === conversation) && (!text || d.find.includes(text));
      row.hidden = !fits;
      count += fits;
    }
    for (const fold of folds) fold.hidden = !classes.has("same") || !!(command || conversation || text);
    shown.value = count === rows.length ? `${count} exchanges` : `${count} of ${rows.length} exchanges`;
  };
  const open = (row) => {
    for (const details of row.querySelectorAll("details")) details.open = true;
    row.scrollIntoView({ block: "start" });
  };
  const go = (step) => {
    const found = rows.filter((r) => !r.hidden && r.dataset.class === "divergence");
    if (!found.length) return;
    const at = found.findIndex((r) => "#" + r.id === location.hash);
    const next = found[at < 0 ? (step > 0 ? 0 : found.length - 1) : (at + step + found.length) % found.length];
    history.replaceState(null, "", "#" + next.id);
    location.hash = next.id;
    open(next);
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (e) => e.preventDefault());
  document.getElementById("next").addEventListener("click", () => go(1));
  document.getElementById("prev").addEventListener("click", () => go(-1));
  document.addEventListener("keydown", (e) => {
    if (e.target.matches("input, select") || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "j") go(1);
    if (e.key === "k") go(-1);
  });
  const target = () => {
    const row = location.hash && document.getElementById(location.hash.slice(1));
    if (row) { row.hidden = false; open(row); }
  };
  addEventListener("hashchange", target);
  form.hidden = false;
  apply();
  target();
})();
