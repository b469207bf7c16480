// Plots of a drill's report: SERIES holds, by scenario, lists over seconds from the fault.
(() => {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const make = (tag, parent, text) => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    parent.append(element);
    return element;
  };
  const band = (fault) => ({
    hooks: {
      drawClear: [(plot) => {
        const [from, to] = fault.map((at) => plot.valToPos(at, 'x', true));
        plot.ctx.fillStyle = colour('--fault');
        plot.ctx.fillRect(from, plot.bbox.top, to - from, plot.bbox.height);
      }],
    },
  });
  function draw(place, series) {
    place.replaceChildren();
    const width = place.clientWidth;
    const axis = { stroke: colour('--soft'), grid: { stroke: colour('--edge'), width: 1 }, ticks: { show: false }, font: '11px sans-serif' };
    const chart = (title, lines, unit) => {
      const figure = make('figure', place);
      const caption = make('figcaption', figure, title);
      for (const line of lines) {
        make('span', caption).className = 'key';
        caption.lastChild.style.background = line.colour;
        caption.append(line.label);
      }
      new uPlot({
        width, height: 150, legend: { show: false }, cursor: { points: { show: false } },
        plugins: [band(series.fault)],
        scales: { x: { time: false, range: () => series.span }, y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
        axes: [{ ...axis, size: 24, values: (_, at) => at.map((second) => `${second} s`) }, { ...axis, size: 56, values: (_, at) => at.map((value) => `${value}${unit}`) }],
        series: [{}, ...lines.map((line) => ({ stroke: line.colour, fill: line.fill && `${line.colour}22`, width: 1.5, points: { show: false } }))],
      }, [series.x, ...lines.map((line) => line.values)], figure);
    };
    const ok = colour('--ok'), bad = colour('--bad'), accent = colour('--accent'), warn = colour('--warn');
    chart('Reads a second (shaded: the fault)', [
      { label: 'answered', values: series.answered, colour: ok, fill: true }, { label: 'failed', values: series.failed, colour: bad, fill: true }], '');
    chart('Time to an answer', [
      { label: 'half of them within', values: series.p50_ms, colour: accent }, { label: 'the slowest', values: series.worst_ms, colour: warn }], ' ms');
    if (series.written) chart('Writes a second', [
      { label: 'acknowledged', values: series.written, colour: ok, fill: true }, { label: 'refused or unanswered', values: series.unwritten, colour: bad, fill: true }], '');
    const hosts = Object.entries(series.writable);
    if (hosts.length) make('figcaption', place, 'Which database took writes');
    const [from, to] = series.span;
    for (const [host, spans] of hosts) {
      const row = make('div', place);
      row.className = 'eyes';
      make('span', row, host);
      const put = (tag, a, b) => {
        const piece = make(tag, row);
        piece.style.left = `${100 * (a - from) / (to - from)}%`;
        piece.style.width = `${100 * (b - a) / (to - from)}%`;
      };
      for (const [a, b] of spans) put('i', Math.max(a, from), Math.min(b, to));
      put('b', ...series.fault);
    }
  }
  const drawAll = () => document.querySelectorAll('[data-scenario]').forEach((place) => SERIES[place.dataset.scenario] && draw(place, SERIES[place.dataset.scenario]));
  drawAll();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
})();
