// The search page of logs.
//
// In: the form. Out: a table, the newest first; what is searched stands in the address, so that it can be sent around.

import { ask } from './api.js';
import { $, make, say } from './dom.js';
import { bytes } from './format.js';

export class Logs {
  constructor(hosts) {
    this.form = $('#log-form');
    $('select[name=host]', this.form).append(...hosts.map((name) => make('option', { value: name }, name)));
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.search();
    });
  }

  /** Called when the page is shown. */
  show(parameters) {
    for (const [key, value] of parameters) {
      const field = this.form.elements.namedItem(key);
      if (field?.type === 'checkbox') field.checked = value === '1';
      else if (field) field.value = value;
    }
    this.search();
  }

  async search() {
    // Answers may come in another order than they were asked for: the last question counts.
    this.wanted = (this.wanted ?? 0) + 1;
    const mine = this.wanted;
    const wanted = Object.fromEntries(new FormData(this.form));
    const address = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
    history.replaceState(null, '', `#logs?${address}`);
    const summary = $('#log-summary');
    say(summary, 'searching…');
    const body = $('#log-table tbody');
    try {
      const found = await ask('/api/logs', { ...wanted, limit: 300 });
      if (mine !== this.wanted) return;
      body.replaceChildren(...found.records.map(row));
      const { lines, bytes: size, seconds } = found.scanned;
      const partly = found.complete ? '' : ' The search ran out of time: narrow it.';
      say(summary, `${found.records.length} ${found.records.length === 1 ? 'record' : 'records'}; ${lines.toLocaleString('en')} lines (${bytes(size)}) read in ${(seconds * 1000).toFixed(0)} ms.${partly}`);
    } catch (error) {
      if (mine !== this.wanted) return;
      body.replaceChildren();
      say(summary, error.message);
    }
  }
}

function row(record) {
  const when = new Date(record.t * 1000);
  const time = `${when.toLocaleDateString([], { month: 'short', day: 'numeric' })} ${when.toLocaleTimeString([], { hour12: false })}`;
  const level = record.priority <= 3 ? 'error' : record.priority === 4 ? 'warning' : '';
  return make('tr', { class: level }, make('td', {}, time), make('td', {}, record.host.replace(/^_/, '')), make('td', {}, record.unit ?? record.type), make('td', {}, level ? `${level}: ` : '', record.message));
}
