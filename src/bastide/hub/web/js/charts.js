// Four small charts of a panel, by uPlot.
//
// In: series of the hub, a second a point. Out: charts that follow while they are shown.

import { make } from './dom.js';

const HEIGHT = 96;

/** `{title, name, unit, scale}` of each chart, by what is looked at. */
export function chartsOfHost(roles) {
  const service = { balancer: 'edge', web: 'web', app: 'app', database: 'database' }[roles.find((role) => role in ORDER)];
  const common = [
    { title: 'CPU', name: 'cpu', unit: '%', scale: 100 },
    { title: 'Memory', name: 'memory', unit: '%', scale: 100 },
  ];
  if (!service) return [...common, { title: 'Network in', name: 'net_in', unit: 'kB/s', scale: 0.001 }, { title: 'Network out', name: 'net_out', unit: 'kB/s', scale: 0.001 }];
  const last = service === 'database'
    ? { title: 'Connections', name: 'connections', unit: '', scale: 1 }
    : { title: 'Latency p99', name: `${service}.p99_ms`, unit: 'ms', scale: 1 };
  return [...common, { title: service === 'database' ? 'Queries' : 'Requests', name: `${service}.rate`, unit: '/s', scale: 1 }, last];
}

export function chartsOfService(service) {
  if (!service) return [];
  return [
    { title: 'Requests', name: `${service}.rate`, unit: '/s', scale: 1 },
    { title: 'Errors', name: `${service}.errors`, unit: '/s', scale: 1 },
    { title: 'Latency p50', name: `${service}.p50_ms`, unit: 'ms', scale: 1 },
    { title: 'Latency p99', name: `${service}.p99_ms`, unit: 'ms', scale: 1 },
  ];
}

const ORDER = { balancer: 0, web: 1, app: 2, database: 3 };

export class Charts {
  constructor(place, wanted, width) {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue('--soft').trim();
    const line = style.getPropertyValue('--accent').trim();
    const grid = style.getPropertyValue('--edge').trim();
    this.wanted = wanted;
    this.charts = wanted.map((chart) => {
      const holder = make('figure', { class: 'chart', 'aria-label': chart.title });
      const value = make('b');
      holder.append(make('figcaption', {}, chart.title, ' ', value));
      place.append(holder);
      const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: '10px sans-serif' };
      const options = {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { points: { show: false } },
        scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 0, 0.001) * 1.15] } },
        axes: [
          { ...axis, space: 70, size: 20, values: (_, times) => times.map((t) => new Date(t * 1000).toLocaleTimeString([], { hour12: false, hour: '2-digit', minute: '2-digit' })) },
          { ...axis, space: 28, size: 38 },
        ],
        series: [{}, { stroke: line, width: 1.5, fill: `${line}22`, spanGaps: false, points: { show: false } }],
      };
      return { plot: new window.uPlot(options, [[], []], holder), value, holder };
    });
  }

  show({ until, step_s: step, series }, host) {
    this.wanted.forEach((chart, index) => {
      const values = (series[chart.name]?.[host] ?? []).map((value) => (value === null ? null : value * chart.scale));
      const times = values.map((_, at) => until - (values.length - 1 - at) * step);
      this.charts[index].plot.setData([times, values]);
      const last = values.findLast((value) => value !== null);
      this.charts[index].value.textContent = last === undefined ? 'no data' : `${last >= 100 ? last.toFixed(0) : last.toFixed(1)} ${chart.unit}`;
      this.charts[index].holder.dataset.points = values.filter((value) => value !== null).length;
    });
  }

  destroy() { this.charts.forEach(({ plot }) => plot.destroy()); }
}
