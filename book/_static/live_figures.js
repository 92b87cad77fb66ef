/* Live figures: sliders, charts, and what a reader takes home. The numbers are those of theory.js. */
(function () {
  "use strict";
  document.documentElement.classList.add("explorer-on"); // hides the printed figure, which is shown without scripts
  const theory = window.theory;

  // ------------------------------------------------------------------------------------------------------ drawing

  function element(parent, tag, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, given] of Object.entries(attributes || {})) made.setAttribute(name, given);
    if (text !== undefined) made.textContent = text;
    return parent.appendChild(made);
  }

  const SIZE = [480, 376]; // of the viewBox
  const BOX = { left: 74, right: 466, top: 14, bottom: 322 }; // of the data in it

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
  const minus = (text) => text.replace(/^-/, "−");
  const plain = (number) => minus(String(Number(number.toFixed(2))));
  const power = (exponent) => "10" + String(exponent).replace(/./g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
  const digits = (number) => {
    const [mantissa, exponent] = String(Number(number.toPrecision(3))).split("e");
    return exponent ? `${mantissa}·${power(Number(exponent))}` : mantissa;
  };
  const decimals = (number) => (Math.abs(number) < 5e-4 ? "0.000" : minus(number.toFixed(3)));

  // A round mark that can be moved.
  function mark(parent, line, r) {
    const dot = element(parent, "circle", { r, class: "explorer-dot", "data-line": line });
    return (point) => {
      dot.style.display = point ? "" : "none";
      if (point) [dot.cx.baseVal.value, dot.cy.baseVal.value] = point.split(",").map(Number);
    };
  }

  // -------------------------------------------------------------------------------- what the formulas are asked for

  const initialization = ({ c_pt, relative, gamma_ft }) => ({ c_pt, distance: relative, gamma_ft });
  const written = ({ c_pt, relative, gamma_ft }) => `ptft.Initialization(${c_pt}, (${relative}) * ${c_pt}, ${gamma_ft})`;

  // The results of a generator function, of which the last ones are kept.
  function remembered(make) {
    const known = new Map();
    return function* (...given) {
      const key = JSON.stringify(given);
      if (!known.has(key)) {
        const made = yield* make(...given);
        if (known.size >= 12) known.delete(known.keys().next().value);
        known.set(key, made);
      }
      return known.get(key);
    };
  }

  /* A view draws the axes and returns `update`, a generator function that draws and says what belongs to the sliders
     and yields wherever it may be interrupted, and `rows`, the data of what is drawn. A state is { at, text }: the
     values of the sliders, and what they show. */

  // -------------------------------------------------------------------------------- the triangle of both measures

  function plane({ spec, svg, say, names }) {
    const place = chart(svg, ticks(1, 2, 0.25, plain), ticks(-1, 0, 0.25, plain), "ℓ-order", "pretraining dependence");
    const corners = Object.entries(spec.corners);
    element(svg, "polygon", { points: place(corners.map(([, corner]) => corner)), class: "explorer-area" });
    const shifts = { I: [36, 22], II: [-20, -52], III: [-24, 26], IV: [-26, 26] };
    for (const [name, corner] of [...corners, ["IV", [1.5, -0.5]]]) {
      const [x, y] = place([corner]).split(",").map(Number);
      element(svg, "text", { x: x + shifts[name][0], y: y + shifts[name][1], class: "explorer-corner" }, name);
    }
    const path = element(svg, "polyline", { class: "explorer-line", "data-line": "path" });
    const [before, dot] = [mark(svg, "pinned", 8), mark(svg, "fine", 8)];
    const measure = (at) => theory.measures(at.beta_ft, at.beta_pt, initialization(at));
    const point = (found) => place([[found.ell_order, found.pretraining_dependence]]);
    let drawn = [];

    function* update({ at, text }, pinned, moved) {
      const found = measure(at);
      const along = spec.sliders[moved].values.map((other) => ({ ...at, [moved]: other }));
      drawn = [["shown", at], ...along.map((other) => ["path", other]), ...(pinned ? [["pinned", pinned.at]] : [])];
      dot(point(found));
      before(pinned && point(measure(pinned.at)));
      path.setAttribute("points", along.map((other) => point(measure(other))).join(" "));
      say("ell", decimals(found.ell_order));
      say("pd", decimals(found.pretraining_dependence));
      say("scale", digits(found.scale));
      corners.forEach(([name], i) => say(name, `${Math.abs(100 * found.shares[i]).toFixed(0)} %`));
      say("path", names[moved]);
      const there = pinned && measure(pinned.at);
      say("pinned", there ? `${decimals(there.ell_order)}, ${decimals(there.pretraining_dependence)}` : "–");
      const call = `measures(${text.beta_ft}, ${text.beta_pt}, init)`;
      say("call", `import ptft\nfrom ptft.regimes import measures\n\ninit = ${written(text)}\nprint(${call})`);
    }
    const rows = () => [
      ["curve", "c_pt", "distance", "gamma_ft", "beta_pt", "beta_ft", "ell_order", "pretraining_dependence"],
      ...drawn.map(([name, at]) => {
        const { ell_order, pretraining_dependence } = measure(at);
        return [name, at.c_pt, at.relative, at.gamma_ft, at.beta_pt, at.beta_ft, ell_order, pretraining_dependence];
      }),
    ];
    return { update, rows };
  }

  // ---------------------------------------------------------------------------------- error against the data scale

  const task = (spec, { at, text }) => ({
    rho_pt: spec.rho_pt, rho_ft: at.rho_ft, omega: Number(text.overlap), alpha_pt: at.alpha_pt ?? 1,
  });
  const teacher = (spec, text) => `ptft.SpikeSlab(${spec.rho_pt}, ${text.rho_ft}, ${text.overlap})`;
  const log10 = (number) => Math.log10(Math.max(number, 1e-300));
  const shown = (spec, mse) => (mse < spec.floor ? `below ${spec.floor.toFixed(6)}` : digits(mse));

  function error({ spec, svg, say }) {
    const floor = Math.log10(spec.floor);
    const place = chart(svg, ticks(0, 0.5, 0.1, plain), ticks(floor, 1, 1, power), "data scale α = n/d", "error");
    const clip = element(svg, "clipPath", { id: "explorer-box" });
    element(clip, "rect", { x: BOX.left, y: BOX.top, width: BOX.right - BOX.left, height: BOX.bottom - BOX.top });
    const inside = element(svg, "g", { "clip-path": "url(#explorer-box)" });
    const reader = element(inside, "polyline", { class: "explorer-reader" });
    const names = ["pinned", "single", "best", "fine"];
    const lines = Object.fromEntries(
      names.map((name) => [name, element(inside, "polyline", { class: "explorer-line", "data-line": name })]),
    );
    const dots = Object.fromEntries(names.map((name) => [name, mark(inside, name, 5)]));
    const height = (mse) => Math.max(log10(mse), floor - 1);

    // A curve: points where it is flat, and more of them where it is steep and can be seen.
    const curve = remembered(function* (mixture, noise_var) {
      const points = [];
      for (let i = 0; i <= 35; i++) {
        const alpha = 0.01 + (0.49 * i) / 35;
        points.push({ alpha, ...theory.solve(alpha, mixture, noise_var, points[i - 1]) });
        yield;
      }
      for (let i = 1; i < points.length; ) {
        const [a, b] = [points[i - 1], points[i]];
        if (b.alpha - a.alpha < 4e-4 || Math.abs(height(b.mse) - height(a.mse)) < 0.15) i++;
        else {
          const alpha = (a.alpha + b.alpha) / 2;
          points.splice(i, 0, { alpha, ...theory.solve(alpha, mixture, noise_var, a) });
          yield;
        }
      }
      return points;
    });
    const at_alpha = (points, alpha, mixture, noise_var) => {
      const near = points.reduce((a, b) => (Math.abs(b.alpha - alpha) < Math.abs(a.alpha - alpha) ? b : a));
      return theory.solve(alpha, mixture, noise_var, near).mse;
    };

    const { c_pt, relative, gamma_ft } = spec.best_of;
    const grid = c_pt.flatMap((c) => relative.flatMap((r) => gamma_ft.map((g) => [c, r, g]))).map((index) => {
      const [c, r, g] = ["c_pt", "relative", "gamma_ft"].map((name, i) => spec.sliders[name].values[index[i]]);
      return { index, init: { c_pt: c, distance: r, gamma_ft: g } };
    });
    const search = remembered(function* () {
      return { laws: [], found: new Map() };
    });
    // The best of the grid at one alpha, and the solutions, from which those at the next one start.
    function* best_at(problem, noise_var, given, alpha, near) {
      if (!problem.found.has(alpha)) {
        let best = { mse: Infinity };
        const solved = [];
        for (let i = 0; i < grid.length; i++) {
          problem.laws[i] = problem.laws[i] || theory.law(given, grid[i].init);
          solved.push(theory.solve(alpha, problem.laws[i], noise_var, near && near[i]));
          if (solved[i].mse < best.mse) best = { alpha, mse: solved[i].mse, ...grid[i] };
          yield;
        }
        problem.found.set(alpha, { best, solved });
      }
      return problem.found.get(alpha);
    }

    let drawn = [];
    function* update(state, pinned) {
      const { at, text } = state;
      const { alpha, noise_var } = at;
      const draw = (name, points) => lines[name].setAttribute("points", place(points.map((p) => [p.alpha, height(p.mse)])));
      const read = (name, mse) => {
        dots[name](place([[alpha, height(mse)]]));
        say(name, shown(spec, mse));
      };
      const setting = ({ at, text }) => [at.c_pt, at.relative, at.gamma_ft, at.rho_ft, Number(text.overlap), at.noise_var, at.alpha_pt];
      const rows = [];
      const keep = (name, setting, points) => points.forEach((p) => rows.push([name, ...setting, p.alpha, p.mse]));

      reader.setAttribute("points", place([[alpha, floor], [alpha, 1]]));
      const init = `init = ${written(text)}\n`;
      const scale = `teacher = ${teacher(spec, text)}\n`;
      const call = at.alpha_pt < 1
        ? `ptft.two_stage_curve(${text.alpha}, teacher, init, alpha_pt=${text.alpha_pt}, noise_ft=${text.noise_var}).mse`
        : `ptft.replica_curve(${text.alpha}, teacher, init, noise_var=${text.noise_var}).mse`;
      say("call", `import ptft\n\n${scale}${init}print(${call})`);

      const own = theory.law(task(spec, state), initialization(at));
      const alone = theory.single_task(at.rho_ft, at.c_pt);
      for (const [name, mixture] of [["fine", own], ["single", alone]]) {
        const points = yield* curve(mixture, noise_var);
        draw(name, points);
        read(name, at_alpha(points, alpha, mixture, noise_var));
        keep(name, setting(state), points);
      }
      if (pinned) {
        const mixture = theory.law(task(spec, pinned), initialization(pinned.at));
        const points = yield* curve(mixture, pinned.at.noise_var);
        draw("pinned", points);
        read("pinned", at_alpha(points, alpha, mixture, pinned.at.noise_var));
        keep("pinned", setting(pinned), points);
      } else {
        draw("pinned", []);
        dots.pinned(null);
        say("pinned", "–");
      }
      drawn = [...rows];

      const given = task(spec, state);
      const problem = yield* search(given, noise_var);
      const { best } = yield* best_at(problem, noise_var, given, alpha);
      read("best", best.mse);
      for (const [name, i] of [["c_pt", 0], ["relative", 1], ["gamma_ft", 2]]) {
        say("best-" + name, minus(spec.sliders[name].texts[best.index[i]]));
      }
      const along = [best];
      let near;
      for (const other of spec.best_at) {
        const found = yield* best_at(problem, noise_var, given, other, near);
        near = found.solved;
        along.push(found.best);
      }
      along.sort((a, b) => a.alpha - b.alpha);
      draw("best", along);
      for (const { alpha, mse, init } of along) {
        rows.push(["best", init.c_pt, init.distance, init.gamma_ft, ...setting(state).slice(3), alpha, mse]);
      }
      drawn = rows;
    }
    const columns = ["c_pt", "distance", "gamma_ft", "rho_ft", "omega", "noise_var", "alpha_pt", "alpha", "error"];
    return { update, rows: () => [["curve", ...columns], ...drawn] };
  }

  // ----------------------------------------------------------------------- learning curves of tasks with power laws

  function scaling({ spec, svg, say }) {
    const [lowest, largest] = [-12, 4]; // of log10 error and log10 n in the drawing
    const place = chart(svg, ticks(1, largest, 1, power), ticks(lowest, 0, 2, power), "examples n", "prediction error");
    const clip = element(svg, "clipPath", { id: "explorer-scaling-box" });
    element(clip, "rect", { x: BOX.left, y: BOX.top, width: BOX.right - BOX.left, height: BOX.bottom - BOX.top });
    const inside = element(svg, "g", { "clip-path": "url(#explorer-scaling-box)" });
    const reader = element(inside, "polyline", { class: "explorer-reader" });
    const lines = ["pinned", "best", "single", "fine"]; // the best line is that of lazy learning alone
    const drawings = Object.fromEntries(
      lines.map((name) => [name, element(inside, "polyline", { class: "explorer-line", "data-line": name })]),
    );
    const dots = Object.fromEntries(lines.map((name) => [name, mark(inside, name, 5)]));
    const d = Math.round(spec.count.reduce((sum, one) => sum + one, 0));
    const curve = remembered(function* (mixture, last) {
      const points = [];
      for (let i = 0; i <= 8 * (last - 1); i++) {
        const n = 10 ** (1 + i / 8);
        points.push({ n, ...theory.solve(n / d, mixture, 0, points[i - 1]) });
        yield;
      }
      return points;
    });
    const at_n = (points, n, mixture) => {
      const near = points.reduce((a, b) => (Math.abs(Math.log(b.n / n)) < Math.abs(Math.log(a.n / n)) ? b : a));
      return theory.solve(n / d, mixture, 0, near);
    };
    // How many examples have this error, if they are on the curve: by regula falsi in logarithms (ptft.scaling).
    function needed(points, mixture, mse) {
      const i = points.findIndex((one) => one.mse <= mse);
      if (i < 1) return i < 0 ? `more than ${digits(points[points.length - 1].n)}` : "10 or fewer";
      let [low, high] = [points[i - 1], points[i]];
      for (let step = 0; step < 12; step++) {
        const share = Math.log(low.mse / mse) / Math.log(low.mse / high.mse);
        const n = low.n * (high.n / low.n) ** share;
        const found = { n, ...theory.solve(n / d, mixture, 0, low) };
        if (Math.abs(found.mse / mse - 1) < 1e-7) return digits(n);
        if (found.mse > mse) low = found;
        else high = found;
      }
      return digits(high.n);
    }
    const laws = ({ at }) => {
      const task = { a: at.a, b: at.b, rho: spec.rho, omega: at.overlap, rank: spec.rank, count: spec.count };
      return {
        fine: theory.power_laws(task, initialization(at)),
        single: theory.power_laws(task, { alone: at.c_pt }),
        best: theory.power_laws(task, { alone: spec.lazy }),
      };
    };
    const setting = ({ at }) => [at.a, at.b, at.overlap, at.c_pt, at.relative, at.gamma_ft];

    let drawn = [];
    function* update(state, pinned) {
      const { at, text } = state;
      const draw = (name, points) =>
        drawings[name].setAttribute("points", place(points.map((p) => [Math.log10(p.n), log10(p.mse)])));
      const n = at.examples;
      const read = (name, said, mse) => {
        dots[name](place([[Math.log10(n), log10(mse)]]));
        say(said, digits(mse));
      };
      reader.setAttribute("points", place([[Math.log10(n), lowest], [Math.log10(n), 0]]));
      const task = `PowerLawTasks(${d}, ${text.a}, ${text.b}, ${spec.rho}, ${spec.rho}, ${text.overlap})`;
      const call = `print(ptft.replica_curve(${text.examples} / ${d}, tasks, init).mse)`;
      say("call", `import ptft\nfrom ptft.scaling import PowerLawTasks\n\ntasks = ${task}\ninit = ${written(text)}\n${call}`);
      const rows = [];
      const keep = (name, state, points) => points.forEach((p) => rows.push([name, ...setting(state), p.n, p.mse]));
      const own = laws(state);
      const fine = yield* curve(own.fine, largest);
      draw("fine", fine);
      const error = at_n(fine, n, own.fine).mse;
      read("fine", "fine", error);
      keep("fine", state, fine);
      const [before, after] = [1 / 1.05, 1.05].map((factor) => at_n(fine, factor * n, own.fine).mse);
      say("slope", (Math.log(before / after) / Math.log(1.05 ** 2)).toFixed(2));
      for (const [name, said] of [["single", "single"], ["best", "lazy"]]) {
        const points = yield* curve(own[name], name === "single" ? spec.last : largest);
        draw(name, points);
        read(name, said, at_n(points, n, own[name]).mse);
        if (name === "single") say("needed", needed(points, own.single, error));
        keep(said, state, points);
      }
      if (pinned) {
        const mixture = laws(pinned).fine;
        const points = yield* curve(mixture, largest);
        draw("pinned", points);
        read("pinned", "pinned", at_n(points, n, mixture).mse);
        keep("pinned", pinned, points);
      } else {
        draw("pinned", []);
        dots.pinned(null);
        say("pinned", "–");
      }
      drawn = rows;
    }
    const columns = ["a", "b", "omega", "c_pt", "distance", "gamma_ft", "n", "error"];
    return { update, rows: () => [["curve", ...columns], ...drawn] };
  }

  // ------------------------------------------------------------------------------- a task, and what is best for it

  const SHADES = [[1.02, 1], [1.1, 0.8], [1.5, 0.55], [3, 0.33], [10, 0.18], [Infinity, 0.08]]; // error over the least

  function best({ spec, svg, say }) {
    const [across, up] = [ticks(-12, 3, 3, power), ticks(0, 8, 2, power)];
    const cells = element(svg, "g", {});
    const place = chart(svg, across, up, "√k of unused coordinates", "ratio of √k, used to unused");
    const [columns, rows] = [30, 24];
    const squares = [];
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < rows; j++) {
        const [x, y] = [-12 + (15 * (i + 0.5)) / columns, (8 * (j + 0.5)) / rows];
        const [a, b] = [[x - 7.5 / columns, y + 4 / rows], [x + 7.5 / columns, y - 4 / rows]].map((p) => place([p]).split(","));
        const attributes = { x: a[0], y: a[1], width: b[0] - a[0], height: b[1] - a[1], class: "explorer-cell" };
        const [unused, ratio] = [10 ** x, 10 ** y];
        const reached = (ratio - 1) * unused < 4; // ptft.optimal_initialization.landscape
        if (reached) squares.push({ unused, ratio, drawn: element(cells, "rect", attributes) });
      }
    }
    const position = ([used, unused]) => place([[Math.log10(unused), Math.log10(used / unused)]]);
    const scales = (init) => [1, 0].map((beta_pt) => theory.sqrt_k(beta_pt, init));
    const usual = Object.entries(spec.usual).map(([name, init]) => {
      const point = position(scales(init));
      mark(svg, "usual", 4)(point);
      return [name, ...point.split(",").map(Number)];
    });
    const WIDEST = 66; // of a name
    for (const [name, x, y] of usual) {
      const next = usual.some(([, u, v]) => x < u && u < x + WIDEST && Math.abs(v - y) < 16);
      const aside = x + WIDEST > BOX.right ? { x: x - 6, y: y - 5, "text-anchor": "end" } : { x: x + 6, y: y - 5 };
      const there = next ? { x, y: y + 18, "text-anchor": "middle" } : aside;
      element(svg, "text", { ...there, class: "explorer-name" }, name);
    }
    const [before, here] = [mark(svg, "pinned", 9), mark(svg, "best", 8)];
    const optimum = remembered(theory.best_initialization);
    const alone = remembered(theory.best_single_task);
    const best_of = (state) => optimum(task(spec, state), state.at.alpha, state.at.noise_var, spec.bounds);
    const landscape = remembered(function* (state) {
      const { alpha, noise_var } = state.at;
      const law = theory.with_scales(task(spec, state));
      const found = [];
      let near;
      for (const { unused, ratio } of squares) {
        near = theory.solve(alpha, law(ratio * unused, unused), noise_var, ratio < 2 ? undefined : near);
        found.push(near.mse);
        yield;
      }
      return found;
    });
    const relative = (distance) => (distance < 0.01 ? `−1 + ${digits(distance)}` : minus(digits(distance - 1)));

    let drawn = [];
    function* update(state, pinned) {
      const { at, text } = state;
      const call = `ptft.best_initialization(task, ${text.alpha}, noise_var=${text.noise_var})`;
      const said = "print(best.mse, best.init, best.init.distance)";
      say("call", `import ptft\n\ntask = ${teacher(spec, text)}\nbest = ${call}\n${said}`);
      for (const [name, init] of Object.entries(spec.usual)) {
        say("usual-" + name, shown(spec, theory.solve(at.alpha, theory.law(task(spec, state), init), at.noise_var).mse));
      }
      const found = yield* best_of(state);
      say("best", shown(spec, found.mse));
      say("best-c_pt", digits(found.init.c_pt));
      say("best-relative", relative(found.init.distance));
      say("best-gamma_ft", digits(found.init.gamma_ft));
      here(position(scales(found.init)));
      say("alone", shown(spec, yield* alone(at.rho_ft, at.alpha, at.noise_var, spec.bounds)));
      const earlier = pinned && (yield* best_of(pinned));
      before(earlier && position(scales(earlier.init)));
      say("pinned", earlier ? shown(spec, earlier.mse) : "–");
      const values = yield* landscape(state);
      drawn = squares.map(({ unused, ratio }, i) => [at.rho_ft, text.overlap, at.noise_var, at.alpha, unused, ratio, values[i]]);
      squares.forEach((one, i) => {
        one.drawn.style.fillOpacity = SHADES.find(([most]) => values[i] <= most * found.mse)[1];
      });
    }
    const names = ["rho_ft", "omega", "noise_var", "alpha", "sqrt_k_unused", "ratio", "error"];
    return { update, rows: () => [names, ...drawn] };
  }

  // -------------------------------------------------------------------------------------------- to be taken home

  function save(name, type, content) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.body.appendChild(document.createElement("textarea")); // the way of older browsers
      area.value = text;
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
    return true;
  }

  // The chart as a file of its own: colours as they are now, and below it what the readings call its lines.
  function drawing(root, svg) {
    const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap",
      "stroke-linejoin", "paint-order", "font-family", "font-size", "font-weight", "text-anchor", "opacity", "display"];
    const holder = svg.cloneNode(true);
    const originals = [svg, ...svg.querySelectorAll("*")];
    [holder, ...holder.querySelectorAll("*")].forEach((one, i) => {
      const style = getComputedStyle(originals[i]);
      for (const name of STYLES) one.style.setProperty(name, style.getPropertyValue(name));
    });
    const keys = [...root.querySelectorAll("dt[data-line]")].filter((dt) => dt.nextElementSibling.textContent !== "–");
    const settings = [...root.querySelectorAll(".explorer-sliders > div")];
    const text = (node) => node.textContent.trim();
    const said = [
      ...keys.map((dt) => [`${text(dt)} ${text(dt.nextElementSibling)}`, getComputedStyle(dt, "::before").borderTopColor]),
      ...settings.map((one) => [`${text(one.children[0])} ${text(one.children[1])}`]),
    ];
    said.forEach(([words, colour], i) => {
      const y = SIZE[1] + 20 * (i + 1);
      if (colour) element(holder, "line", { x1: BOX.left, x2: BOX.left + 24, y1: y - 5, y2: y - 5, stroke: colour, "stroke-width": 3 });
      element(holder, "text", { x: BOX.left + 32, y }, words);
    });
    const height = SIZE[1] + 20 * said.length + 14;
    const size = { xmlns: "http://www.w3.org/2000/svg", width: SIZE[0], height, viewBox: `0 0 ${SIZE[0]} ${height}` };
    for (const [name, given] of Object.entries(size)) holder.setAttribute(name, given);
    holder.style.height = holder.style.width = "";
    const ground = element(holder, "rect", { width: "100%", height: "100%" });
    ground.style.fill = getComputedStyle(document.body).backgroundColor;
    holder.prepend(ground);
    return new XMLSerializer().serializeToString(holder);
  }

  // ------------------------------------------------------------------------------------------- sliders and buttons

  function start(root) {
    const spec = JSON.parse(root.querySelector("script").textContent);
    const inputs = [...root.querySelectorAll("input")];
    const svg = root.querySelector("svg");
    const readings = root.querySelector("dl");
    const names = Object.fromEntries(inputs.map((input) => [input.name, input.labels[0].firstChild.textContent.trim()]));
    const place = (name) => root.querySelector(`[data-value="${name}"]`);
    const say = (name, text) => {
      if (place(name).textContent !== text) place(name).textContent = text;
    };
    const button = (name) => root.querySelector(`button[data-action="${name}"]`);
    const { update, rows } = { plane, error, scaling, best }[spec.view]({ spec, svg, say, names });
    const first = inputs.map((input) => Number(input.value));
    let pinned = null; // the positions of the sliders of the curve to compare with
    let moved = spec.first; // the slider whose range is drawn
    let latest = 0;

    const positions = () => inputs.map((input) => Number(input.value));
    function state(positions) {
      const at = {};
      const text = {};
      inputs.forEach(({ name }, i) => {
        at[name] = spec.sliders[name].values[positions[i]];
        text[name] = spec.sliders[name].texts[positions[i]];
      });
      const of = (name) => positions[inputs.findIndex((input) => input.name === name)];
      if (spec.overlaps) text.overlap = spec.overlaps[of("rho_ft")][of("overlap")];
      return { at, text };
    }

    function refresh() {
      const now = state(positions());
      for (const input of inputs) {
        input.setAttribute("aria-valuetext", minus(now.text[input.name]));
        say("slider-" + input.name, minus(now.text[input.name]));
      }
      button("pin").setAttribute("aria-pressed", String(pinned !== null));
      const mine = ++latest;
      const work = update(now, pinned && state(pinned), moved);
      readings.setAttribute("aria-busy", "true"); // nothing is announced before all of it is there
      const go = (milliseconds) => {
        const end = performance.now() + milliseconds;
        while (mine === latest) {
          if (work.next().done) return readings.setAttribute("aria-busy", "false");
          if (performance.now() > end) return setTimeout(go, 0, 12);
        }
      };
      go(50);
    }

    // The state in the address, behind #: it reaches no server, and works in a file too.
    const mine = `#explorer-${spec.view}?`;
    function link() {
      const said = new URLSearchParams();
      const add = (prefix, positions) =>
        inputs.forEach(({ name }, i) => said.set(prefix + name, spec.sliders[name].texts[positions[i]]));
      add("", positions());
      if (pinned) add("pinned.", pinned);
      if (moved) said.set("moved", moved);
      return mine + said;
    }
    function follow() {
      if (!location.hash.startsWith(mine)) return false;
      const said = new URLSearchParams(location.hash.slice(mine.length));
      const found = (prefix) =>
        inputs.map(({ name }, i) => {
          const at = spec.sliders[name].texts.indexOf(said.get(prefix + name));
          return at < 0 ? first[i] : at;
        });
      found("").forEach((at, i) => (inputs[i].value = at));
      pinned = inputs.some(({ name }) => said.has("pinned." + name)) ? found("pinned.") : null;
      if (said.get("moved") in names) moved = said.get("moved");
      return true;
    }
    let waiting;
    const remember = (address) => {
      clearTimeout(waiting); // browsers refuse an address that changes too often
      waiting = setTimeout(() => history.replaceState(history.state, "", address), 300);
    };

    for (const input of inputs) {
      input.addEventListener("input", () => {
        moved = spec.first && input.name;
        refresh();
        remember(link());
      });
    }
    const status = root.querySelector("[role=status]");
    const tell = (text) => {
      status.textContent = text;
      setTimeout(() => (status.textContent = ""), 3000);
    };
    const told = (what) => (done) => tell(done ? `${what} copied` : `the browser does not let ${what} be copied`);
    const actions = {
      pin: () => {
        pinned = pinned ? null : positions();
        refresh();
        remember(link());
      },
      reset: () => {
        first.forEach((at, i) => (inputs[i].value = at));
        pinned = null;
        moved = spec.first;
        refresh();
        remember(location.pathname + location.search);
      },
      code: () => copy(place("call").textContent).then(told("code")),
      link: () => copy(location.href.replace(/#.*/, "") + link()).then(told("link")),
      csv: () => save(`${spec.view}.csv`, "text/csv", rows().map((row) => row.join(",") + "\n").join("")),
      svg: () => save(`${spec.view}.svg`, "image/svg+xml", drawing(root, svg)),
    };
    for (const [name, action] of Object.entries(actions)) button(name).addEventListener("click", action);
    window.addEventListener("hashchange", () => {
      if (follow()) refresh();
    });
    if (follow()) {
      const show = () => root.scrollIntoView({ behavior: "instant" });
      window.addEventListener("load", () => (window.MathJax?.startup?.promise || Promise.resolve()).then(show));
    }
    refresh();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".explorer").forEach(start));
})();
