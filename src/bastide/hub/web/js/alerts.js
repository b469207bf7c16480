// Alerts: what they say, whether somebody has seen them, and silencing; a comment is always asked for.

import { tell } from './api.js';
import { $, make } from './dom.js';
import { age } from './format.js';

export class Alerts {
  constructor(mayAct) {
    this.mayAct = mayAct;
    this.drawn = '';
    this.open = null;
    this.list = $('#alert-list');
  }

  /** `now`: of this moment; about what was once, nothing can be done. */
  draw(alerts, now = true) {
    const shown = alerts.filter((alert) => alert.severity !== 'none');
    const key = now + JSON.stringify(shown.map((a) => [a.fingerprint, a.state, a.acknowledged, a.summary]));
    // A form that somebody is typing into is not drawn anew under their hands.
    if (key === this.drawn || this.list.querySelector('form')) return;
    this.drawn = key;
    this.list.replaceChildren(...(shown.length ? shown.map((alert) => this.item(alert, now)) : [make('li', { class: 'soft' }, 'No alerts.')]));
  }

  item(alert, now = true) {
    const seen = alert.acknowledged;
    const silenced = alert.state === 'suppressed';
    const level = silenced ? 'unseen' : alert.severity === 'page' ? 'bad' : 'warn';
    const entry = make('li', { class: `alert ${level}`, 'data-fingerprint': alert.fingerprint },
      make('p', {}, make('span', { class: 'sign', 'aria-hidden': 'true' }, level === 'bad' ? '✕' : level === 'warn' ? '▲' : '∅'), ' ', make('b', {}, alert.name), alert.host ? ` on ${alert.host}` : '', ` · ${alert.severity} · for ${age(Date.now() / 1000 - Date.parse(alert.since) / 1000)}`, silenced ? ' · silenced' : ''),
      make('p', {}, alert.summary),
      alert.description ? make('p', { class: 'soft' }, alert.description) : null,
      seen ? make('p', { class: 'seen' }, `☑ acknowledged by ${seen.by}: ${seen.comment}`) : null);
    if (this.mayAct && now) {
      const act = (kind) => () => this.ask(entry, alert, kind);
      entry.append(make('p', { class: 'acts' },
        seen ? null : make('button', { type: 'button', class: 'acknowledge', onclick: act('acknowledge') }, 'Acknowledge'),
        silenced ? null : make('button', { type: 'button', class: 'silence', onclick: act('silence') }, 'Silence')));
    }
    return entry;
  }

  ask(entry, alert, kind) {
    entry.querySelector('form')?.remove();
    const problem = make('span', { role: 'alert' });
    const minutes = kind === 'silence'
      ? make('label', {}, 'for ', make('select', { name: 'minutes' }, [['60', '1 hour'], ['240', '4 hours'], ['1440', 'a day']].map(([value, word]) => make('option', { value }, word))))
      : null;
    const form = make('form', {},
      make('label', {}, 'Comment ', make('input', { name: 'comment', required: true, maxlength: 1000, autocomplete: 'off' })),
      minutes,
      make('button', { type: 'submit' }, kind === 'silence' ? 'Silence' : 'Acknowledge'),
      make('button', { type: 'button', onclick: () => form.remove() }, 'Cancel'),
      problem);
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const given = new FormData(form);
      const comment = given.get('comment');
      try {
        if (kind === 'silence') await tell('/api/silences', { matchers: alert.labels, minutes: Number(given.get('minutes')), comment });
        else alert.acknowledged = (await tell('/api/acknowledge', { fingerprint: alert.fingerprint, comment })).acknowledged;
        if (kind === 'silence') alert.state = 'suppressed';
        entry.replaceWith(this.item(alert));
        this.drawn = '';
      } catch (error) {
        problem.textContent = error.message;
      }
    });
    entry.append(form);
    form.elements.comment.focus();
  }
}
