"use strict";
(() => {
  const token = location.hash.slice(1);
  const byId = (id) => document.getElementById(id);
  const say = (text) => { if (byId("notice").textContent !== text) byId("notice").textContent = text; };
  const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const count = (value) => whole.format(value);
  const perSecond = (value) => `${count(value)}/s`;
  const seconds = (value) => `${value.toFixed(1)} s`;
  const element = (name, kind, text) => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // The numbers at the top.
  const numbers = (now) => {
    const shown = [
      ["asked, sent, ok", [now.rates.asked, now.rates.sent, now.rates.ok].map(perSecond).join(" · ")],
      ["done of planned", `${count(now.ok + now.failed)} of ${count(now.planned)}`],
      ["open", count(now.open)],
      ["failed", count(now.failed)],
    ];
    byId("numbers").replaceChildren(...shown.map(([name, value]) => {
      const row = element("div");
      row.append(element("dt", "", name), element("dd", "", value));
      return row;
    }));
  };

  const states = { established: "established", time_wait: "TIME_WAIT", other: "other" };
  const svg = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const course = (shares) => {
    const frame = svg("svg", { viewBox: "0 0 59 1", preserveAspectRatio: "none", "aria-hidden": "true" });
    const points = shares.map((share, at) => `${at},${1 - 0.96 * Math.min(1, share) - 0.02}`).join(" ");
    frame.append(svg("polyline", { points }));
    return frame;
  };
  const hopRow = (hop) => {
    const row = element("li");
    const used = hop.established + hop.time_wait + hop.other;
    const said = element("div", "said");
    said.append(
      element("strong", "", hop.name),
      element("span", "", `${count(used)} of ${count(hop.budget)} tuples · ${hop.outlook}`),
    );
    const bar = element("div", "used");
    for (const state of Object.keys(states)) {
      const part = element("span", state);
      part.style.width = `${hop.budget ? 100 * hop[state] / hop.budget : 0}%`;
      bar.append(part);
    }
    const words = Object.entries(states).map(([state, name]) => `${count(hop[state])} ${name}`).join(", ");
    row.append(said, bar, element("div", "legend", words), course(hop.course));
    return row;
  };

  const now = (told) => {
    byId("title").textContent = told.title;
    document.title = `${told.title}: ${told.state}`;
    const phase = told.phase ? ` ${told.phase}` : "";
    byId("standing").textContent =
      `${told.state}${phase} · ${seconds(told.elapsed_s)} gone, ${seconds(told.left_s)} left`;
    numbers(told);
    byId("hops").replaceChildren(...told.hops.map(hopRow));
    byId("stop").hidden = told.state !== "running" && told.state !== "starting";
    if (byId("stop").hidden) byId("stop-now").hidden = true;
  };

  // Charts: only those in sight are drawn again, so that looking costs as little as it can.
  const figures = new Map();
  const inSight = new Set();
  const nested = (flat) => {
    const made = {};
    for (const [path, value] of Object.entries(flat)) {
      const names = path.split(".");
      const last = names.pop();
      let inner = made;
      for (const name of names) inner = inner[name] ??= {};
      inner[last] = value;
    }
    return made;
  };
  const merged = (under, over) => {
    const made = { ...under };
    for (const [name, value] of Object.entries(over)) {
      const both = value && typeof value === "object" && made[name] && typeof made[name] === "object";
      made[name] = both ? merged(made[name], value) : value;
    }
    return made;
  };
  const draw = (frame) => {
    const figure = figures.get(frame.dataset.chart);
    if (!figure || frame.drawnFigure === figure) return;
    frame.drawnFigure = figure;
    window.portchurn.nameCells(figure);
    const layout = merged({ ...figure.layout, uirevision: "live" }, nested(window.portchurn.themed()));
    Plotly.react(frame.querySelector(".drawn"), figure.data, layout, {
      responsive: true, displaylogo: false, plotlyServerURL: "",
      modeBarButtonsToRemove: ["lasso2d", "select2d", "sendDataToCloud"],
    }).then(() => { frame.dataset.drawn = "1"; });
  };
  const watcher = new IntersectionObserver((seen) => {
    for (const one of seen) {
      if (one.isIntersecting) { inSight.add(one.target); draw(one.target); } else inSight.delete(one.target);
    }
  }, { rootMargin: "200px" });
  const frameOf = (chart) => {
    const found = byId(`chart-${chart.name}`);
    if (found) return found;
    const frame = element("figure", "chart");
    frame.id = `chart-${chart.name}`;
    frame.dataset.chart = chart.name;
    const caption = element("figcaption");
    caption.append(element("strong"), " ", element("span"));
    frame.append(caption, element("div", "drawn"));
    watcher.observe(frame);
    return frame;
  };
  const showChart = (chart, at) => {
    const frame = frameOf(chart);
    const [title, says] = frame.querySelector("figcaption").children;
    title.textContent = chart.title;
    says.textContent = chart.says;
    figures.set(chart.name, chart.figure);
    const all = byId("charts").children;
    if (all[at] !== frame) byId("charts").insertBefore(frame, all[at] ?? null);
    if (inSight.has(frame) && !document.hidden) draw(frame);
  };
  // Markup comes from the report's own writers, which escape all text, under a policy that runs
  // no script but the files of this page.
  const fill = (id, markup) => {
    const place = byId(id);
    if (place.markup === markup) return;
    place.markup = markup;
    place.innerHTML = markup;
    // Read out every second, a verdict so far would let nobody hear anything else.
    for (const said of place.querySelectorAll("[role=status]")) said.removeAttribute("role");
  };
  const picture = (told) => {
    byId("under").textContent = told.under;
    fill("verdict", told.verdict);
    fill("change", told.change);
    fill("trust", told.trust);
    told.charts.forEach(showChart);
    const names = new Set(told.charts.map((chart) => chart.name));
    for (const frame of [...byId("charts").children]) {
      if (names.has(frame.dataset.chart)) continue;
      watcher.unobserve(frame);
      inSight.delete(frame);
      frame.remove();
    }
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) inSight.forEach(draw); });

  // News.
  let hasEnded = false;
  const end = () => {
    hasEnded = true;
    byId("stop").hidden = byId("stop-now").hidden = true;
    say("The run has ended; this page has its last numbers, and is served no more.");
  };
  const kinds = { now, picture, end };
  const shown = { Authorization: `Bearer ${token}` };
  const listen = async () => {
    const answer = await fetch("/events", { headers: shown, cache: "no-store" });
    if (answer.status === 401) {
      hasEnded = true;
      say("This address lacks the run's token: open the whole link that was printed.");
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    say("");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      const pieces = (rest + value).split("\n\n");
      rest = pieces.pop();
      for (const piece of pieces) for (const told of JSON.parse(piece.slice("data: ".length))) kinds[told.is](told);
    }
  };
  const follow = async () => {
    for (let tries = 0; !hasEnded && tries < 20; tries += 1) {
      try { await listen(); } catch { /* tried again below */ }
      if (!hasEnded) {
        say("The page hears nothing from the run; trying again.");
        await new Promise((done) => { setTimeout(done, 1000); });
      }
    }
    if (!hasEnded) say("The run is gone.");
  };

  byId("stop").addEventListener("click", () => {
    byId("stop-now").hidden = !byId("stop-now").hidden;
    if (!byId("stop-now").hidden) byId("stop-now").focus();
  });
  byId("stop-now").addEventListener("click", async () => {
    byId("stop-now").hidden = true;
    const answer = await fetch("/stop", { method: "POST", headers: shown }).catch(() => null);
    say(answer === null ? "The run could not be reached." : await answer.text());
  });
  follow();
})();
