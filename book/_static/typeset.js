/* Shows the text once its formulas are typeset: it would jump under the reader's eyes otherwise. book.css hides it.
   A formula that is wider than its column goes on in further lines, and one keeps the mark or the number that follows it
   on its line, both of which MathJax 3 leaves to others. */
document.documentElement.classList.add("typesetting");
document.addEventListener("DOMContentLoaded", () => {
  const show = () => {
    keepMarks();
    keepNumbers();
    breakWideFormulas(document);
    document.documentElement.classList.remove("typesetting");
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) target.scrollIntoView({ behavior: "instant" }); // formulas have moved it since
  };
  if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(show, show);
  else show(); // a page without formulas
});
let width = innerWidth;
addEventListener("resize", () => {
  if (width === innerWidth) return; // a telephone has hidden its bar
  width = innerWidth;
  makeWhole(document);
  breakWideFormulas(document);
});
document.addEventListener("toggle", (event) => breakWideFormulas(event.target), true); // what was folded has a width now

/* On paper nothing can be unfolded: proofs, solutions and long tables are printed, their formulas in as many lines as
   they need. book.css leaves the programs out. */
const FOLDED = "article details:not([open], .above-input)";
let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll(FOLDED)];
  for (const fold of unfolded) fold.open = true;
  breakWideFormulas(document);
});
addEventListener("afterprint", () => {
  for (const fold of unfolded) fold.open = false;
});

/* No line ends with a bracket that opens before a formula, or begins with a mark that follows one. */
function keepMarks() {
  const mark = (text, marks) => (text?.nodeType === Node.TEXT_NODE && marks.exec(text.data)?.[0]) || "";
  for (const formula of document.querySelectorAll("article span.math:has(> mjx-container:not([display]))")) {
    const { previousSibling: left, nextSibling: right } = formula;
    const [before, after] = [mark(left, /[(\[“‘]+$/), mark(right, /^(\u00a0%[.,;:!?)\]’”…]*|[.,;:!?)\]’”…]+)/)];
    if (!before && !after) continue;
    const kept = document.createElement("span");
    kept.className = "kept";
    formula.before(kept);
    kept.append(before, formula, after);
    if (before) left.data = left.data.slice(0, -before.length);
    if (after) right.data = right.data.slice(after.length);
  }
}

/* A number that the chapter computed stays with the formula before it that ends with a relation. */
function keepNumbers() {
  for (const number of document.querySelectorAll("article :is(span.math, span.kept) + span.pasted-text")) {
    const { previousElementSibling: formula, previousSibling: space } = number;
    const last = formula.querySelector("mjx-math")?.lastElementChild;
    const relation = last && RELATIONS.includes(signOf(last) || "\0");
    if (!relation || space === formula || space.data.trim() || number.textContent.length > 12) continue;
    let kept = formula;
    if (!formula.matches(".kept")) {
      kept = document.createElement("span");
      kept.className = "kept";
      formula.before(kept);
      kept.append(formula);
    }
    kept.append(space, number);
  }
}

/* A line ends at a wide space or a comma; where that is not enough before a relation, and then before any sign. */
const RELATIONS = "=<>≤≥≈≪≫∼≃≡∝∈→←⇒↦";
const BARS = "∣|";
const OPERATORS = "+−±∓⋅×⊙" + BARS;
const SIGNS = ["", RELATIONS, RELATIONS + OPERATORS];
const whole = new WeakMap(); // formulas as they were before they were broken, by their containers
const SMALLEST = 0.7; // of the size of the text, where a formula has no sign at which it could break

function breakWideFormulas(page) {
  for (const container of page.querySelectorAll("article mjx-container:not(.broken)")) {
    const formula = container.querySelector(":scope > mjx-math");
    const column = container.closest("div.math, p, li, dd, dt, td, th, caption, h1, h2, h3, h4");
    if (!formula || !column || container.closest("td, th, caption")) continue; // a table scrolls in its box
    const room = container.hasAttribute("display") ? container.clientWidth : column.clientWidth;
    if (!room || widthOf(formula) <= room) continue;
    container.classList.add("broken");
    whole.set(container, formula.cloneNode(true));
    breakRow(formula, room - 24); // further lines are indented
    const excess = container.hasAttribute("display") ? container.scrollWidth / room : widthOf(formula) / room;
    if (excess > 1 && !column.closest("table")) container.style.fontSize = `${Math.max(SMALLEST, 0.98 / excess) * 100}%`;
  }
}

function makeWhole(page) {
  for (const container of page.querySelectorAll("mjx-container.broken")) {
    container.querySelector(":scope > mjx-math").replaceWith(whole.get(container));
    container.classList.remove("broken");
    container.style.fontSize = "";
  }
}

/* The row becomes a line of parts, and so does a part that is still too wide; whether it came to that. */
function breakRow(row, room, level = 0, nested = false) {
  const table = row.querySelector(":scope > mjx-mtable");
  if (table && row.querySelectorAll(":scope > :not(mjx-tstrut)").length === 1) {
    table.classList.add("math-lines");
    const cells = [...table.querySelectorAll("mjx-mtd")].filter((cell) => cell.closest("mjx-mtable") === table);
    row.classList.add("math-row");
    for (const cell of cells) {
      cell.classList.add("math-row"); // first, since the widths in a cell of a table are those that it has left
      breakRow(cell, room);
    }
    return true;
  }
  const parts = partsOf(row, SIGNS[level], nested);
  if (parts.length > 1) {
    for (const members of parts) {
      const part = document.createElement("span");
      part.className = "math-part";
      row.insertBefore(part, members[0]);
      part.append(...members);
    }
  }
  let broken = parts.length > 1;
  for (const part of broken ? [...row.children] : [row]) {
    if (widthOf(part) <= room) continue;
    if (level + 1 < SIGNS.length) broken = breakRow(part, room, level + 1, nested) || broken;
    else if (!nested) broken = breakRow(part, room, level, true) || broken;
    else {
      const rows = [...part.children].filter((child) => isRow(child) && widthOf(child) > room / 2);
      const inside = rows.map((child) => breakRow(child, room)).some(Boolean);
      if (inside) part.classList.add("math-row");
      broken ||= inside;
    }
    if (level === 0 && parts.length > 1 && row.localName === "mjx-math" && part.matches(".math-row")) beginLine(part);
  }
  if (broken) row.classList.add("math-row");
  return broken;
}

/* One of several formulas, which itself goes on in further lines. */
function beginLine(part) {
  part.classList.add("math-own");
  let first = part.firstElementChild;
  while (first.localName === "span") first = first.firstElementChild;
  if (isSpace(first)) first.style.display = "none";
}

/* The children of a row, divided before the signs and after commas; inside of brackets only where `nested`.
   Every other bar closes what the one before it has opened, and what is between them counts as in brackets. */
function partsOf(row, signs, nested) {
  const parts = [[]];
  let depth = 0;
  let bars = 0;
  let previous = "(";
  for (const child of [...row.children]) {
    const sign = signOf(child);
    const bar = BARS.includes(sign || "\0");
    if (bar) bars += 1;
    const closes = bar && bars % 2 === 0;
    const open = !closes && (nested || (depth === 0 && (bar || bars % 2 === 0)));
    const begins = signs.includes(sign || "\0") && !signs.includes(previous || "\0") && !"([{,".includes(previous || "\0");
    const wide = isSpace(child) && widthOf(child) > 12;
    if (parts.at(-1).length && open && (begins || wide || previous === "," || previous === ";")) parts.push([]);
    parts.at(-1).push(child);
    if (sign && "([{".includes(sign)) depth += 1;
    if (sign && ")]}".includes(sign)) depth -= 1;
    previous = sign;
  }
  return parts;
}

/* The character of an operator, of which MathJax makes a class such as mjx-c3D, also of a bracket or bar that closes
   below an exponent; empty for anything else. */
function signOf(node) {
  if (["mjx-msup", "mjx-msub", "mjx-msubsup"].includes(node.localName)) {
    const closing = signOf(node.firstElementChild);
    return closing && (")]}" + BARS).includes(closing) ? closing : "";
  }
  const glyphs = node.localName === "mjx-mo" ? node.querySelectorAll("mjx-c") : [];
  const code = glyphs.length === 1 && /mjx-c([0-9A-F]+)/.exec(glyphs[0].className);
  return code ? String.fromCodePoint(parseInt(code[1], 16)) : "";
}

/* A space, which is within a style where it comes from a macro such as \quad. */
const isSpace = (node) => (node.localName === "mjx-mstyle" ? node.firstElementChild : node)?.localName === "mjx-mspace";

const isRow = (node) => ["mjx-mrow", "mjx-texatom", "mjx-mstyle", "mjx-math"].includes(node.localName);

function widthOf(node) {
  return node.classList.contains("math-row") && !node.classList.contains("math-part")
    ? Math.max(0, ...[...node.children].map(widthOf))
    : node.getBoundingClientRect().width;
}
