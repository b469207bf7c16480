// Going back in time: the picture, the verdict and the figures as they were, clearly marked, and one click back to live.
//
// In: the slider under the timeline, moments of events. Out: `now()`, the model to draw: of then, or the live one.
// Holds: what is shown is what the hub itself showed at that moment; the live state goes on behind it, unseen.

import { ask } from './api.js';
import { $, say } from './dom.js';
import { age, clock } from './format.js';
import { Model } from './model.js';

export class Then {
  constructor(full, live, onChange) {
    Object.assign(this, { full, live, onChange });
    this.past = null;
    this.wanted = 0;
    this.slider = $('#scrub');
    this.slider.addEventListener('input', () => this.slid());
    $('#live').addEventListener('click', () => this.leave());
  }

  /** What is to be drawn. */
  now() { return this.past ?? this.live; }

  slid() {
    const ago = -Number(this.slider.value);
    if (ago === 0) this.leave();
    else this.go(Date.now() / 1000 - ago);
  }

  async go(t) {
    // Whoever drags the slider asks for many moments: the last one counts.
    this.wanted += 1;
    const mine = this.wanted;
    try {
      const found = await ask('/api/then', { t: t.toFixed(0) });
      if (mine !== this.wanted) return;
      this.past ??= new Model(this.full);
      this.past.takeThen(found.state, found.t);
      this.since = found.since;
      this.problem = '';
    } catch (error) {
      if (mine !== this.wanted) return;
      this.past = null;
      this.problem = error.message;
    }
    this.onChange();
  }

  leave() {
    this.wanted += 1;
    this.past = null;
    this.problem = '';
    this.slider.value = 0;
    this.onChange();
  }

  /** With every second: how long ago then is, and where the slider stands. */
  draw() {
    const banner = $('#then');
    banner.hidden = !this.past && !this.problem;
    document.documentElement.classList.toggle('then', Boolean(this.past));
    if (this.past) {
      const ago = Date.now() / 1000 - this.past.then;
      say($('.text', banner), `Then: ${clock(this.past.then)}, ${age(ago)} ago. All that is shown was so at that moment.`);
      // Not under the hand that holds it.
      if (document.activeElement !== this.slider) this.slider.value = -ago;
      say($('#scrub-at'), clock(this.past.then));
    } else {
      if (this.problem) say($('.text', banner), `${this.problem}. What is shown is live.`);
      say($('#scrub-at'), 'now');
    }
  }
}
