// The picture, brought to life: states, the virtual address, the crown, rates of flows.
//
// In: the SVG of the controller and the model. Out: changes of classes, texts and places.
// Holds: shape and text change with every state, colour only follows; a host that is not heard of is never green.

import { makeSvg, say, $, $$ } from './dom.js';
import { rate } from './format.js';

/** Which service's counters tell how busy an edge is, by the tier that it leads to. */
export const SERVICE_OF = { balancer: 'edge', web: 'web', app: 'app', database: 'database' };

export class Whiteboard {
  constructor(place, svgText, onChoose) {
    // Inline styles are refused by the page's policy; the same rules as a sheet of our own are not.
    const [, before, rules, after] = svgText.match(/^([^]*?)<style>([^]*?)<\/style>([^]*)$/);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(rules);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const parsed = new DOMParser().parseFromString(before + after, 'image/svg+xml');
    this.svg = document.importNode(parsed.documentElement, true);
    place.replaceChildren(this.svg);
    this.cards = new Map($$('.host[data-host]', this.svg).map((card) => [card.dataset.host, card]));
    this.pips = new Map($$('.pip[data-host]', this.svg).map((pip) => [pip.dataset.host, pip]));
    this.stacks = $$('.host.stack', this.svg);
    this.edges = this.readEdges();
    this.home = new Map();
    this.listen(onChoose);
  }

  readEdges() {
    return $$('.flow .edge', this.svg).map((path) => {
      const flow = path.closest('.flow');
      return {
        path,
        tip: path.nextElementSibling?.classList.contains('tip') ? path.nextElementSibling : null,
        flow: flow.dataset.flow,
        encryption: flow.dataset.encryption,
        service: flow.dataset.port === 'vrrp' ? undefined : requestService(flow),
        sourceTier: flow.dataset.source,
        from: words(path.dataset.from),
        to: words(path.dataset.to),
        length: path.getTotalLength(),
        rate: 0,
        errors: 0,
      };
    });
  }

  listen(onChoose) {
    const choose = (event) => {
      const host = event.target.closest('[data-host]');
      const badge = event.target.closest('.badge');
      const flow = event.target.closest('.flow');
      const stack = event.target.closest('.stack');
      if (host) onChoose({ kind: 'host', name: host.dataset.host });
      else if (stack) onChoose({ kind: 'stack', names: words(stack.dataset.hosts) });
      else if (badge || flow) onChoose({ kind: 'flow', name: (badge ?? flow).closest('.flow').dataset.flow });
      else return false;
      return true;
    };
    this.svg.addEventListener('click', choose);
    this.svg.addEventListener('keydown', (event) => {
      if ((event.key === 'Enter' || event.key === ' ') && choose(event)) event.preventDefault();
    });
  }

  update(model) {
    for (const [name, card] of this.cards) this.updateCard(card, name, model);
    for (const [name, pip] of this.pips) {
      const health = model.health(name);
      setLevel(pip, health);
      say($('title', pip), `${name}: ${health.text}`);
    }
    for (const stack of this.stacks) this.updateStack(stack, model);
    this.updateVip(model);
    this.updateCrown(model);
    this.updateEdges(model);
  }

  updateCard(card, name, model) {
    const health = model.health(name);
    setLevel(card, health);
    setMark(card.querySelector(':scope > .mark'), health.level);
    fit(card.querySelector(':scope > .note'), health.text, card.querySelector(':scope > .card').width.baseVal.value - 20);
    put(card, 'aria-label', `host ${name}: ${health.word}, ${health.text}`);
    const failed = new Set(model.hosts.get(name)?.failed_units ?? []);
    const heard = health.level === 'ok' || health.level === 'warn';
    for (const chip of $$('.chip', card)) {
      const level = !heard ? 'unseen' : failed.has(chip.dataset.unit) ? 'bad' : 'ok';
      put(chip, 'class', `chip ${level}`);
      setMark($('.mark', chip), level);
    }
  }

  updateStack(stack, model) {
    const counts = { ok: 0, other: 0 };
    let worst = 'ok';
    for (const name of words(stack.dataset.hosts)) {
      const { level } = model.health(name);
      counts[level === 'ok' ? 'ok' : 'other'] += 1;
      if (RANK[level] > RANK[worst]) worst = level;
    }
    setLevel(stack, { level: worst });
    setMark(stack.querySelector(':scope > .mark'), worst);
    say(stack.querySelector(':scope > .note'), counts.other ? `${counts.ok} well, ${counts.other} not` : `all ${counts.ok} well`);
  }

  updateVip(model) {
    const chip = $('#vip', this.svg);
    if (!chip || !model.state.virtual_ip) return;
    const holders = model.state.virtual_ip.holders.filter((name) => model.fresh(name));
    chip.classList.toggle('lost', holders.length !== 1);
    const place = holders[0] ?? chip.dataset.holder ?? chip.dataset.home;
    this.move(chip, place);
    chip.dataset.holder = holders[0] ?? '';
    say($('title', chip), holders.length === 1 ? `virtual address, held by ${holders[0]}` : holders.length ? `held by ${holders.join(' and ')}` : 'nobody is known to hold it');
    for (const edge of this.edges) {
      if (edge.sourceTier !== 'internet') continue;
      const active = edge.to.includes(place);
      edge.path.classList.toggle('standby', !active);
      edge.path.classList.toggle('main', active);
      edge.tip?.classList.toggle('standby', !active);
    }
  }

  updateCrown(model) {
    const crown = $('#crown', this.svg);
    if (!crown || !model.state.database) return;
    const primaries = model.state.database.primaries.filter((name) => model.fresh(name));
    crown.classList.toggle('lost', primaries.length !== 1);
    const primary = primaries[0] ?? (crown.dataset.holder || crown.dataset.home);
    this.move(crown, primary);
    crown.dataset.holder = primary;
    say($('title', crown), primaries.length === 1 ? `primary database: ${primary}` : primaries.length ? `primaries: ${primaries.join(', ')}` : 'no database is known to be primary');
    this.updateReplication(model, primary);
  }

  /** Replicas follow whoever is primary: the same lines, drawn from there. */
  updateReplication(model, primary) {
    const lines = this.edges.filter((edge) => edge.flow === 'database-replication');
    const replicas = [...this.cards.keys()].filter((name) => name !== primary && this.cards.get(name).dataset.roles.split(' ').includes('database'));
    lines.forEach((edge, index) => {
      const replica = replicas[index];
      if (!replica) return;
      edge.from = [primary];
      edge.to = [replica];
      const [start, end] = [this.behind(primary), this.behind(replica)];
      if (start && end) {
        const reach = Math.max(start.x, end.x) + 26;
        edge.path.setAttribute('d', `M${start.x} ${start.y}C${reach} ${start.y} ${reach} ${end.y} ${end.x + 3} ${end.y}`);
        edge.tip?.setAttribute('d', `M${end.x + 1} ${end.y}l8 -4v8z`);
      }
      const lag = model.hosts.get(replica)?.lag_s;
      this.label(edge, model.fresh(replica) && lag != null ? `${lag.toFixed(1)} s` : '?');
    });
  }

  behind(name) {
    const wall = this.cards.get(name)?.querySelector('.wall')?.getBBox();
    return wall ? { x: wall.x + wall.width, y: wall.y + 65 } : null;
  }

  label(edge, text) {
    if (!edge.lag) {
      edge.lag = makeSvg('text', { class: 'lag' });
      this.svg.append(edge.lag);
    }
    const box = edge.path.getBBox();
    edge.lag.setAttribute('x', box.x + box.width);
    edge.lag.setAttribute('y', box.y + box.height / 2 + 24);
    edge.lag.setAttribute('data-replica', edge.to[0]);
    say(edge.lag, text);
  }

  move(chit, host) {
    const [from, to] = [this.cards.get(chit.dataset.home), this.cards.get(host)];
    if (!from || !to) return;
    const [x, y] = [to.dataset.x - from.dataset.x, to.dataset.y - from.dataset.y];
    chit.style.transform = `translate(${x}px,${y}px)`;
  }

  updateEdges(model) {
    const totals = new Map();
    for (const edge of this.edges) {
      if (!edge.service) continue;
      edge.rate = edgeRate(edge, model);
      edge.inferred = isInferred(edge, model);
      edge.errors = Math.max(0, ...edge.to.map((name) => model.errorShare(name, edge.service)));
      edge.path.classList.toggle('idle', edge.rate === 0);
      totals.set(edge.flow, (totals.get(edge.flow) ?? 0) + edge.rate);
    }
    for (const [flow, total] of totals) say(this.svg.querySelector(`[id="rate-${flow}"]`), `${rate(total)}/s`);
    const inferred = this.edges.some((edge) => edge.service && edge.inferred && edge.rate > 0);
    this.svg.classList.toggle('inferred', inferred);
  }
}

const RANK = { ok: 0, unseen: 1, stale: 2, warn: 3, bad: 4 };

/**
 * What arrives is counted, at the target. From which of several sources it came is not: it is divided among them in
 * proportion to what they themselves were asked, and evenly while that is not known.
 */
function edgeRate(edge, model) {
  const sum = (names, service) => names.reduce((total, name) => total + model.rate(name, service), 0);
  const arriving = sum(edge.to, edge.service);
  if (!edge.from.length) return arriving;
  const service = SERVICE_OF[edge.sourceTier];
  const tier = sources(edge, model);
  const all = sum(tier, service);
  return all > 0 ? (arriving * sum(edge.from, service)) / all : (arriving * edge.from.length) / tier.length;
}

/** Whether a line's own rate is worked out from counts at both ends rather than counted itself. */
function isInferred(edge, model) { return edge.from.length > 0 && sources(edge, model).length > edge.from.length; }

function sources(edge, model) {
  return [...model.facts].filter(([, fact]) => fact.roles.includes(edge.sourceTier)).map(([name]) => name);
}

function requestService(flow) {
  const next = { internet: 'balancer', balancer: 'web', web: 'app', app: 'database' };
  return next[flow.dataset.source] === flow.dataset.target ? SERVICE_OF[flow.dataset.target] : undefined;
}

function setLevel(element, { level, dead }) {
  // Each change of a class has the browser look at all that is below it.
  if (element.classList.contains(level) && element.classList.contains('dead') === Boolean(dead)) return;
  element.classList.remove('ok', 'warn', 'bad', 'stale', 'unseen', 'dead');
  element.classList.add(level);
  if (dead) element.classList.add('dead');
}

function setMark(mark, level) {
  if (mark) put(mark, 'href', `#bastide-mark-${level}`);
}

function put(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Text never leaves its card. */
function fit(line, text, width) {
  if (line.dataset.said === text) return;
  line.dataset.said = text;
  line.textContent = text;
  for (let end = text.length - 1; end > 0 && line.getComputedTextLength() > width; end -= 1) line.textContent = `${text.slice(0, end)}…`;
}

function words(text) { return text ? text.split(' ') : []; }

