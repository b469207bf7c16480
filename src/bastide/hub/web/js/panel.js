// The panel of what was clicked: why it exists, its figures, charts, logs, commands.
//
// In: a choice (host, flow, stack), the model. Out: a panel that follows until it is closed.

import { ask } from './api.js';
import { Charts, chartsOfHost, chartsOfService } from './charts.js';
import { $, make, say } from './dom.js';
import { age, bytes, clock, ms, percent, rate } from './format.js';

const WHY = {
  balancer: 'takes requests from the internet, ends their TLS, and passes each to a web server that is well',
  web: 'serves static files, and passes the rest to the application',
  app: 'runs your code',
  database: 'keeps the data; one is the primary, the others follow it',
  monitor: 'collects metrics, logs and events of every host, and raises alerts',
  witness: 'votes on which database is the primary, and holds no data',
};
const REFRESH_MS = 2000;

export class Panel {
  constructor(place, whiteboard, model, onClose) {
    Object.assign(this, { place, whiteboard, model, onClose });
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !this.place.hidden) this.close();
    });
  }

  open(choice) {
    this.shut();
    this.choice = choice;
    this.cameFrom = document.activeElement;
    const parts = choice.kind === 'host' ? this.host(choice.name) : choice.kind === 'flow' ? this.flow(choice.name) : this.stack(choice.names);
    const close = make('button', { type: 'button', class: 'close', 'aria-label': 'Close', onclick: () => this.close() }, '×');
    this.place.replaceChildren(close, ...parts.filter(Boolean));
    this.place.hidden = false;
    this.place.focus({ preventScroll: true });
    this.startCharts();
    this.update();
  }

  close() {
    this.shut();
    this.place.hidden = true;
    this.choice = null;
    this.cameFrom?.focus?.({ preventScroll: true });
    this.onClose();
  }

  shut() {
    clearInterval(this.timer);
    this.charts?.destroy();
    this.charts = null;
    this.whiteboard.svg.querySelectorAll('.chosen').forEach((one) => one.classList.remove('chosen'));
  }

  host(name) {
    const { roles, address } = this.model.facts.get(name);
    const card = this.whiteboard.svg.querySelector(`[data-host="${name}"]`);
    card?.classList.add('chosen');
    this.wanted = chartsOfHost(roles);
    this.of = name;
    return [
      make('h2', { id: 'panel-title' }, name),
      make('p', { class: 'state' }),
      make('p', { class: 'soft' }, `${roles.join(', ')} · ${address}`),
      make('h3', {}, 'Why it exists'),
      make('ul', { class: 'why' }, roles.map((role) => make('li', {}, `${role}: ${WHY[role] ?? role}`))),
      make('h3', {}, 'Now'),
      make('dl', { class: 'now' }),
      make('div', { class: 'charts' }),
      make('h3', {}, 'Gates in its wall'),
      make('ul', { class: 'gates' }, [...(card?.querySelectorAll('.gate') ?? [])].map((gate) => make('li', {}, make('code', {}, $('text', gate).textContent), ` ${$('title', gate).textContent}`))),
      make('h3', {}, 'Latest logs'),
      make('ol', { class: 'logs' }, make('li', { class: 'soft' }, 'loading…')),
      make('h3', {}, 'Commands'),
      commands([`bastide ssh ${name}`, `bastide logs ${name} -f`, `bastide explain ${name}`, `bastide lab kill ${name}`]),
    ];
  }

  flow(name) {
    const group = this.whiteboard.svg.querySelector(`[id="flow-${name}"]`);
    const { why, port, encryption, product, source, target } = group.dataset;
    const service = this.whiteboard.edges.find((edge) => edge.flow === name && edge.service)?.service;
    this.wanted = chartsOfService(service);
    this.of = '';
    const wire = { plain: 'plain: readable and changeable by whoever listens', tls: 'TLS: the server proves who it is', mtls: 'mutual TLS: both ends prove who they are', ssh: 'SSH' }[encryption];
    return [
      make('h2', { id: 'panel-title' }, `${source} → ${target}`),
      make('p', { class: 'soft' }, name),
      make('h3', {}, 'Why it exists'),
      make('p', { class: 'why' }, why),
      make('h3', {}, 'On the wire'),
      make('p', {}, `${product} listens on ${port}; ${wire}. Every other peer is turned away at the wall.`),
      make('h3', {}, 'Now'),
      make('dl', { class: 'now' }),
      make('div', { class: 'charts' }),
      make('h3', {}, 'Commands'),
      commands([`bastide explain ${name}`, 'bastide verify', `bastide logs ${product} -f`]),
    ];
  }

  stack(names) {
    this.wanted = [];
    const open = (name) => make('button', { type: 'button', 'data-name': name, onclick: () => this.open({ kind: 'host', name }) }, name);
    return [make('h2', { id: 'panel-title' }, `${names.length} hosts`), make('ul', { class: 'members' }, names.map((name) => make('li', {}, open(name), make('span', { 'data-of': name }))))];
  }

  startCharts() {
    const place = $('.charts', this.place);
    if (place && this.wanted.length) this.charts = new Charts(place, this.wanted, Math.max(150, (this.place.clientWidth - 44) / 2));
    const refresh = () => this.refresh().catch(() => {});
    refresh();
    this.timer = setInterval(refresh, REFRESH_MS);
  }

  async refresh() {
    const { choice } = this;
    const { then } = this.model;
    if (this.charts) {
      const found = await ask('/api/series', { name: this.wanted.map((chart) => chart.name).join(','), host: this.of, minutes: 5, until: this.model.then });
      if (this.choice === choice && this.model.then === then) this.charts?.show(found, this.of);
    }
    const list = $('.logs', this.place);
    if (!list || choice?.kind !== 'host') return;
    const { records } = await ask('/api/logs', { host: choice.name, limit: 12, since: then ? then - 900 : '15m', until: then });
    if (this.choice !== choice || this.model.then !== then) return;
    list.replaceChildren(...(records.length ? records.map(logItem) : [make('li', { class: 'soft' }, 'nothing in the last 15 minutes')]));
  }

  /** With every new state, of now or of then. */
  show(model) {
    const moved = this.model.then !== model.then;
    this.model = model;
    this.update();
    if (moved && this.choice) this.refresh().catch(() => {});
  }

  update() {
    if (!this.choice || this.place.hidden) return;
    if (this.choice.kind === 'host') this.updateHost(this.choice.name);
    else if (this.choice.kind === 'flow') this.updateFlow(this.choice.name);
    else {
      for (const one of this.place.querySelectorAll('[data-of]')) say(one, ` ${this.model.health(one.dataset.of).text}`);
    }
  }

  updateHost(name) {
    const health = this.model.health(name);
    const state = $('.state', this.place);
    state.className = `state ${health.level}`;
    say(state, `${SIGNS[health.level]} ${health.word}: ${health.text}`);
    const host = this.model.hosts.get(name);
    const gauges = host?.gauges ?? {};
    const rows = [
      ['heard of', `${age(this.model.hostAge(name))} ago`],
      ['cpu', percent(gauges.cpu)],
      ['memory', percent(gauges.memory)],
      ['disk', percent(gauges.disk)],
      ['network', `${bytes(gauges.net_in)}/s in, ${bytes(gauges.net_out)}/s out`],
      ['connections', gauges.connections ?? '–'],
      ['dropped at the wall', `${host?.dropped?.in ?? '–'} in, ${host?.dropped?.out ?? '–'} out`],
    ];
    if (host?.database) rows.push(['database', host.lag_s == null ? host.database : `${host.database}, ${host.lag_s.toFixed(1)} s behind`]);
    for (const unit of host?.failed_units ?? []) rows.push(['failed', unit]);
    define($('.now', this.place), rows);
  }

  updateFlow(name) {
    const edges = this.whiteboard.edges.filter((edge) => edge.flow === name && edge.service);
    if (!edges.length) return define($('.now', this.place), [['counted', 'not request by request']]);
    const figures = this.model.state.services[edges[0].service];
    return define($('.now', this.place), [
      ['requests', `${rate(edges.reduce((sum, edge) => sum + edge.rate, 0))}/s`],
      ['errors', percent(figures?.error_share, 1)],
      ['p50 / p99', `${ms(figures?.p50_ms)} / ${ms(figures?.p99_ms)}`],
      ['lines', edges.map((edge) => `${edge.from.join(' ') || 'internet'} → ${edge.to.join(' ')}: ${edge.inferred ? '≈ ' : ''}${rate(edge.rate)}/s`).slice(0, 12).join('; ')],
      ...(edges.some((edge) => edge.inferred) ? [['≈', 'inferred: requests are counted where they arrive, not on the way; how they divide among lines follows from what each source was asked']] : []),
    ]);
  }
}

export const SIGNS = { ok: '✓', warn: '▲', bad: '✕', stale: '◷', unseen: '○' };

export function logItem(record) {
  return make('li', { class: `priority-${record.priority}` }, make('time', {}, clock(record.t)), ' ', make('b', {}, record.unit ?? record.type), ' ', record.message);
}

function define(list, rows) {
  const keys = rows.map(([key]) => key).join();
  if (list.dataset.keys !== keys) {
    list.dataset.keys = keys;
    list.replaceChildren(...rows.flatMap(([key]) => [make('dt', {}, key), make('dd')]));
  }
  [...list.querySelectorAll('dd')].forEach((cell, index) => say(cell, String(rows[index][1])));
}

function commands(lines) {
  const copy = (line, button) => navigator.clipboard?.writeText(line).then(() => say(button, 'copied'), () => say(button, 'select it'));
  return make('ul', { class: 'commands' }, lines.map((line) => {
    const button = make('button', { type: 'button', 'aria-label': `Copy ${line}`, onclick: () => copy(line, button) }, 'copy');
    return make('li', {}, make('code', {}, line), button);
  }));
}

