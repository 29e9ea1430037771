"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);
  const data = JSON.parse($("#data").textContent);

  // ---- Words and numbers ----

  const units = (value, steps) => {
    if (!value) return "0";
    const [size, unit] = steps.find(([size]) => Math.abs(value) >= size) || steps[steps.length - 1];
    const scaled = value / size;
    const digits = Math.abs(scaled) >= 100 || Number.isInteger(scaled) ? 0 : Math.abs(scaled) >= 10 ? 1 : 2;
    return `${scaled.toFixed(digits)} ${unit}`;
  };
  const time = (ns) => units(ns, [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]]);
  /// A time on the axis, exact enough to be found again.
  const moment = (ns) => (ns < 1e9 ? `${(ns / 1e6).toFixed(3)} ms` : `${(ns / 1e9).toFixed(6)} s`);
  const bytes = (n) => units(n, [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]]);
  const count = (n) => Math.round(n).toLocaleString("en");
  const percent = (part, whole) => `${(whole ? (100 * part) / whole : 0).toFixed(1)} %`;
  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    return made;
  };

  // ---- The data, unpacked ----

  const sums = (differences) => {
    const out = new Float64Array(differences.length);
    let at = 0;
    differences.forEach((d, i) => { out[i] = at += d; });
    return out;
  };
  const tracks = data.tracks.map((track) => {
    const rows = Array.from({ length: track.depth }, () => ({ begin: [], end: [], label: [] }));
    const begin = sums(track.begin);
    begin.forEach((at, i) => {
      const row = rows[track.row[i]];
      row.begin.push(at);
      row.end.push(at + track.length[i]);
      row.label.push(track.label[i]);
    });
    return { name: track.name, rows };
  });
  const counters = data.counters.map((counter) => ({ ...counter, at: sums(counter.at) }));
  const counter = (name) => counters.find((c) => c.name === name);
  const series = (name, which) => {
    const found = counter(name);
    const column = found ? found.series.indexOf(which) : -1;
    return column < 0 ? null : { at: found.at, values: found.values[column] };
  };
  /// The index of the last number that is not above `wanted`, or -1.
  const last = (numbers, wanted) => {
    let low = 0, high = numbers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[middle] <= wanted) low = middle + 1; else high = middle;
    }
    return low - 1;
  };
  const layers = [
    ["runtime", "the runtime", series("C memory", "runtime")],
    ["declared", "declared", series("C memory", "declared")],
    ["client", "C", series("C memory", "client")],
    ["heap", "heap", series("heap", "bytes")],
  ].filter(([, , column]) => column && column.values.some((v) => v > 0));
  const shown = new Set(layers.map(([key]) => key));

  // ---- What is seen ----

  const view = { from: 0, to: data.span };
  let pointer = null;
  const look = (from, to) => {
    const least = Math.min(data.span, 200);
    const length = Math.min(Math.max(to - from, least), data.span);
    view.from = Math.min(Math.max((from + to - length) / 2, 0), data.span - length);
    view.to = view.from + length;
    draw();
  };
  const zoom = (factor, at = (view.from + view.to) / 2) =>
    look(at - (at - view.from) * factor, at + (view.to - at) * factor);
  const move = (part) => {
    const step = (view.to - view.from) * part;
    const kept = Math.max(-view.from, Math.min(step, data.span - view.to));
    look(view.from + kept, view.to + kept);
  };

  // ---- Canvases ----

  const LEFT = 84, RIGHT = 16;
  let ink = {}, palette = [];
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const names = ["ink", "soft", "faint", "line", "card", "accent", "minor", "full", "heap", "client", "declared",
      "runtime", "slice-light", "slice-ink"];
    ink = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    palette = data.names.map((_, label) => colour(label));
  };
  const begin = (canvas, height) => {
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    canvas.style.height = `${height}px`;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const g = canvas.getContext("2d");
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.clearRect(0, 0, width, height);
    g.font = "11.5px system-ui, sans-serif";
    g.textBaseline = "middle";
    return { g, width, height, inner: width - LEFT - RIGHT };
  };
  const x = (c, t) => LEFT + ((t - view.from) / (view.to - view.from)) * c.inner;
  const t = (c, px) => view.from + ((px - LEFT) / c.inner) * (view.to - view.from);
  const clip = (c, f) => {
    c.g.save();
    c.g.beginPath();
    c.g.rect(LEFT, 0, c.inner, c.height);
    c.g.clip();
    f();
    c.g.restore();
  };
  /// Steps of 1, 2 or 5 times a power of ten, about `wanted` of them.
  const ticks = (low, high, wanted, base = 10) => {
    const raw = (high - low) / wanted;
    const power = base ** Math.floor(Math.log(raw) / Math.log(base));
    const choices = base === 10 ? [1, 2, 5, 10] : [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
    const step = choices.map((n) => n * power).find((n) => n >= raw) || power;
    const out = [];
    for (let at = Math.ceil(low / step) * step; at <= high; at += step) out.push(at);
    return out;
  };
  const stripes = (c) => {
    c.g.fillStyle = ink.faint;
    ticks(view.from, view.to, c.inner / 110).forEach((at) => c.g.fillRect(Math.round(x(c, at)), 0, 1, c.height));
  };
  const scaleLines = (c, top, bottom, most, base, format) => {
    c.g.textAlign = "right";
    ticks(0, most, 3, base).forEach((value) => {
      const y = Math.round(bottom - (value / most) * (bottom - top));
      c.g.fillStyle = ink.faint;
      c.g.fillRect(LEFT, y, c.inner, 1);
      c.g.fillStyle = ink.soft;
      c.g.fillText(format(value), LEFT - 10, y);
    });
  };
  const cross = (c) => {
    if (pointer === null || pointer < view.from || pointer > view.to) return;
    c.g.fillStyle = ink.soft;
    c.g.fillRect(Math.round(x(c, pointer)), 0, 1, c.height);
  };

  const axis = () => {
    const c = begin($("#axis"), 28);
    c.g.fillStyle = ink.soft;
    const marks = ticks(view.from, view.to, c.inner / 110);
    const step = marks.length > 1 ? marks[1] - marks[0] : view.to;
    const [size, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([n]) => view.to >= n) || [1, "ns"];
    const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(step / size) - 1e-9)));
    c.g.textAlign = "center";
    marks.forEach((at) => {
      const label = `${(at / size).toFixed(digits)} ${unit}`;
      const half = c.g.measureText(label).width / 2;
      c.g.fillText(label, Math.max(LEFT + half - 20, Math.min(x(c, at), c.width - half - 4)), 14);
    });
    data.instants.forEach((instant) => {
      if (instant.at < view.from || instant.at > view.to) return;
      c.g.fillStyle = ink.full;
      c.g.beginPath();
      const at = x(c, instant.at);
      c.g.moveTo(at - 4, 27);
      c.g.lineTo(at + 4, 27);
      c.g.lineTo(at, 20);
      c.g.fill();
    });
  };

  const most = (layersShown, from, to, points) => {
    let top = 0;
    for (let i = 0; i <= points; i++) {
      const at = from + ((to - from) * i) / points;
      top = Math.max(top, layersShown.reduce((sum, [, , column]) => sum + valueAt(column, at), 0));
    }
    return top;
  };
  const valueAt = (column, at) => {
    const i = last(column.at, at);
    return i < 0 ? 0 : column.values[i];
  };
  /// The most that a column reaches between two times.
  const highest = (column, from, to) => {
    const first = Math.max(0, last(column.at, from)), end = last(column.at, to);
    let top = column.at.length && column.at[0] <= to ? column.values[Math.max(first, 0)] : 0;
    if (end - first > 64) return Math.max(top, column.values[end]);
    for (let i = first; i <= end; i++) if (column.at[i] <= to) top = Math.max(top, column.values[i]);
    return column.at[0] > to ? 0 : top;
  };
  const memory = () => {
    if ($("#memory").hidden) return;
    const c = begin($("#memory canvas"), layers.length ? 190 : 40);
    if (!layers.length) return nothing(c, "The trace has no samples of memory.");
    const visible = layers.filter(([key]) => shown.has(key));
    const top = 12, bottom = c.height - 10;
    const peak = Math.max(1, most(visible, view.from, view.to, c.inner)) * 1.08;
    stripes(c);
    scaleLines(c, top, bottom, peak, 2, bytes);
    clip(c, () => {
      const points = Math.max(2, Math.floor(c.inner));
      const under = new Float64Array(points + 1);
      visible.forEach(([key, , column]) => {
        c.g.beginPath();
        const edge = [];
        for (let i = 0; i <= points; i++) {
          const width = (view.to - view.from) / points;
          const at = view.from + width * i;
          const over = under[i] + highest(column, at, at + width);
          edge.push([LEFT + (c.inner * i) / points, bottom - (over / peak) * (bottom - top), under[i]]);
          under[i] = over;
        }
        edge.forEach(([px, py], i) => (i ? c.g.lineTo(px, py) : c.g.moveTo(px, py)));
        edge.reverse().forEach(([px, , low]) => c.g.lineTo(px, bottom - (low / peak) * (bottom - top)));
        c.g.closePath();
        c.g.fillStyle = ink[key];
        c.g.globalAlpha = 0.82;
        c.g.fill();
        c.g.globalAlpha = 1;
      });
    });
    c.g.fillStyle = ink.line;
    c.g.fillRect(LEFT, bottom, c.inner, 1);
    cross(c);
  };

  const pauses = () => {
    if ($("#pauses").hidden) return;
    const c = begin($("#pauses canvas"), data.pauses.length ? 120 : 40);
    if (!data.pauses.length) return nothing(c, "The trace has no collections.");
    const top = 12, bottom = c.height - 10;
    const seen = data.pauses.filter((p) => p.at + p.length >= view.from && p.at <= view.to);
    const longest = seen.reduce((most, p) => Math.max(most, p.length), 1000) * 1.1;
    stripes(c);
    scaleLines(c, top, bottom, longest, 10, time);
    clip(c, () => seen.forEach((p) => {
      const from = x(c, p.at), to = x(c, p.at + p.length);
      const height = Math.max(2, (p.length / longest) * (bottom - top));
      c.g.fillStyle = p.full ? ink.full : ink.minor;
      c.g.fillRect(from, bottom - height, Math.max(2, to - from), height);
    }));
    c.g.fillStyle = ink.line;
    c.g.fillRect(LEFT, bottom, c.inner, 1);
    cross(c);
  };

  const hues = data.names.map((name) => {
    let hash = 7;
    for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
    return (hash * 47) % 360;
  });
  const colour = (label) => {
    const name = data.names[label];
    if (name === "minor collection") return ink.minor;
    if (name === "full collection") return ink.full;
    if (name === "waiting for the collector" || name === "collecting") return ink.runtime;
    if (name === "stopping" || name === "resuming") return ink.declared;
    return `hsl(${hues[label]} 48% ${ink["slice-light"]})`;
  };
  // A canvas has a greatest height; deep stacks get thinner rows.
  const depth = tracks.reduce((sum, track) => sum + track.rows.length, 0);
  const ROW = Math.max(4, Math.min(20, Math.floor(14000 / Math.max(1, depth))));
  const GAP = 14, STRIP = 8;
  const strips = (track) => {
    const crossings = counter(`crossings of ${track.name}`);
    return crossings ? { at: crossings.at, values: crossings.values[crossings.series.indexOf("calls")] || [] } : null;
  };
  tracks.forEach((track) => { track.strip = strips(track); });
  const quiet = counters.filter((c) => c.name.startsWith("crossings of "))
    .map((c) => c.name.slice("crossings of ".length))
    .filter((name) => !tracks.some((track) => track.name === name));
  quiet.forEach((name) => {
    const track = { name, rows: [] };
    track.strip = strips(track);
    tracks.push(track);
  });
  const heightOf = (track) => track.rows.length * ROW + (track.strip ? STRIP + 4 : 0) + GAP;
  const hits = [];
  const threads = () => {
    const total = tracks.reduce((sum, track) => sum + heightOf(track), 10);
    const c = begin($("#threads canvas"), Math.max(40, total));
    if (!tracks.length) return nothing(c, "The trace has no slices.");
    stripes(c);
    hits.length = 0;
    let y = 8;
    tracks.forEach((track, index) => {
      if (index) {
        c.g.fillStyle = ink.faint;
        c.g.fillRect(0, y - GAP / 2, c.width, 1);
      }
      c.g.fillStyle = ink.ink;
      c.g.textAlign = "right";
      c.g.fillText(fit(c, track.name, LEFT - 16), LEFT - 10, y + (track.rows.length ? ROW / 2 : 4));
      if (track.strip) {
        clip(c, () => density(c, track.strip, y));
        hits.push({ strip: track, top: y, bottom: y + STRIP + 3 });
        y += STRIP + 4;
      }
      clip(c, () => track.rows.forEach((row) => {
        hits.push({ row, track, top: y, bottom: y + ROW - 2 });
        slices(c, row, y);
        y += ROW;
      }));
      y += GAP;
    });
    cross(c);
  };
  /// How many crossings there are, long or short, as a strip that is darker where there are more.
  const density = (c, strip, y) => {
    c.g.fillStyle = ink.faint;
    c.g.fillRect(LEFT, y, c.inner, STRIP);
    const peak = strip.peak ||= highestRate(strip);
    c.g.fillStyle = ink.client;
    let i = Math.max(1, last(strip.at, view.from));
    for (; i < strip.at.length && strip.at[i - 1] <= view.to; i++) {
      const from = x(c, strip.at[i - 1]), to = x(c, strip.at[i]);
      const rate = strip.values[i] / Math.max(1, strip.at[i] - strip.at[i - 1]);
      if (!rate) continue;
      c.g.globalAlpha = 0.25 + 0.75 * Math.sqrt(rate / peak);
      c.g.fillRect(from, y, Math.max(1, to - from), STRIP);
    }
    c.g.globalAlpha = 1;
  };
  const highestRate = (strip) => {
    let peak = Number.MIN_VALUE;
    for (let i = 1; i < strip.at.length; i++) {
      peak = Math.max(peak, strip.values[i] / Math.max(1, strip.at[i] - strip.at[i - 1]));
    }
    return peak;
  };
  const slices = (c, row, y) => {
    let i = Math.max(0, last(row.begin, view.from));
    let drawn = -1;
    for (; i < row.begin.length && row.begin[i] <= view.to; i++) {
      const from = Math.max(x(c, row.begin[i]), LEFT), to = Math.min(x(c, row.end[i]), c.width);
      // What is narrower than a pixel is drawn once for all that share it.
      if (to <= drawn || to < LEFT) continue;
      const width = Math.max(1, to - from);
      c.g.fillStyle = palette[row.label[i]];
      c.g.fillRect(from, y, width > 3 ? width - 0.5 : width, ROW - 2);
      drawn = from + width;
      if (width > 34 && ROW > 12) {
        c.g.fillStyle = ink["slice-ink"];
        c.g.textAlign = "left";
        c.g.fillText(fit(c, data.names[row.label[i]], width - 8), from + 5, y + ROW / 2 - 0.5);
      }
    }
  };
  const fit = (c, text, width) => {
    if (c.g.measureText(text).width <= width) return text;
    let kept = text.length;
    while (kept > 1 && c.g.measureText(`${text.slice(0, kept)}…`).width > width) kept--;
    return kept > 1 ? `${text.slice(0, kept)}…` : "";
  };
  const nothing = (c, words) => {
    c.g.fillStyle = ink.soft;
    c.g.textAlign = "left";
    c.g.fillText(words, 14, 16);
  };

  /// The overview without its window: it changes with the page's size and colours alone.
  let base = null;
  const overviewBase = (c) => {
    if (base) return base;
    base = document.createElement("canvas");
    base.width = c.g.canvas.width;
    base.height = c.g.canvas.height;
    const g = base.getContext("2d");
    g.setTransform(c.g.getTransform());
    g.font = c.g.font;
    g.textBaseline = "middle";
    drawOverview({ ...c, g });
    return base;
  };
  const drawOverview = (c) => {
    const at = (time) => LEFT + (time / data.span) * c.inner;
    const peak = Math.max(1, most(layers, 0, data.span, c.inner));
    c.g.fillStyle = ink.heap;
    c.g.globalAlpha = 0.35;
    for (let i = 0; i < c.inner; i++) {
      const from = (data.span * i) / c.inner, to = (data.span * (i + 1)) / c.inner;
      const sum = layers.reduce((total, [, , column]) => total + highest(column, from, to), 0);
      const height = (sum / peak) * 34;
      c.g.fillRect(LEFT + i, 40 - height, 1, height);
    }
    c.g.globalAlpha = 1;
    data.pauses.forEach((p) => {
      c.g.fillStyle = p.full ? ink.full : ink.minor;
      c.g.fillRect(at(p.at), 38, Math.max(1, at(p.at + p.length) - at(p.at)), 4);
    });
    if (!layers.length && !data.pauses.length) {
      c.g.fillStyle = ink.runtime;
      tracks.forEach((track) => track.rows.slice(0, 1).forEach((row) => {
        let drawn = -1;
        row.begin.forEach((time, i) => {
          const from = at(time), to = Math.max(from + 1, at(row.end[i]));
          if (to > drawn) c.g.fillRect(from, 14, to - from, 16);
          drawn = Math.max(drawn, to);
        });
      }));
    }
    c.g.fillStyle = ink.soft;
    c.g.textAlign = "right";
    c.g.fillText("overview", LEFT - 10, 22);
  };
  const overview = () => {
    const c = begin($("#overview"), 44);
    const at = (time) => LEFT + (time / data.span) * c.inner;
    c.g.drawImage(overviewBase(c), 0, 0, c.width, c.height);
    c.g.fillStyle = ink.card;
    c.g.globalAlpha = 0.72;
    c.g.fillRect(LEFT, 0, at(view.from) - LEFT, 44);
    c.g.fillRect(at(view.to), 0, c.width - RIGHT - at(view.to), 44);
    c.g.globalAlpha = 1;
    c.g.strokeStyle = ink.accent;
    c.g.strokeRect(at(view.from) + 0.5, 1.5, Math.max(2, at(view.to) - at(view.from) - 1), 41);
  };

  let wanted = false;
  const draw = () => {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => {
      wanted = false;
      overview();
      axis();
      memory();
      pauses();
      threads();
      const whole = view.to - view.from >= data.span;
      $("#window").textContent = whole ? `all ${time(data.span)}` : `${time(view.to - view.from)} of ${time(data.span)}`;
    });
  };

  // ---- What is under the pointer ----

  const tip = (event, words) => {
    const box = $("#tip");
    box.textContent = words || "";
    box.classList.toggle("on", Boolean(words));
    if (!words) return;
    const { width, height } = box.getBoundingClientRect();
    box.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
    box.style.top = `${event.clientY + 20 + height > innerHeight ? event.clientY - height - 12 : event.clientY + 20}px`;
  };
  const geometry = (canvas) => ({ width: canvas.clientWidth, inner: canvas.clientWidth - LEFT - RIGHT });
  const memoryTip = (at) => layers.map(([, name, column]) => `${name}: ${bytes(valueAt(column, at))}`).reverse();
  const pauseTip = (at, slack) => {
    let near = null;
    data.pauses.forEach((p) => {
      if (at < p.at - slack || at > p.at + p.length + slack) return;
      if (!near || Math.abs(p.at - at) < Math.abs(near.at - at)) near = p;
    });
    if (!near) return [];
    const a = near.args;
    return [`${near.full ? "full" : "minor"} collection ${a.number}: ${time(near.length)}`,
      `why: ${a.reason}`,
      `stopping ${time(a.stop_ns)}, ${count(a.threads)} thread${a.threads === 1 ? "" : "s"}`,
      `heap ${bytes(a.heap_before)} → ${bytes(a.heap_after)}`, `C ${bytes(a.c_before)} → ${bytes(a.c_after)}`,
      `moved ${count(a.moved_objects)} objects, ${bytes(a.moved_bytes)}`, `pinned ${count(a.pinned)}`];
  };
  const sliceAt = (at, y, slack) => {
    const hit = hits.find((h) => y >= h.top && y < h.bottom);
    if (!hit) return null;
    if (hit.strip) {
      const strip = hit.strip.strip;
      const i = last(strip.at, at) + 1;
      if (i < 1 || i >= strip.at.length) return null;
      return { words: [`${count(strip.values[i])} foreign calls in ${time(strip.at[i] - strip.at[i - 1])}`] };
    }
    const { row } = hit;
    const i = last(row.begin, at + slack);
    if (i < 0 || row.end[i] < at - slack) return null;
    return { begin: row.begin[i], end: row.end[i],
      words: [data.names[row.label[i]], `${time(row.end[i] - row.begin[i])}, at ${moment(row.begin[i])}`] };
  };
  const under = (event) => {
    const canvas = event.target.closest("canvas");
    if (!canvas || !canvas.closest("#chart")) return null;
    const box = canvas.getBoundingClientRect();
    const c = geometry(canvas);
    const px = event.clientX - box.left;
    return { canvas, c, px, py: event.clientY - box.top, at: t(c, px), slack: (2 * (view.to - view.from)) / c.inner };
  };
  const hover = (event) => {
    const u = under(event);
    pointer = u && u.canvas.id !== "overview" && u.px >= LEFT ? u.at : null;
    if (pointer === null) return tip(event, null);
    const figure = u.canvas.closest("figure");
    let words = [];
    if (figure && figure.id === "memory") words = memoryTip(u.at);
    if (figure && figure.id === "pauses") words = pauseTip(u.at, u.slack);
    if (figure && figure.id === "threads") words = (sliceAt(u.at, u.py, u.slack) || { words: [] }).words;
    if (u.canvas.id === "axis") {
      words = data.instants.filter((i) => Math.abs(i.at - u.at) < 2 * u.slack).slice(0, 5)
        .map((i) => `${i.name}, at ${moment(i.at)}`);
    }
    tip(event, words.length ? [figure && figure.id === "memory" ? `at ${moment(u.at)}` : null, ...words]
      .filter(Boolean).join("\n") : null);
  };

  // ---- Hands ----

  const chart = $("#chart");
  let drag = null;
  chart.addEventListener("wheel", (event) => {
    const u = under(event);
    if (!u || u.canvas.id === "overview") return;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      event.preventDefault();
      return move((event.deltaX || event.deltaY) / u.c.inner);
    }
    event.preventDefault();
    zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.004), Math.max(view.from, Math.min(u.at, view.to)));
  }, { passive: false });
  chart.addEventListener("pointerdown", (event) => {
    const u = under(event);
    if (!u || event.button) return;
    const whole = ((u.px - LEFT) / u.c.inner) * data.span;
    drag = u.canvas.id === "overview" ? { from: whole } : { px: event.clientX, ...view };
    drag.canvas = u.canvas;
    u.canvas.setPointerCapture(event.pointerId);
  });
  chart.addEventListener("pointermove", (event) => {
    if (!drag) {
      hover(event);
      return draw();
    }
    tip(event, null);
    const c = geometry(drag.canvas);
    if (drag.px === undefined) {
      const box = drag.canvas.getBoundingClientRect();
      const to = ((event.clientX - box.left - LEFT) / c.inner) * data.span;
      if (Math.abs(to - drag.from) > data.span / c.inner) look(Math.min(to, drag.from), Math.max(to, drag.from));
      return;
    }
    const shift = ((drag.px - event.clientX) / c.inner) * (drag.to - drag.from);
    const kept = Math.max(-drag.from, Math.min(shift, data.span - drag.to));
    look(drag.from + kept, drag.to + kept);
  });
  const release = () => { drag = null; };
  chart.addEventListener("pointerup", release);
  chart.addEventListener("pointercancel", release);
  chart.addEventListener("pointerleave", (event) => {
    pointer = null;
    tip(event, null);
    draw();
  });
  chart.addEventListener("dblclick", (event) => {
    const u = under(event);
    if (!u) return;
    if (u.canvas.id === "overview") return look(0, data.span);
    const slice = u.canvas.closest("#threads") && sliceAt(u.at, u.py, u.slack);
    if (slice && slice.end !== undefined) {
      const room = Math.max((slice.end - slice.begin) * 0.1, 100);
      look(slice.begin - room, slice.end + room);
    } else {
      zoom(0.5, u.at);
    }
  });
  const theme = () => document.documentElement.classList.toggle("dark");
  const keys = {
    "+": () => zoom(0.7), "=": () => zoom(0.7), "-": () => zoom(1 / 0.7), "−": () => zoom(1 / 0.7),
    w: () => zoom(0.7), s: () => zoom(1 / 0.7), a: () => move(-0.15), d: () => move(0.15),
    ArrowLeft: () => move(-0.15), ArrowRight: () => move(0.15), ArrowUp: () => zoom(0.7), ArrowDown: () => zoom(1 / 0.7),
    Home: () => move(-1e9), End: () => move(1e9), 0: () => look(0, data.span), t: () => $("#theme").click(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const vertical = event.key === "ArrowUp" || event.key === "ArrowDown" || event.key === "Home" || event.key === "End";
    if (vertical && document.activeElement !== chart) return;
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  $("#in").addEventListener("click", () => zoom(0.6));
  $("#out").addEventListener("click", () => zoom(1 / 0.6));
  $("#all").addEventListener("click", () => look(0, data.span));
  $("#theme").addEventListener("click", () => { theme(); paint(); });

  // ---- What does not move ----

  const legend = (figure, title, items, pick) => {
    const caption = $(`${figure} figcaption`);
    caption.replaceChildren(element("strong", title));
    items.forEach(([key, name]) => {
      const entry = element(pick ? "label" : "span", undefined, { class: "key" });
      if (pick) {
        const box = element("input", undefined, { type: "checkbox" });
        box.checked = shown.has(key);
        box.addEventListener("change", () => { pick(key, box.checked); });
        entry.append(box);
      }
      entry.append(element("i", undefined, { style: `background: var(--${key})` }), name);
      caption.append(entry);
    });
  };
  const tiles = () => {
    const s = data.summary || {};
    const kinds = data.pauses.reduce((n, p) => n + (p.full ? 1 : 0), 0);
    const paused = s.total_pause_ns ?? data.pauses.reduce((n, p) => n + p.length, 0);
    const longest = data.pauses.reduce((n, p) => Math.max(n, p.length), 0);
    const sum = (field) => data.threads.reduce((n, thread) => n + thread[field], 0);
    const list = [["Duration", time(data.span), `${count(data.events)} events`]];
    if (!data.own) {
      const slices = tracks.reduce((n, track) => n + track.rows.reduce((m, row) => m + row.begin.length, 0), 0);
      list.push(["Tracks", count(tracks.length), `${count(slices)} slices`]);
    }
    if (data.own) {
      list.push(["Collections", count(data.pauses.length), `${count(data.pauses.length - kinds)} minor, ${count(kinds)} full`],
        ["Paused", time(paused), `${percent(paused, data.span)} of the time`],
        ["Longest pause", time(s.max_pause_ns ?? longest), s.median_pause_ns ? `median ${time(s.median_pause_ns)}` : ""]);
    }
    if (s.peak_heap_bytes !== undefined) {
      list.push(["Heap at most", bytes(s.peak_heap_bytes), `${bytes(s.allocated_bytes)} allocated`],
        ["C memory at most", bytes(s.peak_client_bytes), `resident ${bytes(s.peak_resident_bytes)}`]);
    }
    if (data.threads.length) {
      const c = sum("c");
      list.push(["Foreign calls", count(sum("calls")), `${count(sum("callbacks"))} callbacks`],
        ["Time in C", time(c), `${percent(c, c + sum("scheme") + sum("waited"))} of thread time`]);
    }
    $("#tiles").replaceChildren(...list.map(([name, value, remark]) => {
      const tile = element("div", undefined, { class: "tile" });
      tile.append(element("span", name), element("b", value), element("em", remark));
      return tile;
    }));
  };
  const spread = () => {
    if ($("#spread").hidden) return;
    const canvas = $("#spread canvas");
    const c = begin(canvas, 200);
    if (!data.pauses.length) return nothing(c, "There were no pauses.");
    const steps = [];
    // Three steps for each power of ten: 1, 2, 5.
    const border = (i) => 1000 * 10 ** Math.floor(i / 3) * [1, 2, 5][i % 3];
    const bucket = (ns) => {
      let i = 0;
      while (border(i + 1) <= ns) i++;
      return i;
    };
    data.pauses.forEach((p) => {
      const at = (steps[bucket(p.length)] ||= { minor: 0, full: 0 });
      at[p.full ? "full" : "minor"] += 1;
    });
    const first = steps.findIndex(Boolean), width = (c.width - 46) / Math.max(6, steps.length - first + 1);
    const peak = Math.max(...steps.filter(Boolean).map((b) => b.minor + b.full));
    const bottom = c.height - 40, top = 18;
    for (let i = first; i < steps.length; i++) {
      const b = steps[i] || { minor: 0, full: 0 };
      const at = 36 + (i - first) * width;
      let y = bottom;
      [["minor", b.minor], ["full", b.full]].forEach(([kind, n]) => {
        const height = (n / peak) * (bottom - top);
        c.g.fillStyle = ink[kind];
        c.g.fillRect(at + 1, y - height, width - 2, height);
        y -= height;
      });
      c.g.textAlign = "center";
      c.g.fillStyle = ink.soft;
      if (b.minor + b.full) c.g.fillText(count(b.minor + b.full), at + width / 2, y - 9);
      const every = Math.ceil(52 / width);
      if ((i - first) % every === 0) c.g.fillText(time(border(i)), at + 4, bottom + 14);
    }
    c.g.fillStyle = ink.line;
    c.g.fillRect(30, bottom, c.width - 40, 1);
    c.g.textAlign = "left";
    [["minor", "minor"], ["full", "full"]].forEach(([key, name], i) => {
      c.g.fillStyle = ink[key];
      c.g.fillRect(36 + i * 70, c.height - 12, 10, 10);
      c.g.fillStyle = ink.soft;
      c.g.fillText(name, 52 + i * 70, c.height - 6);
    });
  };
  const shares = () => {
    const place = $("#shares div");
    if (!data.threads.length) return place.replaceChildren(element("p", "The trace does not say.", { class: "none" }));
    place.replaceChildren(...data.threads.map((thread) => {
      const all = thread.scheme + thread.c + thread.waited;
      const box = element("div", undefined, { class: "thread" });
      const head = element("p");
      head.append(element("strong", thread.name), element("span", time(all)));
      const bar = element("div", undefined, { class: "bar" });
      const words = element("small");
      [["own", "Scheme", thread.scheme], ["c", "C", thread.c], ["waited", "collector", thread.waited]].forEach(([key, name, ns]) => {
        bar.append(element("span", undefined, { style: `width: ${(100 * ns) / (all || 1)}%; background: var(--${key})` }));
        const entry = element("span", undefined, { class: "key" });
        entry.append(element("i", undefined, { style: `background: var(--${key})` }), `${name} ${time(ns)}, ${percent(ns, all)}`);
        words.append(entry);
      });
      box.append(head, bar, words);
      return box;
    }));
  };
  const functions = () => {
    if (!data.own) $("#functions h2").textContent = "Slices by name";
    const place = $("#functions div");
    if (!data.functions.length) {
      return place.replaceChildren(element("p", "No foreign function was called.", { class: "none" }));
    }
    const columns = [["Name", (f) => f.name], ["Calls", (f) => f.calls], ["Total", (f) => f.total],
      ["Mean", (f) => f.total / Math.max(1, f.calls)], ["Longest", (f) => f.max]];
    let by = 2, down = true;
    const fill = () => {
      const rows = [...data.functions].sort((a, b) => {
        const [left, right] = [columns[by][1](a), columns[by][1](b)];
        return (down ? -1 : 1) * (left < right ? -1 : left > right ? 1 : 0);
      });
      const table = element("table"), head = element("tr"), body = element("tbody");
      columns.forEach(([name], i) => {
        const cell = element("th", name, { tabindex: 0 });
        if (i === by) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sort = () => { down = i === by ? !down : i > 0; by = i; fill(); };
        cell.addEventListener("click", sort);
        cell.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
        head.append(cell);
      });
      rows.slice(0, 500).forEach((f) => {
        const row = element("tr"), name = element("td", f.name, { title: f.name });
        if (f.callback) name.append(element("i", "  → callback"));
        row.append(name, element("td", count(f.calls)), element("td", time(f.total)),
          element("td", time(f.total / Math.max(1, f.calls))), element("td", time(f.max)));
        body.append(row);
      });
      const top = element("thead");
      top.append(head);
      table.append(top, body);
      place.replaceChildren(table);
    };
    fill();
  };

  const paint = () => {
    colours();
    base = null;
    draw();
    spread();
  };
  if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.classList.add("dark");
  $("#remarks").replaceChildren(...data.remarks.map((remark) => element("li", remark)));
  legend("#memory", "Memory", [...layers].reverse(), layers.length > 1 && ((key, on) => {
    if (on) shown.add(key); else shown.delete(key);
    draw();
  }));
  legend("#pauses", "Pauses", [["minor", "minor collections"], ["full", "full collections"]]);
  legend("#threads", "Threads", data.own ? [["client", "foreign calls, the short ones too: darker where there are more"]] : []);
  // What a trace of others does not have is not shown.
  $("#memory").hidden = !data.own && !layers.length;
  for (const part of ["#pauses", "#spread"]) $(part).hidden = !data.own && !data.pauses.length;
  $("#shares").hidden = !data.own && !data.threads.length;
  tiles();
  shares();
  functions();
  addEventListener("resize", paint);
  paint();
})();
