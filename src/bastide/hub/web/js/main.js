// The page: log in, draw the picture, follow the stream.
//
// Holds: the verdict is the hub's own sentence while its state is fresh, and says so when it is not.

import { Alerts } from './alerts.js';
import { Refused, ask, fetchPicture, readSession, tell } from './api.js';
import { $, $$, make, say } from './dom.js';
import { age, clock, ms, percent, rate } from './format.js';
import { Logs } from './logs.js';
import { DEAD_S, Model, STALE_S } from './model.js';
import { Panel, SIGNS } from './panel.js';
import { watchStream } from './stream.js';
import { Then } from './then.js';
import { Timeline } from './timeline.js';
import { Traffic } from './traffic.js';
import { Whiteboard } from './whiteboard.js';

const TV = document.documentElement.dataset.tv !== undefined;
const THEME = 'bastide-theme';

async function begin() {
  setTheme(localStorage.getItem(THEME));
  $('#theme')?.addEventListener('click', () => setTheme(isDark() ? 'light' : 'dark', true));
  $('#login-form')?.addEventListener('submit', (event) => {
    event.preventDefault();
    logIn($('#token').value.trim());
  });
  $('#logout')?.addEventListener('click', async () => {
    await tell('/api/logout', {});
    location.assign('/');
  });
  const key = new URLSearchParams(location.hash.slice(1)).get('login');
  if (key) {
    // It works once, and is out of the address before anything else happens.
    history.replaceState(null, '', location.pathname);
    await logIn(key);
    return;
  }
  const session = await readSession();
  if (session) await start(session);
  else showLogin();
}

async function logIn(token) {
  try {
    await tell('/api/login', { token });
    await start(await readSession());
  } catch (error) {
    showLogin(error.message);
  }
}

function showLogin(problem = '') {
  if (TV) return location.assign('/');
  $('#app').hidden = true;
  $('#login').hidden = false;
  say($('#login-error'), problem);
  say($('#verdict .text'), 'Not logged in');
  $('#token').focus();
  return undefined;
}

async function start(session) {
  const [full, picture] = await Promise.all([ask('/api/state'), fetchPicture()]);
  $('#app').hidden = false;
  if (!TV) $('#login').hidden = true;
  const model = new Model(full);
  document.title = `${model.name} · Bastide`;
  say($('#project'), model.name);
  let panel = null;
  const whiteboard = new Whiteboard($('#whiteboard'), picture, (choice) => panel?.open(choice));
  if (!TV) panel = new Panel($('#panel'), whiteboard, model, () => {});
  const traffic = new Traffic(whiteboard);
  const alerts = TV ? null : new Alerts(session.role === 'operator');
  let connected = true;
  const draw = () => {
    const shown = then?.now() ?? model;
    then?.draw();
    showVerdict(shown, connected);
    showFigures(shown);
    whiteboard.update(shown);
    panel?.show(shown);
    alerts?.draw(shown.state.alerts, !shown.then);
    timeline.draw();
  };
  const then = TV ? null : new Then(full, model, draw);
  const timeline = new Timeline(model, then && ((t) => then.go(t)));
  if (!TV) startViews([...model.facts.keys()]);
  draw();
  watchStream({
    onState(state, at) {
      connected = true;
      model.take(state, at);
      if (!then?.past) traffic.bounce(model);
      draw();
    },
    onLink(now) {
      connected = now;
      draw();
    },
    onRefused: () => location.assign('/'),
  });
  // Ages grow even when nothing comes.
  setInterval(() => model.silence() > 1.2 && draw(), 1000);
  await timeline.load().catch(() => {});
}

function showVerdict(model, connected) {
  const silence = model.silence();
  const link = $('#link');
  const lost = silence > STALE_S;
  link.hidden = !lost;
  if (lost) say(link, `This page has heard nothing from the hub for ${age(silence)}${connected ? '' : '; trying again'}. What is shown is that old.`);
  document.documentElement.classList.toggle('lost', lost);
  const verdict = $('#verdict');
  const level = silence > DEAD_S ? 'bad' : lost ? 'stale' : model.state.verdict.level;
  verdict.className = level;
  say($('.sign', verdict), SIGNS[level]);
  if (model.then) return say($('.text', verdict), `Then, ${clock(model.then)}: ${model.state.verdict.text}`);
  const own = model.verifying() ? ' A verification is going on: packets dropped now may be its probes.' : '';
  return say($('.text', verdict), lost ? `Not known for ${age(silence)}. Last: ${model.state.verdict.text}` : model.state.verdict.text + own);
}

function showFigures(model) {
  const { state } = model;
  const edge = state.services.edge ?? state.services.web;
  // Of one that is silent only what it last said is known.
  const known = (names, none) => names.map((name) => (model.fresh(name) ? name : `${name}?`)).join(', ') || none;
  const healthy = state.hosts.filter((host) => model.health(host.name).level === 'ok').length;
  const rows = [
    ['rate', 'requests', edge ? `${rate(edge.rate)}/s` : '–'],
    ['errors', 'errors', edge ? percent(edge.error_share, 2) : '–'],
    ['p99', 'latency p99', ms(edge?.p99_ms)],
    ['hosts', 'hosts well', `${healthy} of ${state.hosts.length}`],
    ['drift', 'count drift', state.reconciliation ? percent(state.reconciliation.drift_share, 2) : '–'],
    ['age', 'data age', age(model.dataAge())],
  ];
  if (state.virtual_ip) rows.splice(4, 0, ['vip', 'virtual IP', known(state.virtual_ip.holders, 'nobody')]);
  if (state.database) rows.splice(4, 0, ['primary', 'primary', known(state.database.primaries, 'none')]);
  const list = $('#figures');
  if (list.children.length !== rows.length) list.replaceChildren(...rows.map(([id, word]) => make('div', { id: `figure-${id}` }, make('dt', {}, word), make('dd'))));
  rows.forEach(([id, , value]) => say($(`#figure-${id} dd`), value));
  $('#figure-age').classList.toggle('old', model.dataAge() > STALE_S);
}

function startViews(hosts) {
  const logs = new Logs(hosts);
  const show = () => {
    const [view, query] = location.hash.slice(1).split('?');
    const isLogs = view === 'logs';
    $('#logs').hidden = !isLogs;
    $('#overview').hidden = isLogs;
    $$('nav [data-view]').forEach((link) => {
      if ((link.dataset.view === 'logs') === isLogs) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    });
    if (isLogs) logs.show(new URLSearchParams(query));
  };
  window.addEventListener('hashchange', show);
  show();
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : window.matchMedia('(prefers-color-scheme: dark)').matches;
}

function setTheme(theme, keep = false) {
  if (theme !== 'light' && theme !== 'dark') return;
  document.documentElement.dataset.theme = theme;
  if (keep) localStorage.setItem(THEME, theme);
}

begin().catch((error) => {
  const verdict = $('#verdict');
  verdict.className = 'bad';
  say($('.sign', verdict), SIGNS.bad);
  say($('.text', verdict), error instanceof Refused ? error.message : `The hub does not answer: ${error.message}`);
});
