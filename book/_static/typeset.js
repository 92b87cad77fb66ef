/* Shows the text once its formulas are typeset: it would jump under the reader's eyes otherwise. book.css hides it. */
document.documentElement.classList.add("typesetting");
document.addEventListener("DOMContentLoaded", () => {
  const show = () => {
    document.documentElement.classList.remove("typesetting");
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) target.scrollIntoView({ behavior: "instant" }); // formulas have moved it since
  };
  if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(show, show);
  else show(); // a page without formulas
});
