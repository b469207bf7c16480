// Requests as dots on their way, failed ones as red diamonds, packets that a wall turned away.
//
// In: the whiteboard's edges with their rates. Out: moving shapes, as many as the busiest edge allows.
// Holds: the interval of dots follows the rate, scaled to the graph's maximum; never more than `most` shapes; nothing
// moves for people who asked for that, or while nobody looks. A step costs 5 to 10 ms of processor where there is no
// graphics card, whatever moves, and little with one: so there are few steps without, and none while nothing is on its way.
// What moves is in a sheet of its own above the picture, which then needs no painting.

import { makeSvg } from './dom.js';

const WITH_CARD = { most: 220, stepsPerS: 30 };
const WITHOUT = { most: 110, stepsPerS: 5 };
const GRAIN = 2;
const BUSIEST_PER_S = 5;
const QUIETEST_PER_S = 0.35;
const SPEED = 70;
const BOUNCE_S = 0.9;
const BOUNCES_PER_HOST = 4;

export class Traffic {
  constructor(whiteboard) {
    this.whiteboard = whiteboard;
    this.layer = whiteboard.svg.querySelector('#traffic');
    const sheet = whiteboard.svg.cloneNode(false);
    sheet.removeAttribute('role');
    sheet.removeAttribute('id');
    sheet.setAttribute('aria-hidden', 'true');
    sheet.classList.add('sheet');
    sheet.append(this.layer);
    whiteboard.svg.after(sheet);
    this.moving = [];
    this.reduced = window.matchMedia('(prefers-reduced-motion: reduce)');
    this.last = performance.now();
    this.pace = hasCard() ? WITH_CARD : WITHOUT;
    setInterval(() => this.tick(), 1000 / this.pace.stepsPerS);
  }

  /** Packets that walls dropped since the last state. */
  bounce(model) {
    if (this.reduced.matches) return;
    for (const [name, card] of this.whiteboard.cards) {
      const count = Math.min(BOUNCES_PER_HOST, model.dropped(name));
      for (let index = 0; index < count; index += 1) this.addBounce(card, index, model.verifying());
    }
  }

  addBounce(card, index, probe) {
    if (this.moving.length >= this.pace.most) return;
    const box = card.querySelector('.wall').getBBox();
    const shape = makeSvg('circle', { class: probe ? 'bounced probe' : 'bounced', r: 3.5 });
    this.layer.append(shape);
    this.moving.push({ shape, bounce: { x: box.x, y: box.y + 14 + ((index * 23) % 40) }, age: -index * 0.15, life: BOUNCE_S });
  }

  tick() {
    const now = performance.now();
    // After a while without steps (a tab that nobody saw) the dots go on from where they were.
    const seconds = Math.min(0.5, (now - this.last) / 1000);
    this.last = now;
    if (document.hidden) return;
    if (this.reduced.matches) {
      this.clear();
      return;
    }
    this.emit(seconds);
    if (this.moving.length) requestAnimationFrame(() => this.step(seconds));
  }

  emit(seconds) {
    const edges = this.whiteboard.edges.filter((edge) => edge.service);
    const most = Math.max(0, ...edges.map((edge) => edge.rate));
    for (const edge of edges) {
      if (edge.rate <= 0) continue;
      const perSecond = Math.max(QUIETEST_PER_S, (edge.rate / most) * BUSIEST_PER_S);
      edge.due = (edge.due ?? Math.random()) + seconds * perSecond;
      if (edge.due < 1) continue;
      edge.due %= 1;
      if (this.moving.length < this.pace.most) this.addDot(edge);
    }
  }

  addDot(edge) {
    // The share is spread evenly instead of drawn: one in a hundred shows once in a hundred dots.
    edge.owed = (edge.owed ?? 0.5) + edge.errors;
    const error = edge.owed >= 1;
    if (error) edge.owed -= 1;
    const shape = error
      ? makeSvg('path', { class: 'dot error', d: 'M0 -5.500 5.500 0 0 5.500 -5.500 0z' })
      : makeSvg('circle', { class: `dot ${edge.encryption}`, r: 3 });
    this.layer.append(shape);
    this.moving.push({ shape, edge, age: 0, life: Math.max(0.5, edge.length / SPEED) });
  }

  step(seconds) {
    this.moving = this.moving.filter((one) => {
      one.age += seconds;
      if (one.age >= one.life) {
        one.shape.remove();
        return false;
      }
      const share = Math.max(0, one.age / one.life);
      const { x, y } = one.edge ? along(one.edge, share) : bounced(one.bounce, share);
      one.shape.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      if (one.bounce) one.shape.setAttribute('opacity', share < 0.5 ? 1 : 2 - 2 * share);
      return true;
    });
  }

  clear() {
    this.moving.forEach((one) => one.shape.remove());
    this.moving = [];
  }
}

/** A point of an edge; looked up, since asking the path each time costs more than all the rest. */
function along(edge, share) {
  const count = Math.ceil(edge.length / GRAIN);
  edge.points ??= Array.from({ length: count + 1 }, (_, index) => edge.path.getPointAtLength((edge.length * index) / count));
  return edge.points[Math.round(share * count)];
}

/** Whether drawing is done by a graphics card; browsers refuse this where it would be slow. */
function hasCard() {
  const canvas = document.createElement('canvas');
  const drawing = canvas.getContext('webgl', { failIfMajorPerformanceCaveat: true });
  const told = drawing?.getExtension('WEBGL_debug_renderer_info');
  const name = drawing ? String(drawing.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : drawing.RENDERER)) : '';
  drawing?.getExtension('WEBGL_lose_context')?.loseContext();
  return drawing !== null && !/swiftshader|llvmpipe|software|basic render/i.test(name);
}

/** Towards the wall, and back downwards. */
function bounced({ x, y }, share) {
  const away = Math.abs(share - 0.5) * 2;
  return { x: x - 4 - away * 34, y: share < 0.5 ? y : y + (share - 0.5) * 36 };
}
