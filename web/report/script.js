// The log of a run's report. All text comes from jobs, who may be hostile: it becomes text nodes and class names of
// ours, never markup. Lines lie in compressed pieces of the page and are unpacked when they come into sight.
"use strict";
(() => {
  const jobs = JSON.parse(document.getElementById("index").textContent);
  const rows = document.getElementById("rows");
  const bar = document.getElementById("bar");
  if (!rows || jobs.length === 0) return;
  document.getElementById("viewer").hidden = false;

  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // --- pieces: base64 of a zlib stream; lines of `KIND MILLISECONDS(base 36) US text` ---
  const KEPT = 48;
  const pieces = new Map();  // by number, oldest use first: lines, or the promise of them
  const bytesOf = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const raw = atob(text), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; ++i) bytes[i] = raw.charCodeAt(i);
    return bytes;
  };
  const unpack = async (number) => {
    const bytes = bytesOf(document.getElementById("p" + number).textContent);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const lines = (await new Response(stream).text()).split("\n");
    lines.pop();
    return lines;
  };
  const piece = (number) => {
    let known = pieces.get(number);
    if (known !== undefined) pieces.delete(number);
    else {
      known = unpack(number).then((lines) => { if (pieces.has(number)) pieces.set(number, lines); return lines; });
    }
    pieces.set(number, known);
    if (pieces.size > KEPT) pieces.delete(pieces.keys().next().value);
    return known;
  };
  const last_not_above = (list, value, of) => {
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (of(list[middle]) <= value) low = middle + 1; else high = middle;
    }
    return low - 1;
  };
  // The line as it was packed, or undefined while it is being unpacked.
  const packed_line = (step, number) => {
    const at = last_not_above(step.pieces, number, (one) => one[1]);
    if (at < 0) return "";
    const lines = piece(step.pieces[at][0]);
    if (lines instanceof Promise) { lines.then(schedule); return undefined; }
    return lines[number - step.pieces[at][1]];
  };

  // --- which rows there are: a step's head, or a range of its lines ---
  let job = null, job_at = 0, segments = [], total = 0;
  let picked = null;                       // [step, first, last]
  let needle = "", hits = [], hit = -1;    // [step, line]
  const lay_out = () => {
    segments = [];
    total = 0;
    const add = (segment, count) => { if (count > 0) { segments.push({...segment, at: total}); total += count; } };
    job.steps.forEach((step, index) => {
      add({step, index, head: true}, 1);
      if (step.closed) return;
      let from = 1;
      for (const fold of step.folds) {
        if (!fold.closed || fold.first < from) continue;
        add({step, index, from}, fold.first - from + 1);
        from = fold.last + 1;
      }
      add({step, index, from}, step.lines - from + 1);
    });
  };
  const row_of = (index, line) => {
    for (let i = 0; i < segments.length; ++i) {
      const segment = segments[i];
      if (segment.index !== index || segment.head) continue;
      const count = (i + 1 < segments.length ? segments[i + 1].at : total) - segment.at;
      if (line >= segment.from && line < segment.from + count) return segment.at + line - segment.from;
    }
    return -1;
  };
  const reveal = (index, line) => {
    const step = job.steps[index];
    step.closed = false;
    for (const fold of step.folds) if (fold.first < line && line <= fold.last) fold.closed = false;
    lay_out();
  };

  // --- drawing: only what is in sight. A browser clamps heights, so beyond a limit the scroll bar is scaled ---
  const ROW = 20, TALLEST = 8e6, AROUND = 12;
  const space = make("div", "space"), seen = make("div", "seen");
  rows.append(space, seen);
  const height = () => Math.min(total * ROW, TALLEST);
  const scale = () => {
    const all = total * ROW - rows.clientHeight, room = height() - rows.clientHeight;
    return all > room && room > 0 ? all / room : 1;
  };
  let asked = false;
  const schedule = () => { if (!asked) { asked = true; requestAnimationFrame(draw); } };
  const took = (ms) => ms < 1000 ? ms + " ms" : ms < 60000 ? (ms / 1000).toFixed(1) + " s"
    : Math.floor(ms / 60000) + " min " + Math.floor(ms % 60000 / 1000) + " s";

  const SGR = /\x1b\[([0-9;:]*)m/g;
  const colour_class = (codes, state) => {
    const list = codes === "" ? [0] : codes.split(/[;:]/).map(Number);
    for (let i = 0; i < list.length; ++i) {
      const code = list[i];
      if (code === 0) state.clear();
      else if ([1, 2, 3, 4, 9].includes(code)) state.set("s" + code, "s" + code);
      else if (code === 22) { state.delete("s1"); state.delete("s2"); }
      else if ([23, 24, 29].includes(code)) state.delete("s" + (code - 20));
      else if (code >= 30 && code <= 37) state.set("f", "f" + (code - 30));
      else if (code >= 90 && code <= 97) state.set("f", "f" + (code - 90));
      else if (code >= 40 && code <= 47) state.set("b", "b" + (code - 40));
      else if (code >= 100 && code <= 107) state.set("b", "b" + (code - 100));
      else if (code === 39) state.delete("f");
      else if (code === 49) state.delete("b");
      else if (code === 38 || code === 48) {
        const which = code === 38 ? "f" : "b";
        if (list[i + 1] === 5) { if (list[i + 2] < 16) state.set(which, which + list[i + 2] % 8); i += 2; } else i += 4;
      }
    }
  };
  const append_text = (to, text, is_here) => {
    if (needle === "") { to.append(text); return; }
    const lower = text.toLowerCase();
    let from = 0;
    for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, from)) {
      to.append(text.slice(from, at), make("mark", is_here ? "here" : "", text.slice(at, at + needle.length)));
      from = at + needle.length;
    }
    to.append(text.slice(from));
  };
  const append_coloured = (to, text, is_here) => {
    const state = new Map();
    let from = 0;
    SGR.lastIndex = 0;
    const put = (part) => {
      if (part === "") return;
      if (state.size === 0) { append_text(to, part, is_here); return; }
      const span = make("span", [...state.values()].join(" "));
      append_text(span, part, is_here);
      to.append(span);
    };
    for (let found = SGR.exec(text); found; found = SGR.exec(text)) {
      put(text.slice(from, found.index));
      colour_class(found[1], state);
      from = SGR.lastIndex;
    }
    put(text.slice(from));
  };
  const link_of = (index, line) => "#j" + job_at + "s" + index + "L" + line;
  const head_row = (segment) => {
    const step = segment.step, row = make("div", "r step " + step.class);
    row.append(make("span", "", step.closed ? "▸ " : "▾ "), make("i", "mark", step.mark), " " + step.name);
    row.append(make("span", "end", step.end + (step.lines === 0 ? ", no output" : "")));
    row.tabIndex = 0;
    row.setAttribute("role", "button");
    row.setAttribute("aria-expanded", String(!step.closed));
    const toggle = () => { step.closed = !step.closed; lay_out(); resize(); };
    row.onclick = toggle;
    row.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(); } };
    return row;
  };
  const line_row = (segment, line) => {
    const packed = packed_line(segment.step, line), row = make("div", "r");
    const number = make("a", "n", String(line));
    number.href = link_of(segment.index, line);
    number.onclick = (event) => {
      event.preventDefault();
      const first = event.shiftKey && picked && picked[0] === segment.index ? picked[1] : line;
      go_to(link_of(segment.index, Math.min(first, line)) + (first === line ? "" : "-" + Math.max(first, line)), false);
    };
    row.append(number);
    if (packed === undefined) { row.classList.add("wait"); row.append(make("span", "x", "…")); return row; }
    const split = packed.indexOf("\x1f"), kind = packed[0];
    row.classList.add("k-" + kind);
    if (picked && picked[0] === segment.index && line >= picked[1] && line <= picked[2]) row.classList.add("pick");
    row.append(make("span", "t", "+" + took(parseInt(packed.slice(1, split), 36) || 0)));
    const text = make("span", "x"), fold = segment.step.fold_at.get(line);
    if (fold) {
      row.classList.add("fold");
      text.append(fold.closed ? "▸ " : "▾ ");
      text.tabIndex = 0;
      text.setAttribute("role", "button");
      text.setAttribute("aria-expanded", String(!fold.closed));
      text.onclick = () => { fold.closed = !fold.closed; lay_out(); resize(); };
      text.onkeydown = (event) => { if (event.key === "Enter") text.onclick(); };
    }
    const is_here = hit >= 0 && hits[hit][0] === segment.index && hits[hit][1] === line;
    append_coloured(text, packed.slice(split + 1), is_here);
    if (fold && fold.closed) text.append(make("span", "count", (fold.last - fold.first) + " lines"));
    row.append(text);
    return row;
  };
  const draw = () => {
    asked = false;
    const top = rows.scrollTop * scale();
    const first = Math.max(0, Math.floor(top / ROW) - AROUND);
    const last = Math.min(total, Math.ceil((top + rows.clientHeight) / ROW) + AROUND);
    const drawn = [];
    let at = last_not_above(segments, first, (one) => one.at);
    for (let row = first; row < last && at >= 0; ++row) {
      while (at + 1 < segments.length && segments[at + 1].at <= row) ++at;
      const segment = segments[at];
      drawn.push(segment.head ? head_row(segment) : line_row(segment, segment.from + row - segment.at));
    }
    seen.replaceChildren(...drawn);
    seen.style.transform = "translateY(" + (rows.scrollTop - (top - first * ROW)) + "px)";
    rows.dataset.ready = drawn.some((row) => row.classList.contains("wait")) ? "" : "1";
  };
  const resize = () => { space.style.height = height() + "px"; schedule(); };
  const scroll_to = (row) => {
    rows.scrollTop = Math.max(0, row * ROW - rows.clientHeight / 3) / scale();
    schedule();
  };
  rows.addEventListener("scroll", schedule, {passive: true});
  new ResizeObserver(resize).observe(rows);

  // --- jobs and places ---
  const chooser = document.getElementById("job");
  const show_job = (index) => {
    job_at = index;
    job = jobs[index];
    chooser.value = String(index);
    forget_hits();
    lay_out();
    resize();
    rows.scrollTop = 0;
    document.getElementById("error").disabled = !job.steps.some((step) => step.error > 0);
  };
  jobs.forEach((one, index) => {
    one.steps.forEach((step) => {
      step.folds = step.folds.map(([first, last, closed]) => ({first, last, closed: closed === 1}));
      step.fold_at = new Map(step.folds.map((fold) => [fold.first, fold]));
    });
    const option = make("option", "", one.mark + " " + one.name);
    option.value = String(index);
    chooser.append(option);
  });
  chooser.onchange = () => { show_job(Number(chooser.value)); if (needle) search(); };
  const go_to = (place, scrolls) => {
    const found = /^#j(\d+)(?:s(\d+)L(\d+)(?:-(\d+))?)?$/.exec(place);
    if (!found || !jobs[Number(found[1])]) return false;
    if (Number(found[1]) !== job_at || job === null) show_job(Number(found[1]));
    history.replaceState(null, "", place);
    if (found[2] === undefined) return true;
    const step = Number(found[2]), line = Number(found[3]);
    if (!job.steps[step] || line < 1 || line > job.steps[step].lines) return false;
    picked = [step, line, Number(found[4] || line)];
    reveal(step, line);
    resize();
    if (scrolls) scroll_to(row_of(step, line));
    return true;
  };
  addEventListener("hashchange", () => {
    if (go_to(location.hash, true)) document.getElementById("logs").scrollIntoView();
  });

  // --- search: piece by piece, so that the page stays alive ---
  const box = document.getElementById("find"), found = document.getElementById("found");
  const MOST = 100000;
  let search_number = 0;
  const forget_hits = () => { hits = []; hit = -1; ++search_number; found.textContent = ""; };
  const say_hits = (more) => {
    found.textContent = hits.length === 0 ? (more ? "…" : "none") : (hit + 1) + " of " + hits.length + (more ? "…" : "");
  };
  const show_hit = (index) => {
    hit = index;
    reveal(hits[hit][0], hits[hit][1]);
    resize();
    scroll_to(row_of(hits[hit][0], hits[hit][1]));
  };
  const search = async () => {
    forget_hits();
    needle = box.value.toLowerCase();
    schedule();
    if (needle === "") return;
    const mine = search_number;
    for (const [index, step] of job.steps.entries()) {
      for (const [number, first] of step.pieces) {
        const known = pieces.get(number);
        const lines = Array.isArray(known) ? known : await unpack(number);
        if (mine !== search_number) return;
        for (let i = 0; i < lines.length && hits.length < MOST; ++i) {
          const text = lines[i].slice(lines[i].indexOf("\x1f") + 1).replace(SGR, "");
          if (text.toLowerCase().includes(needle)) hits.push([index, first + i]);
        }
        if (hits.length > 0 && hit < 0) show_hit(0);
        say_hits(true);
      }
    }
    say_hits(false);
    found.dataset.done = needle;
    schedule();
  };
  let typing = 0;
  box.oninput = () => { delete found.dataset.done; clearTimeout(typing); typing = setTimeout(search, 150); };
  const next_hit = (by) => {
    if (hits.length === 0) return;
    show_hit((hit + by + hits.length) % hits.length);
    say_hits(false);
  };
  box.onkeydown = (event) => {
    if (event.key === "Enter") { event.preventDefault(); next_hit(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape") { box.value = ""; search(); rows.focus(); }
  };

  // --- the rest of the bar, and keys ---
  const times = document.getElementById("times");
  times.onclick = () => times.setAttribute("aria-pressed", String(rows.classList.toggle("times")));
  const fold_all = (closed) => {
    for (const step of job.steps) for (const fold of step.folds) fold.closed = closed;
    lay_out();
    resize();
  };
  const first_error = () => {
    const index = job.steps.findIndex((step) => step.error > 0);
    if (index >= 0) go_to(link_of(index, job.steps[index].error), true);
  };
  document.getElementById("error").onclick = first_error;
  document.getElementById("unfold").onclick = () => fold_all(false);
  document.getElementById("fold").onclick = () => fold_all(true);
  const keys = {
    "/": () => box.focus(), n: () => next_hit(1), N: () => next_hit(-1), e: first_error,
    "[": () => fold_all(true), "]": () => fold_all(false), t: () => times.click(),
    y: () => navigator.clipboard && navigator.clipboard.writeText(location.href),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  for (const link of document.querySelectorAll("a[data-log]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      go_to(link.getAttribute("href"), true);
      document.getElementById("logs").scrollIntoView();
    });
  }

  if (!go_to(location.hash, true)) {
    const failed = jobs.findIndex((one) => one.class === "failed");
    show_job(Math.max(0, failed));
    if (failed >= 0) {
      const index = job.steps.findIndex((step) => step.error > 0);
      if (index >= 0) { reveal(index, job.steps[index].error); resize(); scroll_to(row_of(index, job.steps[index].error)); }
    }
  } else {
    document.getElementById("logs").scrollIntoView();
  }
  bar.dataset.ready = "1";
})();
