/* Small improvements to pages that work without them. Each part finds its elements by a data-…
   attribute, so that what htmx brings in later works as well. */
(() => {
  "use strict";

  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const typing = (element) => element.closest("input, textarea, select, [contenteditable]");
  const say = (words) => {
    const live = document.querySelector("[data-live]");
    if (live) live.textContent = words;
  };
  const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const token = (form) => form?.querySelector('[name="csrf_token"]')?.value;
  window.schoolhouse = { all, fill, say, token, typing };
  const on = (type, selector, act, options) =>
    document.addEventListener(type, (event) => {
      const element = event.target.closest?.(selector);
      if (element) act(event, element);
    }, options);

  /* ── search: "/" goes there, results while typing, arrows and Enter, Escape gives focus back ── */
  const search = () => {
    const form = document.querySelector("[data-search]");
    if (!form) return;
    const field = form.querySelector("input[type=search]");
    const found = form.querySelector("[data-found]");
    let before = null;
    const close = () => { found.hidden = true; };
    const links = () => all("a", found);

    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
      event.preventDefault();
      before = document.activeElement;
      field.focus();
      field.select();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        close();
        if (before instanceof HTMLElement && before !== document.body) before.focus(); else field.blur();
        before = null;
        return;
      }
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      const stops = [field, ...links()];
      if (found.hidden || stops.length < 2) return;
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      stops[(stops.indexOf(document.activeElement) + step + stops.length) % stops.length].focus();
    });
    field.addEventListener("input", () => { if (!field.value.trim()) close(); });
    field.addEventListener("focus", () => { if (field.value.trim() && found.childElementCount) found.hidden = false; });
    form.addEventListener("focusout", (event) => { if (!form.contains(event.relatedTarget)) close(); });
    document.addEventListener("htmx:after:swap", (event) => {
      const target = event.detail?.ctx?.target ?? event.target;
      if (target !== found) return;
      found.hidden = !field.value.trim();
      const n = links().length;
      say(n ? fill(found.dataset.some, { n }) : found.dataset.none);
    });
  };

  /* ── menus made of details: one open at a time, Escape and a click outside close ── */
  const menus = () => {
    const open = () => all("details[data-menu][open]");
    document.addEventListener("click", (event) => {
      for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const menu of open()) {
        menu.open = false;
        if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      }
    });
    on("keydown", "details[data-menu][open]", (event, menu) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      const stops = all("summary, a, button", menu);
      const at = stops.indexOf(document.activeElement);
      if (at < 0) return;
      event.preventDefault();
      stops[(at + (event.key === "ArrowDown" ? 1 : -1) + stops.length) % stops.length].focus();
    });
  };

  /* ── rows with ticks, and the bar that appears with the first one ── */
  const ticks = () => {
    const count = () => {
      const bar = document.querySelector("[data-bulk]");
      const boxes = all("[data-tick]");
      const n = boxes.filter((box) => box.checked).length;
      for (const box of boxes) box.closest("tr")?.classList.toggle("on", box.checked);
      for (const box of all("[data-tick-all]")) {
        box.checked = n > 0 && n === boxes.length;
        box.indeterminate = n > 0 && n < boxes.length;
      }
      if (!bar) return;
      bar.classList.toggle("is-on", n > 0);
      bar.hidden = n === 0;
      const every = offerAll(bar, n > 0 && n === boxes.length);
      bar.querySelector("[data-n]").textContent = n === 1 && !every ? bar.dataset.one : fill(bar.dataset.many, { n: every ?? n });
    };
    /* Once all shown are ticked: all that match, on every page. How many, when that is chosen. */
    const offerAll = (bar, isFull) => {
      const label = bar.querySelector("[data-every]");
      if (!label) return undefined;
      const matching = document.querySelector("[data-all]")?.dataset;
      const box = label.querySelector("input");
      label.hidden = !(isFull && matching);
      box.hidden = !matching?.allN;
      if (label.hidden || box.hidden) box.checked = false;
      if (matching) label.querySelector("span").textContent = matching.all;
      return box.checked ? matching.allN : undefined;
    };
    let last = null;
    on("click", "[data-tick]", (event, box) => {
      const boxes = all("[data-tick]");
      if (event.shiftKey && last && boxes.includes(last)) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
        for (const other of boxes.slice(from, to + 1)) other.checked = box.checked;
      }
      last = box;
      count();
    });
    on("change", "[data-tick], [data-every]", count);
    on("change", "[data-tick-all]", (_event, box) => {
      for (const other of all("[data-tick]")) other.checked = box.checked;
      count();
    });
    on("click", "[data-clear]", (event) => {
      event.preventDefault();
      for (const box of all("[data-tick]")) box.checked = false;
      count();
    });
    document.addEventListener("htmx:after:settle", count);
    window.addEventListener("pageshow", count);
    count();
  };

  /* ── the undo bar goes after ten seconds, unless somebody is at it ── */
  const undo = () => {
    for (const bar of all("[data-undo]:not([data-timed])")) {
      bar.dataset.timed = "";
      let timer;
      const start = () => { clearTimeout(timer); timer = setTimeout(() => bar.remove(), 10000); };
      const hold = () => clearTimeout(timer);
      for (const type of ["mouseenter", "focusin"]) bar.addEventListener(type, hold);
      for (const type of ["mouseleave", "focusout"]) bar.addEventListener(type, start);
      start();
    }
  };

  /* ── light, dark, as the device: shown at once, kept by the server ── */
  const theme = () => on("submit", "[data-theme-form]", (event, form) => {
    const button = event.submitter;
    if (!button || button.name !== "theme") return;
    event.preventDefault();
    const body = new FormData(form);
    body.set("theme", button.value);
    if (button.value === "auto") delete root.dataset.themeFixed; else root.dataset.themeFixed = "";
    root.dataset.bsTheme = button.value !== "auto" ? button.value
      : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    for (const other of all("button[name=theme]", form)) other.setAttribute("aria-pressed", String(other === button));
    fetch(form.action, { method: "POST", body, headers: { "X-Requested-With": "fetch" } }).catch(() => {});
  });

  /* ── passwords can be looked at ── */
  const passwords = () => {
    for (const button of all("[data-show-password]")) button.hidden = false;
    on("click", "[data-show-password]", (_event, button) => {
      const field = document.getElementById(button.dataset.showPassword);
      const shown = field.type === "password";
      field.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
    });
  };

  /* ── what went wrong gets the focus once ── */
  const faults = () => {
    const first = document.querySelector("[data-summary]") ?? document.querySelector('.door [aria-invalid="true"]');
    if (first && !document.querySelector("[autofocus]")) first.focus({ preventScroll: false });
  };

  /* ── grids: arrows and Enter move between cells, a column can be pasted ── */
  const grids = () => {
    const cells = (grid) => all("tbody tr", grid)
      .map((row) => all("input:not([type=hidden]):not([type=checkbox]), select", row)).filter((row) => row.length);
    const place = (grid, cell) => {
      const rows = cells(grid);
      const y = rows.findIndex((row) => row.includes(cell));
      return { rows, y, x: y < 0 ? -1 : rows[y].indexOf(cell) };
    };
    on("keydown", "[data-grid] :is(input, select)", (event, cell) => {
      const { rows, y, x } = place(cell.closest("[data-grid]"), cell);
      if (y < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
      const text = cell instanceof HTMLInputElement;
      if (event.key === "Enter" || (text && (event.key === "ArrowDown" || event.key === "ArrowUp"))) {
        const step = event.key === "ArrowUp" || (event.key === "Enter" && event.shiftKey) ? -1 : 1;
        const next = rows[y + step]?.[x];
        if (next || event.key === "Enter") event.preventDefault();
        next?.focus();
        next?.select?.();
        return;
      }
      if (!text || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
      const back = (event.key === "ArrowLeft") === (root.dir !== "rtl");
      const atEdge = back ? cell.selectionEnd === 0 : cell.selectionStart === cell.value.length;
      const next = rows[y][x + (back ? -1 : 1)];
      if (atEdge && next) { event.preventDefault(); next.focus(); next.select?.(); }
    });
    on("paste", "[data-grid] input", (event, cell) => {
      const lines = event.clipboardData.getData("text/plain").replace(/\r?\n$/, "").split(/\r?\n/).map((line) => line.split("\t"));
      if (lines.length === 1 && lines[0].length === 1) return;
      event.preventDefault();
      const { rows, y, x } = place(cell.closest("[data-grid]"), cell);
      lines.forEach((line, down) => line.forEach((value, right) => {
        const target = rows[y + down]?.[x + right];
        if (!target) return;
        target.value = value.trim();
        target.dispatchEvent(new Event("change", { bubbles: true }));
      }));
    });
  };

  /* ── rows typed into and not saved: they go along with "Import"; leaving otherwise asks first ── */
  const unsaved = () => {
    const changed = (cell) => cell.type === "checkbox" ? cell.checked !== cell.defaultChecked
      : cell.type !== "hidden" && cell.value !== cell.defaultValue;
    const forms = () => all("form[data-unsaved]")
      .filter((form) => [...form.elements].some((cell) => cell.matches("input") && changed(cell)));
    let sending = false;
    on("formdata", "[data-takes-unsaved]", (event) => {
      for (const form of forms()) {
        for (const [name, value] of new FormData(form)) event.formData.append(`${form.id}-${name}`, value);
      }
    });
    window.addEventListener("submit", (event) => { if (!event.defaultPrevented) sending = true; });
    window.addEventListener("pageshow", () => { sending = false; });
    const typedInto = (form) => form.querySelector("[data-summary]") || [...form.elements].some((cell) => {
      if (cell instanceof HTMLSelectElement) {
        const first = [...cell.options].findIndex((option) => option.defaultSelected);
        return cell.selectedIndex !== Math.max(first, 0);
      }
      return cell.matches("input, textarea") && changed(cell);
    });
    const dirty = () => forms().length || all("form[data-dirty]").some(typedInto);
    window.addEventListener("beforeunload", (event) => { if (!sending && dirty()) event.preventDefault(); });
  };

  /* ── jobs: the row moves by itself (htmx); tell ears every quarter, and go on when done ── */
  const jobs = () => {
    const told = new Map();
    document.addEventListener("htmx:after:swap", () => {
      for (const row of all(".job")) {
        const percent = Number(row.querySelector("progress")?.value ?? 100);
        const quarter = Math.floor(percent / 25);
        if (!told.has(row.id)) { told.set(row.id, quarter); if (row.matches("[data-job]")) continue; }
        if (told.get(row.id) === quarter) continue;
        told.set(row.id, quarter);
        say(row.querySelector(".row-m")?.textContent.trim() ?? "");
      }
    });
  };

  /* ── charts read the table beside them, so the numbers exist without script too ── */
  const charts = () => {
    const canvases = all("canvas[data-table]");
    if (!canvases.length) return;
    if (!window.Chart) {  // it comes after this script
      window.addEventListener("load", () => { if (window.Chart) charts(); }, { once: true });
      return;
    }
    const colour = (look, property = "color") => {
      const probe = document.createElement("span");
      probe.className = look;
      document.body.append(probe);
      const value = getComputedStyle(probe)[property];
      probe.remove();
      return value;
    };
    const draw = () => {
      const ink = colour("st st-accent");
      const soft = colour("quiet");
      for (const canvas of canvases) {
        const rows = all(`#${canvas.dataset.table} tbody tr`);
        const line = getComputedStyle(canvas.closest(".card") ?? canvas).borderTopColor;
        const font = { family: "Inter", size: 12 };
        window.Chart.getChart(canvas)?.destroy();
        new window.Chart(canvas, {
          type: canvas.dataset.kind,
          data: {
            labels: rows.map((row) => row.cells[0].textContent.trim()),
            datasets: [{
              data: rows.map((row) => Number(row.cells[1].dataset.value ?? row.cells[1].textContent)),
              borderColor: ink, backgroundColor: ink, borderWidth: canvas.dataset.kind === "line" ? 2 : 0,
              pointRadius: rows.length < 8 ? 3 : 0, pointHoverRadius: 4, tension: 0, borderRadius: 2, maxBarThickness: 14,
            }],
          },
          options: {
            animation: false, maintainAspectRatio: false, interaction: { intersect: false, mode: "index" },
            plugins: { legend: { display: false }, tooltip: { displayColors: false } },
            scales: {
              x: { grid: { display: false }, border: { color: line }, ticks: { color: soft, maxRotation: 0, maxTicksLimit: 7, font } },
              y: { beginAtZero: true, grid: { color: line }, border: { display: false }, ticks: { color: soft, maxTicksLimit: 4, font } },
            },
          },
        });
      }
    };
    document.fonts.ready.then(draw);
    new MutationObserver(draw).observe(root, { attributeFilter: ["data-bs-theme"] });
  };

  /* ── "Try again" counts down to the moment it makes sense ── */
  const retries = () => {
    for (const link of all("[data-retry]")) {
      const words = link.textContent;
      let left = Number(link.dataset.retry);
      if (!(left > 0 && left < 600)) continue;
      const tick = () => {
        link.textContent = left > 0 ? `${words} (${left})` : words;
        if (left > 0) { left -= 1; setTimeout(tick, 1000); }
      };
      tick();
    }
  };

  /* ── what the server refused is said in sight; what was typed stays where it is ── */
  const refusals = () => {
    const bar = document.querySelector("[data-alert]");
    if (!bar) return;
    const show = (content) => {
      const close = document.createElement("button");
      close.type = "button";
      close.className = "linkish";
      close.textContent = bar.dataset.close;
      close.addEventListener("click", () => bar.replaceChildren());
      content.setAttribute("role", "alert");
      bar.replaceChildren(content, close);
    };
    const lost = () => { const words = document.createElement("div"); words.textContent = bar.dataset.lost; return words; };
    document.addEventListener("htmx:response:error", (event) => {
      const { response, text } = event.detail.ctx;
      if (response.headers.get("HX-Redirect")) return;
      const said = new DOMParser().parseFromString(text ?? "", "text/html").querySelector("[data-said]");
      if (said?.dataset.token) for (const field of all('[name="csrf_token"]')) field.value = said.dataset.token;
      show(said ?? lost());
    });
    document.addEventListener("htmx:error", () => show(lost()));
    document.addEventListener("htmx:before:request", (event) => {
      if (!/^(get|head)$/i.test(event.detail?.ctx?.request?.method ?? "get")) bar.replaceChildren();
    });
  };

  /* ── sent again after signing in: with the token of the new session ── */
  const sendingAgain = () => on("submit", "[data-fresh-token]", async (event, form) => {
    if (form.dataset.fresh) return;
    event.preventDefault();
    try {
      const answer = await fetch(form.dataset.freshToken);
      const fresh = token(new DOMParser().parseFromString(await answer.text(), "text/html"));
      if (fresh) form.querySelector('[name="csrf_token"]').value = fresh;
    } catch { /* the server says what is wrong */ }
    form.dataset.fresh = "";
    form.submit();
  });

  /* ── every changing request of htmx carries the form token of its page ── */
  document.addEventListener("htmx:config:request", (event) => {
    const ctx = event.detail?.ctx;
    const value = token(document);
    if (ctx?.request && value && !/^(get|head)$/i.test(ctx.request.method)) ctx.request.headers["X-CSRFToken"] = value;
  });

  const begin = () => { search(); menus(); ticks(); undo(); theme(); passwords(); faults(); grids(); unsaved(); jobs(); charts(); retries(); refusals(); sendingAgain(); };
  document.addEventListener("htmx:after:settle", () => {
    undo();
    for (const button of all("[data-show-password]")) button.hidden = false;
  });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
