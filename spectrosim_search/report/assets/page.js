"use strict";
// Figures are drawn when they come near the screen; colours follow the system's light or dark setting.
(function () {
  const read = (id) => document.getElementById(id).textContent;
  const theme = JSON.parse(read("theme"));
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = Array.from(document.querySelectorAll(".plot[data-figure]"));
  let engine = null;
  let printing = false;

  // The plotting library travels compressed; it is unpacked once, when the first figure is due.
  async function unpack() {
    const binary = atob(read("plotly-gz").trim());
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.appendChild(script);
    document.getElementById("plotly-gz").remove();
    if (!window.Plotly) throw new Error("the plotting library did not start");
    return window.Plotly;
  }

  function parse(plot) {
    let text = read(plot.dataset.figure);
    const night = dark.matches && !printing;
    if (night) for (const [light, partner] of theme.partners) text = text.replaceAll(light, partner);
    const figure = JSON.parse(text);
    figure.layout.template = night ? theme.dark : theme.light;
    arrange(plot, figure.layout);
    return figure;
  }

  // Small multiples: as many columns as the width takes. Few pixels: tighter margins and no wide left edge.
  function arrange(plot, layout) {
    const width = plot.clientWidth;
    const meta = layout.meta || {};
    if (meta.min_width) plot.style.minWidth = meta.min_width + "px";
    if (meta.panels) {
      const columns = Math.min(meta.panels, width < 560 ? 1 : width < 900 ? 2 : 3);
      const rows = Math.ceil(meta.panels / columns);
      const across = 0.07, down = 0.28 / rows;
      const w = (1 - across * (columns - 1)) / columns, h = (1 - down * (rows - 1)) / rows;
      for (let i = 0; i < meta.panels; i++) {
        const end = i === 0 ? "" : String(i + 1), column = i % columns, row = rows - 1 - Math.floor(i / columns);
        layout["xaxis" + end].domain = [column * (w + across), Math.min(1, column * (w + across) + w)];
        layout["yaxis" + end].domain = [row * (h + down), Math.min(1, row * (h + down) + h)];
      }
      layout.height = meta.panel_height * rows + 40;
    }
    if (width < 480 && !meta.min_width) {
      layout.margin = Object.assign({ l: 44, r: 8, t: 12, b: 44 }, layout.margin || {});
      if (meta.legend === "wide") layout.showlegend = false;
      layout.font = Object.assign({}, layout.font, { size: 11 });
    }
  }

  const config = {
    responsive: true, displayModeBar: window.matchMedia("(hover: hover)").matches ? "hover" : false, displaylogo: false, showSendToCloud: false, showTips: false, scrollZoom: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
  };

  async function draw(plot) {
    try {
      engine = engine || unpack();
      const plotly = await engine;
      const figure = parse(plot);
      plot.querySelectorAll(".waiting").forEach((e) => e.remove());
      await plotly.react(plot, figure.data, figure.layout, config);
      plot.dataset.drawn = "yes";
    } catch (problem) {
      plot.classList.add("failed");
      plot.textContent = "This figure could not be drawn (" + problem.message + "). Figures need a browser from 2023 or "
        + "later; the tables do not.";
      plot.dataset.drawn = "failed";
    }
  }

  const redraw = () => Promise.all(plots.filter((p) => p.dataset.drawn === "yes").map(draw));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) { watcher.unobserve(entry.target); draw(entry.target); }
    }
  }, { rootMargin: "500px 0px" });
  plots.forEach((p) => watcher.observe(p));
  dark.addEventListener("change", redraw);
  let columns = document.documentElement.clientWidth;
  window.addEventListener("resize", () => {
    const now = document.documentElement.clientWidth;
    if (Math.abs(now - columns) > 120) { columns = now; redraw(); }
  });
  // What is printed is drawn first, in light colours; browsers that do not wait print what was already drawn.
  window.addEventListener("beforeprint", () => { printing = true; plots.forEach(draw); });
  window.addEventListener("afterprint", () => { printing = false; redraw(); });
})();
