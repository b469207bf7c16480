// What happened in the last hour: deploys, alerts, failovers, failures; as marks on a bar and as a list.

import { ask } from './api.js';
import { $, make } from './dom.js';
import { clock } from './format.js';

const SPAN_S = 3600;
const SHOWN = 60;
const SIGNS = { deploy: '⬆', vip: '⇄', 'unit-failed': '✕', 'unit-started': '✓', alert: '▲', acknowledged: '☑', silenced: '∅', certificate: '✉', agent: '◆', drift: '≠', spool: '▤', login: '⇥', verify: '◈', drill: '⚡' };

export class Timeline {
  constructor(model, onMoment) {
    this.model = model;
    this.onMoment = onMoment;
    this.drawn = '';
  }

  async load() {
    const { events } = await ask('/api/timeline', { since: '1h', limit: 200 });
    events.forEach((event) => this.model.noteEvent(event));
    this.draw();
  }

  draw() {
    const now = Date.now() / 1000;
    const events = this.model.events.filter((event) => event.type !== 'firewall-drop' && event.t > now - SPAN_S);
    const key = `${events.length} ${events[0]?.host} ${events[0]?.seq} ${Math.floor(now / 10)}`;
    if (key === this.drawn) return;
    this.drawn = key;
    $('#timeline-bar').replaceChildren(...events.slice(0, SHOWN).map((event) => mark(event, now)));
    $('#event-list').replaceChildren(...(events.length ? events.slice(0, SHOWN).map((event) => item(event, this.onMoment)) : [make('li', { class: 'soft' }, 'Nothing happened in the last hour.')]));
  }
}

const kind = (event) => (event.priority <= 3 ? 'bad' : event.priority === 4 ? 'warn' : 'ok');
const where = (event) => (event.host.startsWith('_') ? '' : event.host);
const identity = (event) => `event-${event.host}-${event.seq}`;

function mark(event, now) {
  const text = `${clock(event.t)} ${where(event)} ${event.message}`;
  const button = make('button', { type: 'button', class: `mark ${kind(event)}`, title: text, 'aria-label': text, onclick: () => point(event) }, SIGNS[event.type] ?? '·');
  button.style.left = `${(100 * (1 - (now - event.t) / SPAN_S)).toFixed(2)}%`;
  return button;
}

/** What was pointed at stays so when the list is drawn anew. */
let pointed = '';

function point(event) {
  pointed = identity(event);
  const entry = document.getElementById(pointed);
  entry?.scrollIntoView({ block: 'nearest' });
  document.querySelectorAll('#event-list .pointed').forEach((one) => one.classList.remove('pointed'));
  entry?.classList.add('pointed');
}

function item(event, onMoment) {
  const when = onMoment ? make('button', { type: 'button', title: 'Show this moment', onclick: () => onMoment(event.t) }, clock(event.t)) : clock(event.t);
  return make('li', { id: identity(event), class: `${kind(event)}${identity(event) === pointed ? ' pointed' : ''}` }, make('time', {}, when), ' ', make('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[event.type] ?? '·'), ' ', make('b', {}, where(event)), ' ', event.message);
}
