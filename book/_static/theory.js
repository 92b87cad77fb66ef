/* The theory behind the live figures, solved in the page: the penalty scale and the two measures (ptft.initialization,
   ptft.penalties), and the replica equations of fine-tuning after pretraining on any amount of data (ptft.replica,
   ptft.two_stages, whose notes say why the formulas are written as they are), and of tasks with power laws (ptft.scaling). Names are those of the package.
   tests/book/test_theory_script.py compares each function with it at random settings. */
(function () {
  "use strict";
  // Trapezoidal rules in the angle t: how many standard deviations they cover, and the distance of the nodes in t, where
  // the Gaussian is wide, and in standard deviations of t, where it is narrow. Fine-tuning magnifies errors of pretraining.
  const PRETRAINING = { reach: 8.5, spacing: 0.15, in_deviations: 0.4 };
  const FINE_TUNING = { reach: 7, spacing: 0.22, in_deviations: 0.55 };
  const TOLERANCE = 1e-9; // on the change of log tau^2 and log theta in one more iteration
  const LARGEST = 700; // |log tau^2| and twice |log theta|

  // An initialization is { c_pt, distance, gamma_ft } with distance = 1 + lambda_pt/c_pt.
  const sqrt_k = (beta_pt, { c_pt, distance, gamma_ft }) =>
    2 * c_pt * distance * (1 + Math.hypot(c_pt, beta_pt) / c_pt) + gamma_ft ** 2;

  function measures(beta_ft, beta_pt, init) {
    const scale = sqrt_k(beta_pt, init);
    const t = Math.asinh((2 * Math.abs(beta_ft)) / scale);
    const ell_order = 1 / (1 - (t > 1e-300 ? Math.tanh(t / 2) / t : 0.5));
    const size = Math.abs(beta_pt) / init.c_pt;
    const kappa = ((2 * init.c_pt * init.distance) / scale) * size * (size / Math.hypot(1, size));
    const pretraining_dependence = (1 - ell_order) * kappa;
    return {
      scale,
      ell_order,
      pretraining_dependence,
      shares: [2 - ell_order, -pretraining_dependence, ell_order + pretraining_dependence - 1],
    };
  }

  // The angle t >= 0 with (s/2) sinh t + (theta/2) t = z >= 0, by Newton's method from above, where it cannot fail.
  function prox_angle(z, s, theta) {
    let t = Math.min(Math.asinh((2 * z) / s), (2 * z) / theta);
    for (let i = 0; i < 100; i++) {
      const step = (s * Math.sinh(t) + theta * t - 2 * z) / (s * Math.cosh(t) + theta);
      t -= step;
      if (Math.abs(step) <= 1e-9 * t + 1e-300) break;
    }
    return t;
  }

  // Nodes of the trapezoidal rule in t for z ~ N(mean, sd^2) with mean >= 0; half the line where the law is even.
  function range(mean, sd, s, theta, { reach, spacing, in_deviations }) {
    const signed = (z) => Math.sign(z) * prox_angle(Math.abs(z), s, theta);
    const t_m = mean === 0 ? 0 : signed(mean);
    const spread = (2 * sd) / (s * Math.cosh(t_m) + theta);
    let low = mean === 0 ? 0 : signed(mean - reach * sd) - t_m;
    let width = signed(mean + reach * sd) - t_m - low;
    if (reach * spread < 1e-8 && t_m > 0) [low, width] = [-reach * spread, 2 * reach * spread];
    const count = Math.ceil(width / Math.min(spacing, in_deviations * spread));
    return { t_m, low, count, h: width / count };
  }

  // MSE and response of the scalar estimator, and their slopes in tau^2 and theta (ptft.replica.scalar_moments).
  function moments(tau2, theta, mixture, rule = FINE_TUNING) {
    let mse = 0, response = 0, mse_tau2 = 0, mse_theta = 0, response_tau2 = 0, response_theta = 0;
    for (const { weight, mean, variance, s, w = 1 } of mixture) {
      const V = variance + tau2;
      const sd = Math.sqrt(V);
      const local = w * theta;
      const { t_m, low, count, h } = range(mean, sd, s, local, rule);
      const unit = (weight * h) / (Math.sqrt(8 * Math.PI) * sd);
      const growth = Math.exp(h);
      let e = Math.exp(t_m + low);
      for (let i = 0; i <= count; i++, e *= growth) {
        const delta = low + h * i;
        const t = t_m + delta;
        const x = mean === 0 ? s * (e - 1 / e) * 0.25 : (s / 2) * Math.sinh(t);
        const rise = mean === 0 ? x : s * Math.cosh(t_m + delta / 2) * Math.sinh(delta / 2);
        const dz = rise + (local / 2) * delta;
        const c = s * (e + 1 / e) * 0.5;
        const total = c + local;
        const probability = (mean === 0 && i > 0 ? 2 : 1) * unit * Math.exp((-0.5 * dz * dz) / V) * total;
        const pull = dz / V;
        const error = tau2 * pull - (local / 2) * t; // x - E(beta*|z)
        const r = c / total;
        const bend = ((local / total) * ((2 * x) / total)) / total;
        mse += probability * error * error;
        response += probability * r;
        mse_tau2 += probability * r * (error * pull + variance / V);
        mse_theta -= w * probability * error * t * r;
        response_tau2 += probability * bend * pull;
        response_theta -= w * probability * (r / total + t * bend);
      }
      mse += (weight * variance * tau2) / V;
    }
    return { mse, response, mse_tau2, mse_theta, response_tau2, response_theta };
  }

  // Both equations at (u, w) = log(tau^2, theta): by how much one more iteration changes them, and their slopes.
  function gaps(u, w, alpha, mixture, noise_var, rule) {
    const tau2 = Math.exp(u);
    const theta = Math.exp(w);
    const m = moments(tau2, theta, mixture, rule);
    const noise = noise_var + m.mse;
    return {
      mse: m.mse,
      f: Math.log(noise / alpha) - u,
      g: Math.log(m.response / alpha),
      f_u: (m.mse_tau2 * tau2) / noise - 1,
      f_w: (m.mse_theta * theta) / noise,
      g_u: (m.response_tau2 * tau2) / m.response,
      g_w: (m.response_theta * theta) / m.response,
    };
  }

  // Where an increasing function { value, slope } changes sign, by Newton's method inside a bracket.
  function increasing_root(evaluate, at, limit) {
    let [low, high] = [-limit, limit];
    for (let i = 0; i < 500; i++) {
      const { value, slope } = evaluate(at);
      if (value < 0) low = at;
      else high = at;
      const newton = -value / slope;
      const inside = slope > 0 && at + newton >= low && at + newton <= high;
      const step = Math.max(-4, Math.min(4, inside ? newton : (low + high) / 2 - at));
      at += step;
      if (Math.abs(step) <= (inside ? 1e-7 : 1e-15 * Math.max(Math.abs(at), 1))) break;
    }
    return at;
  }

  // theta for each tau^2, then tau^2, each kept in a bracket: slower than Newton's method in both, and cannot fail.
  function bracketed(u, w, alpha, mixture, noise_var, rule) {
    const along = (u) => {
      const excess = (w) => {
        const { g, g_w } = gaps(u, w, alpha, mixture, noise_var, rule);
        return { value: -g, slope: -g_w };
      };
      w = increasing_root(excess, w, LARGEST / 2);
      const { f, f_u, f_w, g_u, g_w } = gaps(u, w, alpha, mixture, noise_var, rule);
      return { value: -f, slope: (f_w * g_u) / g_w - f_u };
    };
    u = increasing_root(along, u, LARGEST);
    along(u);
    return { u, w };
  }

  const power_of = (mixture) =>
    mixture.reduce((sum, { weight, mean, variance }) => sum + weight * (mean ** 2 + variance), 0);

  /* The solution { u, w, mse, residual } of Proposition 4.2 without ridge at a data scale alpha < 1, for a mixture: a
     list of { weight, mean, variance, s, w } with s = sqrt(k) in coordinates with white inputs, where w, 1 by default, is
     the weight of the penalty. `near` is the solution of a similar problem. */
  function solve(alpha, mixture, noise_var, near, rule = FINE_TUNING) {
    const tau2 = (noise_var + power_of(mixture)) / alpha;
    const lightest = mixture.reduce((least, { w = 1 }) => Math.min(least, w), Infinity);
    const z = (0.75 * Math.sqrt(2 * tau2 * Math.log(1 / alpha))) / lightest;
    const least = mixture.reduce((least, { s, w = 1 }) => Math.min(least, s / w), Infinity);
    const mean = mixture.reduce((sum, { weight, s, w = 1 }) => sum + (weight * s) / w, 0);
    const theta = (1 - alpha) * (mean / alpha + (2 * z) / (1 + Math.asinh((2 * z) / least)));
    let [u, w] = near ? [near.u, near.w] : [Math.log(tau2), Math.log(theta)];
    const missing = (at) => Math.max(Math.abs(at.f), Math.abs(at.g));
    let [reach, previous] = [4, 0];
    let at = gaps(u, w, alpha, mixture, noise_var, rule);
    for (let i = 0; i < 60 && !(missing(at) <= TOLERANCE); i++) {
      const du = (at.f - (at.f_w * at.g) / at.g_w) / Math.max((at.f_w * at.g_u) / at.g_w - at.f_u, 1e-4);
      const dw = -(at.g + at.g_u * du) / at.g_w;
      if (du * previous < 0) reach /= 2;
      const scale = Math.min(1, reach / Math.max(Math.abs(du), Math.abs(dw), 1e-300));
      previous = du;
      u = Math.max(-LARGEST, Math.min(LARGEST, u + scale * du));
      w = Math.max(-LARGEST / 2, Math.min(LARGEST / 2, w + scale * dw));
      at = gaps(u, w, alpha, mixture, noise_var, rule);
    }
    if (!(missing(at) <= TOLERANCE)) {
      ({ u, w } = bracketed(Math.log(tau2), Math.log(theta), alpha, mixture, noise_var, rule));
      at = gaps(u, w, alpha, mixture, noise_var, rule);
    }
    return { u, w, mse: at.mse, residual: missing(at) };
  }

  // Probabilities and values of sqrt(k) after pretraining, for coordinates with |beta*_pt| = size.
  function penalty_scales(size, pretraining, init) {
    if (!pretraining) return [[1, sqrt_k(size, init)]];
    const [tau, theta, s] = [Math.exp(pretraining.u / 2), Math.exp(pretraining.w), 2 * init.c_pt];
    const { t_m, low, count, h } = range(size, tau, s, theta, PRETRAINING);
    return Array.from({ length: count + 1 }, (_, i) => {
      const delta = low + h * i;
      const dz = s * Math.cosh(t_m + delta / 2) * Math.sinh(delta / 2) + (theta / 2) * delta;
      const unit = ((size === 0 && i > 0 ? 2 : 1) * h) / (Math.sqrt(8 * Math.PI) * tau);
      const probability = unit * Math.exp(-0.5 * (dz / tau) ** 2) * (s * Math.cosh(t_m + delta) + theta);
      return [probability, sqrt_k((s / 2) * Math.sinh(t_m + delta), init)];
    }).filter(([probability]) => probability > 1e-18);
  }

  const pretrained = new Map(); // solutions of the first stage

  /* The law of (beta*_ft, sqrt(k)) of ptft.SpikeSlab(rho_pt, rho_ft, omega) with an initialization, after pretraining
     on alpha_pt d examples without noise; perfect, if there are as many as coordinates. */
  function law({ rho_pt, rho_ft, omega, alpha_pt }, init) {
    const shared = Math.min(omega * rho_ft, rho_pt);
    const fresh = (1 - omega) * rho_ft;
    const groups = [[shared, 1, 1 / rho_ft], [fresh, 0, 1 / rho_ft], [rho_pt - shared, 1, 0]];
    groups.push([Math.max(1 - rho_pt - fresh, 0), 0, 0]);
    let scales;
    if (alpha_pt >= 1) scales = [0, 1].map((size) => penalty_scales(size, null, init));
    else if (alpha_pt === 0) scales = [0, 0].map((size) => penalty_scales(size, null, init));
    else {
      const key = [alpha_pt, rho_pt, init.c_pt].join();
      if (!pretrained.has(key)) {
        const s = 2 * init.c_pt;
        const teacher = [[rho_pt, 1], [1 - rho_pt, 0]];
        const first = teacher.map(([weight, mean]) => ({ weight, mean, variance: 0, s }));
        pretrained.set(key, solve(alpha_pt, first, 0, null, PRETRAINING));
      }
      scales = [0, 1].map((size) => penalty_scales(size, pretrained.get(key), init));
    }
    return groups
      .filter(([weight]) => weight > 0)
      .flatMap(([weight, size, variance]) =>
        scales[size].map(([share, s]) => ({ weight: weight * share, mean: 0, variance, s })));
  }

  // The law of a task that is learned without pretraining.
  const single_task = (rho, c_pt) =>
    [[rho, 1 / rho], [1 - rho, 0]].map(([weight, variance]) => ({ weight, mean: 0, variance, s: 2 * c_pt }));

  /* The law of ptft.scaling.PowerLawTasks with rho_pt = rho_ft = rho, in coordinates with white inputs; ranks and counts
     are those of its rule. Without an initialization of pretraining, { alone: c_pt }, the task is learned alone. */
  function power_laws({ a, b, rho, omega, rank, count }, init) {
    const d = count.reduce((sum, one) => sum + one, 0);
    const first = 1 / (rho * rank.reduce((sum, j, i) => sum + count[i] * j ** -(a + b), 0));
    const fresh = (1 - omega) * rho;
    const alone = "alone" in init;
    const groups = alone
      ? [[rho, 0, 1], [1 - rho, 0, 0]]
      : [[rho - fresh, 1, 1], [fresh, 0, 1], [fresh, 1, 0], [1 - rho - fresh, 0, 0]];
    return rank.flatMap((j, i) => {
      const v = d * j ** -b;
      const variance = first * j ** -a;
      const scale = (used) => (alone ? 2 * init.alone : sqrt_k(used * Math.sqrt(variance), init));
      return groups.filter(([weight]) => weight > 0).map(([weight, used, active]) => ({
        weight: (weight * count[i]) / d, mean: 0, variance: active * variance * v,
        s: scale(used) * Math.sqrt(v), w: 1 / Math.sqrt(v),
      }));
    });
  }

  /* The initializations of ptft.optimal_initialization.Bounds, { c_pt, distance, gamma_ft, single_task }, each of which
     is [lowest, highest], as a square: a place in it stands for the difference of both penalty scales and the smaller of
     them, for |beta_pt| = 1. */
  function within(bounds) {
    const clip = (value, [low, high]) => Math.max(low, Math.min(high, value));
    const between = ([low, high], x) => Math.exp((1 - x) * Math.log(low) + x * Math.log(high));
    const h = (c) => 2 / (Math.hypot(c, 1) + c);
    const c_of_h = (h) => Math.max(1 - (h / 2) ** 2, 0) / h;
    const c_range = (difference) => bounds.distance.map((one) => clip(c_of_h(difference / one), bounds.c_pt));
    const differences = [0, 1].map((i) => bounds.distance[i] * h(bounds.c_pt[1 - i]));
    const scales = ([x, y]) => {
      const difference = between(differences, x);
      const inactive = c_range(difference).map((c, i) => (4 * difference * c) / h(c) + bounds.gamma_ft[i] ** 2);
      return { difference, inactive: between(inactive, y) };
    };
    // Of the initializations with these scales, the one with the largest c_pt.
    const initialization = ({ difference, inactive }) => {
      const [low, high] = bounds.gamma_ft;
      const y = ((inactive - low ** 2) / 2) / difference;
      const c_pt = Math.min(c_range(difference)[1], y / Math.sqrt(1 + 2 * y));
      const s = (difference * c_pt) / h(c_pt);
      const rest = inactive - 4 * s;
      const gamma_ft = rest - low ** 2 <= 1e-12 * inactive ? low : clip(Math.sqrt(Math.max(rest, 0)), [low, high]);
      return { c_pt, distance: clip(s / c_pt, bounds.distance), gamma_ft };
    };
    return { scales, initialization, single_task: (x) => between(bounds.single_task, x) };
  }

  /* The place in the unit interval or square with the least error, from the local minima of a grid downhill. A
     generator: it yields after each error, so that the page can do something else. */
  function* search(error, grid) {
    const every = (axes) => axes.reduce((made, axis) => made.flatMap((one) => axis.map((v) => [...one, v])), [[]]);
    const known = [];
    for (const index of every(grid.map((size) => [...Array(size).keys()]))) {
      const at = index.map((i, k) => i / (grid[k] - 1));
      known.push({ index, at, value: error(at) });
      yield;
    }
    const beside = (a, b) => a.index.every((i, k) => Math.abs(i - b.index[k]) <= 1);
    const least = (one) => known.every((other) => !beside(one, other) || one.value <= other.value);
    const basins = known.filter((one) => Number.isFinite(one.value) && least(one));
    basins.sort((a, b) => a.value - b.value);
    const pattern = every(grid.map(() => [-1, -0.5, 0, 0.5, 1]));
    let best = { value: Infinity };
    for (let { at, value } of basins.slice(0, 3)) {
      for (let step = 1 / (Math.max(...grid) - 1); step > 3e-4 && (step > 0.02 || value <= 1.1 * best.value); ) {
        let [move, reached] = [null, value];
        for (const one of pattern) {
          const there = at.map((v, k) => Math.max(0, Math.min(1, v + step * one[k])));
          const found = error(there);
          yield;
          if (found < reached) [move, reached] = [{ one, there }, found];
        }
        if (move) [at, value] = [move.there, reached];
        if (!move || !move.one.some((v) => Math.abs(v) === 1)) step *= 0.4;
      }
      if (value < best.value) best = { at, value };
    }
    return best;
  }

  // A function of sqrt(k) of the coordinates that pretraining used and of the others: the law of the task with these.
  function with_scales(task) {
    const probe = { c_pt: 1, distance: 1, gamma_ft: 0 };
    const unused = sqrt_k(0, probe);
    const mixture = law(task, probe);
    return (active, inactive) => mixture.map((one) => ({ ...one, s: one.s > unused ? active : inactive }));
  }

  // ptft.best_initialization of a task after perfect pretraining: { init, mse }. A generator, as `search`.
  function* best_initialization(task, alpha, noise_var, bounds) {
    const { scales, initialization } = within(bounds);
    const mixture = with_scales(task);
    const error = ({ difference, inactive }) =>
      solve(alpha, mixture(inactive + difference, inactive), noise_var).mse;
    const { at } = yield* search((at) => {
      const there = scales(at);
      // penalties that differ by less than 3 % are all but one: the smallest difference stands for them
      return there.difference < 0.03 * there.inactive && at[0] > 0 ? Infinity : error(there);
    }, [12, 14]);
    return { init: initialization(scales(at)), mse: error(scales(at)) };
  }

  // The least error of learning the task alone, among the c_pt of the bounds.
  function* best_single_task(rho, alpha, noise_var, bounds) {
    const { single_task: c_pt } = within(bounds);
    return (yield* search(([x]) => solve(alpha, single_task(rho, c_pt(x)), noise_var).mse, [14])).value;
  }

  const exported = { sqrt_k, measures, moments, solve, law, single_task, power_laws, with_scales };
  window.theory = { ...exported, best_initialization, best_single_task };
})();
