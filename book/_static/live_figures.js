/* Live figures. Every number is interpolated in tables that the package has computed (ptft/explorer.py): this file
   knows how to read a table and how to draw, and nothing of the theory. */
(function () {
  "use strict";
  document.documentElement.classList.add("explorer-on"); // hides the printed figure, which is shown without scripts

  // ------------------------------------------------------------------------------------------------------- tables

  function decode({ axes, low, high, data }) {
    const bytes = atob(data);
    const step = (high - low) / 65535;
    const values = new Float64Array(bytes.length / 2);
    for (let i = 0; i < values.length; i++) {
      values[i] = low + step * (bytes.charCodeAt(2 * i) + 256 * bytes.charCodeAt(2 * i + 1));
    }
    return { axes, values };
  }

  // First node of the panel that holds x, and the weights with which its nodes enter (Lagrange's polynomials).
  function weights({ nodes, degree }, x) {
    let first = 0;
    while (first + degree < nodes.length - 1 && nodes[first + degree] <= x) first += degree;
    const own = nodes.slice(first, first + degree + 1);
    const factor = (i) => own.reduce((product, other, j) => (i === j ? product : (product * (x - other)) / (own[i] - other)), 1);
    return { first, weights: own.map((_, i) => factor(i)) };
  }

  // The table with its first arguments fixed.
  function fix(table, ...x) {
    let { axes, values } = table;
    for (const at of x) {
      const found = weights(axes[0], at);
      const size = values.length / axes[0].nodes.length;
      const next = new Float64Array(size);
      found.weights.forEach((weight, i) => {
        if (weight === 0) return;
        const start = (found.first + i) * size;
        for (let j = 0; j < size; j++) next[j] += weight * values[start + j];
      });
      axes = axes.slice(1);
      values = next;
    }
    return { axes, values };
  }

  const value = (table, ...x) => fix(table, ...x).values[0];

  // ------------------------------------------------------------------------------------------------------ drawing

  function element(parent, tag, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, given] of Object.entries(attributes || {})) made.setAttribute(name, given);
    if (text !== undefined) made.textContent = text;
    return parent.appendChild(made);
  }

  const BOX = { left: 74, right: 466, top: 14, bottom: 322 }; // of the data, in the units of the viewBox

  function chart(svg, xTicks, yTicks, xLabel, yLabel) {
    const scale = (ticks, low, high) => (at) =>
      low + ((at - ticks[0].at) / (ticks[ticks.length - 1].at - ticks[0].at)) * (high - low);
    const x = scale(xTicks, BOX.left, BOX.right);
    const y = scale(yTicks, BOX.bottom, BOX.top);
    for (const { at, text } of xTicks) {
      element(svg, "line", { x1: x(at), x2: x(at), y1: BOX.top, y2: BOX.bottom, class: "explorer-grid" });
      element(svg, "text", { x: x(at), y: BOX.bottom + 20, "text-anchor": "middle" }, text);
    }
    for (const { at, text } of yTicks) {
      element(svg, "line", { x1: BOX.left, x2: BOX.right, y1: y(at), y2: y(at), class: "explorer-grid" });
      element(svg, "text", { x: BOX.left - 8, y: y(at) + 5, "text-anchor": "end" }, text);
    }
    element(svg, "text", { x: (BOX.left + BOX.right) / 2, y: BOX.bottom + 44, "text-anchor": "middle" }, xLabel);
    const turned = `translate(14 ${(BOX.top + BOX.bottom) / 2}) rotate(-90)`;
    element(svg, "text", { transform: turned, "text-anchor": "middle" }, yLabel);
    return (points) => points.map(([u, v]) => `${x(u).toFixed(2)},${y(v).toFixed(2)}`).join(" ");
  }

  const ticks = (from, to, step, text) => {
    const made = [];
    for (let i = 0; from + i * step <= to + 1e-9; i++) made.push({ at: from + i * step, text: text(from + i * step) });
    return made;
  };
  const plain = (number) => String(Number(number.toFixed(2))).replace("-", "−");
  const power = (exponent) => "10" + String(exponent).replace(/./g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
  const digits = (number) => String(Number(number.toPrecision(3)));

  // -------------------------------------------------------------------------------- the triangle of both measures

  function plane(page) {
    const { tables } = page;
    const svg = page.svg;
    const place = chart(svg, ticks(1, 2, 0.25, plain), ticks(-1, 0, 0.25, plain), "ℓ-order", "pretraining dependence");
    const corners = Object.entries(page.spec.corners);
    element(svg, "polygon", { points: place(corners.map(([, corner]) => corner)), class: "explorer-area" });
    const marks = [...corners, ["IV", [1.5, -0.5]]];
    const shifts = { I: [36, 22], II: [-20, -52], III: [-24, 26], IV: [-26, 26] };
    for (const [name, corner] of marks) {
      const [x, y] = place([corner]).split(",").map(Number);
      element(svg, "text", { x: x + shifts[name][0], y: y + shifts[name][1], class: "explorer-corner" }, name);
    }
    const path = element(svg, "polyline", { class: "explorer-line", "data-line": "path" });
    const dot = element(svg, "circle", { r: 8, class: "explorer-dot" });

    function measure(at) {
      const scale = value(tables.scale, at.c_pt, at.relative, at.beta_pt);
      const kappa = value(tables.kappa, at.c_pt, at.beta_pt);
      return {
        scale: value(tables.with_gamma, scale, at.gamma_ft),
        ell: value(tables.ell_order, scale, at.gamma_ft),
        pd: value(tables.pretraining_dependence, scale, at.gamma_ft, kappa),
      };
    }

    return function update(at, text, moved) {
      const { scale, ell, pd } = measure(at);
      const [cx, cy] = place([[ell, pd]]).split(",");
      dot.setAttribute("cx", cx);
      dot.setAttribute("cy", cy);
      const along = page.spec.sliders[moved].coordinates.map((other) => measure({ ...at, [moved]: other }));
      path.setAttribute("points", place(along.map((one) => [one.ell, one.pd])));
      page.say("ell", ell.toFixed(3));
      page.say("pd", plain3(pd));
      page.say("scale", digits(10 ** scale));
      for (const [name] of corners) page.say(name, `${Math.abs(100 * value(tables["share_" + name], ell, pd)).toFixed(0)} %`);
      page.say("path", page.names[moved]);
      const init = `ptft.Initialization(${text.c_pt}, (${text.relative}) * ${text.c_pt}, ${text.gamma_ft})`;
      page.say("call", `measures(${page.spec.beta_ft}, ${text.beta_pt}, ${init})`);
    };
  }

  const plain3 = (number) => (Math.abs(number) < 5e-4 ? "0.000" : number.toFixed(3).replace("-", "−"));

  // ---------------------------------------------------------------------------------- error against the data scale

  function error(page) {
    const { tables, spec } = page;
    const floor = Math.log10(spec.floor);
    const place = chart(
      page.svg, ticks(0, 0.5, 0.1, plain), ticks(floor, 1, 1, power), "data scale α = n/d", "error",
    );
    const clip = element(page.svg, "clipPath", { id: "explorer-box" });
    element(clip, "rect", { x: BOX.left, y: BOX.top, width: BOX.right - BOX.left, height: BOX.bottom - BOX.top });
    const inside = element(page.svg, "g", { "clip-path": "url(#explorer-box)" });
    const reader = element(inside, "polyline", { class: "explorer-reader" });
    const lines = {};
    for (const name of ["single", "best", "fine"]) {
      lines[name] = element(inside, "polyline", { class: "explorer-line", "data-line": name });
    }
    const dots = {};
    for (const name of ["single", "best", "fine"]) {
      dots[name] = element(inside, "circle", { r: 5, class: "explorer-dot", "data-line": name });
    }

    // A curve is stored as log10 alpha over log10 tau^2, the logarithm of error/alpha; here at many places of it.
    const axis = tables.log_alpha.axes[4];
    const ends = [axis.nodes[0], axis.nodes[axis.nodes.length - 1]];
    const places = Array.from({ length: 361 }, (_, i) => ends[0] + ((ends[1] - ends[0]) * i) / 360);
    const rows = places.map((x) => weights(axis, x));
    const curve = (task, active, inactive) => {
      const { values } = fix(task, active, active - inactive);
      return rows.map((row) => row.weights.reduce((sum, weight, i) => sum + weight * values[row.first + i], 0));
    };
    // log10 of the error at log10 alpha; less than any that is shown where the curve ends before it
    const read = (curve, alpha) => {
      let low = 0;
      let high = curve.length - 1;
      if (curve[low] < alpha) return -Infinity;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (curve[middle] < alpha) high = middle;
        else low = middle;
      }
      const share = (curve[low] - alpha) / (curve[low] - curve[high]);
      return alpha + places[low] + share * (places[high] - places[low]);
    };

    const scales = (c, relative, gamma) =>
      [1, 0].map((beta) => value(tables.with_gamma, value(tables.scale, c, relative, beta), gamma));
    const grid = [];
    const coordinate = (name, i) => spec.sliders[name].coordinates[i];
    for (const c of spec.best_of.c_pt) {
      for (const relative of spec.best_of.relative) {
        for (const gamma of spec.best_of.gamma_ft) {
          const at = [coordinate("c_pt", c), coordinate("relative", relative), coordinate("gamma_ft", gamma)];
          grid.push({ index: [c, relative, gamma], scales: scales(...at) });
        }
      }
    }

    let seen = {}; // of the task at hand, as long as the sliders of the initialization move
    function envelope(at) {
      if (seen.rho !== at.rho_ft || seen.overlap !== at.overlap) {
        const task = fix(tables.log_alpha, at.rho_ft, at.overlap);
        const curves = grid.map((init) => curve(task, ...init.scales));
        const best = spec.sliders.alpha.coordinates.map((alpha) => {
          let found = { log: Infinity };
          curves.forEach((one, i) => {
            const log = read(one, alpha);
            if (log < found.log) found = { log, index: grid[i].index };
          });
          return found;
        });
        seen = { rho: at.rho_ft, overlap: at.overlap, task, best };
      }
      return seen;
    }

    const shown = (log) => (log < floor ? `below ${spec.floor.toFixed(6)}` : digits(10 ** log));
    return function update(at, text) {
      const { task, best } = envelope(at);
      const single = value(tables.single_task, at.c_pt);
      const curves = { fine: curve(task, ...scales(at.c_pt, at.relative, at.gamma_ft)), single: curve(task, single, single) };
      const logs = {};
      for (const [name, one] of Object.entries(curves)) {
        const points = one.map((alpha, i) => [10 ** alpha, places[i] + alpha]);
        lines[name].setAttribute("points", place(points.filter(([alpha]) => alpha > 0.008 && alpha < 0.52)));
        logs[name] = read(one, at.alpha);
      }
      const alphas = spec.sliders.alpha.coordinates;
      const visible = best.map(({ log }, i) => [10 ** alphas[i], Math.max(log, floor - 1)]);
      lines.best.setAttribute("points", place(visible));
      const here = best[page.position("alpha")];
      logs.best = here.log;
      for (const [name, log] of Object.entries(logs)) {
        const [cx, cy] = place([[10 ** at.alpha, Math.max(log, floor - 1)]]).split(",");
        dots[name].setAttribute("cx", cx);
        dots[name].setAttribute("cy", cy);
        page.say(name, shown(log));
      }
      reader.setAttribute("points", place([[10 ** at.alpha, floor], [10 ** at.alpha, 1]]));
      const [c, relative, gamma] = here.index.map((i, k) => spec.sliders[["c_pt", "relative", "gamma_ft"][k]].texts[i]);
      page.say("best-c", c);
      page.say("best-relative", minus(relative));
      page.say("best-gamma", gamma);
      const teacher = `ptft.SpikeSlab(${spec.rho_pt}, ${text.rho_ft}, ${text.overlap})`;
      const init = `ptft.Initialization(${text.c_pt}, (${text.relative}) * ${text.c_pt}, ${text.gamma_ft})`;
      page.say("call", `ptft.replica_curve(${text.alpha}, ${teacher}, ${init}).mse`);
    };
  }

  // ------------------------------------------------------------------------------------------------- sliders, text

  const minus = (text) => text.replace(/^-/, "−");

  function start(root) {
    const spec = JSON.parse(root.querySelector("script").textContent);
    const inputs = [...root.querySelectorAll("input")];
    const tables = Object.fromEntries(Object.entries(spec.tables).map(([name, stored]) => [name, decode(stored)]));
    const position = (name) => Number(inputs.find((input) => input.name === name).value);
    const say = (name, text) => {
      root.querySelector(`[data-value="${name}"]`).textContent = text;
    };
    const names = Object.fromEntries(inputs.map((input) => [input.name, input.labels[0].firstChild.textContent.trim()]));
    const page = { spec, tables, svg: root.querySelector("svg"), position, say, names };
    const update = { plane, error }[spec.view](page);

    function refresh(moved) {
      const at = {};
      const text = {};
      for (const { name } of inputs) {
        at[name] = spec.sliders[name].coordinates[position(name)];
        text[name] = spec.sliders[name].texts[position(name)];
      }
      if (spec.overlaps) text.overlap = spec.overlaps[position("rho_ft")][position("overlap")];
      for (const input of inputs) {
        input.setAttribute("aria-valuetext", minus(text[input.name]));
        say("slider-" + input.name, minus(text[input.name]));
      }
      update(at, text, moved);
    }
    for (const input of inputs) input.addEventListener("input", () => refresh(input.name));
    refresh(spec.first);
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".explorer").forEach(start));
})();
