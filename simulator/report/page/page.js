"use strict";
(() => {
  const root = document.documentElement;
  const remember = (value) => { try { localStorage.setItem("portchurn-theme", value); } catch { /* a page from disk may have no memory */ } };
  const remembered = () => { try { return localStorage.getItem("portchurn-theme"); } catch { return null; } };
  const isDark = () => getComputedStyle(root).getPropertyValue("--ground").trim() !== "#ffffff";

  const themed = () => {
    const style = getComputedStyle(root);
    const ink = style.getPropertyValue("--ink").trim();
    const line = style.getPropertyValue("--line").trim();
    const raised = style.getPropertyValue("--raised").trim();
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      "font.color": ink, "font.family": "system-ui, sans-serif",
      "xaxis.gridcolor": line, "xaxis.linecolor": line, "yaxis.gridcolor": line, "yaxis.linecolor": line,
      "hoverlabel.bgcolor": raised, "hoverlabel.font.color": ink, "hoverlabel.bordercolor": line,
      "legend.bgcolor": "rgba(0,0,0,0)",
      "modebar.bgcolor": "rgba(0,0,0,0)", "modebar.color": style.getPropertyValue("--soft").trim(),
      "modebar.activecolor": ink,
    };
  };

  const bytesOf = (array) => Uint8Array.from(atob(array.bdata), (char) => char.charCodeAt(0));
  // What a cell of a grid is, in words, worked out here so that the file need not hold it.
  const nameCells = (figure) => {
    const heat = figure.data.find((trace) => trace.type === "heatmap");
    if (!heat || !figure.shades) return;
    const [rows, columns] = heat.z.shape.split(",").map(Number);
    const cells = bytesOf(heat.z), full = bytesOf(heat.customdata);
    heat.text = Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) => {
      const at = row * columns + column;
      if (!cells[at]) return "free";
      return cells[at] > figure.shades.length ? "not known" : `mostly ${figure.shades[cells[at] - 1]}, ${full[at]}% in use`;
    }));
    delete heat.customdata;
  };

  const draw = (frame) => {
    if (frame.dataset.done) return;
    frame.dataset.done = "1";
    const place = frame.querySelector(".drawn");
    const still = frame.querySelector(".still");
    const figure = JSON.parse(document.getElementById(`data-${frame.dataset.chart}`).textContent);
    nameCells(figure);
    place.hidden = false;
    Plotly.newPlot(place, figure.data, figure.layout, {
      // The library has a button that would send a chart to its makers: here nothing is sent.
      responsive: true, displaylogo: false, plotlyServerURL: "", showSendToCloud: false,
      modeBarButtonsToRemove: ["lasso2d", "select2d", "sendChartToCloud", "sendDataToCloud"],
    }).then(() => Plotly.relayout(place, themed())).then(() => {
      still.hidden = true;
      frame.dataset.drawn = "1";
    }).catch(() => { place.hidden = true; still.hidden = false; });
  };

  const button = document.getElementById("theme");
  const show = (theme) => {
    root.dataset.theme = theme;
    for (const place of document.querySelectorAll("[data-drawn] .drawn")) Plotly.relayout(place, themed());
  };
  const before = remembered();
  if (before === "dark" || before === "light") root.dataset.theme = before;
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const next = isDark() ? "light" : "dark";
      remember(next);
      show(next);
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (!root.dataset.theme) show(""); });

  window.portchurn = { themed, nameCells }; // for the live page, which draws its charts again and again
  const frames = document.querySelectorAll("figure.chart");
  if (typeof Plotly === "undefined") return;
  const watcher = new IntersectionObserver((seen) => {
    for (const one of seen) if (one.isIntersecting) { watcher.unobserve(one.target); draw(one.target); }
  }, { rootMargin: "300px" });
  for (const frame of frames) watcher.observe(frame);
})();
