// What the dashboard knows: the state as it was last told, and how old it has become since.
//
// Holds: ages grow by this browser's own clock, so that nothing looks fresh when the hub falls silent.

export const STALE_S = 3;
export const DEAD_S = 10;
const VERIFY_S = 1800;
const WORD = { ok: 'well', warn: 'needs care', bad: 'down', stale: 'stale', unseen: 'never heard of' };

export class Model {
  constructor(full) {
    this.facts = new Map(full.hosts.map((host) => [host.name, { roles: host.roles, address: host.address }]));
    this.name = full.name;
    this.domains = full.domains;
    this.flows = new Map((full.picture?.flows ?? []).map((flow) => [flow.name, flow]));
    this.previous = null;
    this.then = null;
    this.events = [];
    this.take(full, Date.now());
  }

  take(state, at) {
    this.previous = this.state ?? null;
    this.state = state;
    this.at = at;
    this.hosts = new Map(state.hosts.map((host) => [host.name, host]));
    for (const event of state.events ?? []) this.noteEvent(event);
  }

  /** The state of a moment of the past: nothing ages in it. */
  takeThen(state, then) {
    this.take({ ...state, events: [] }, Date.now());
    this.previous = null;
    this.then = then;
  }

  noteEvent(event) {
    if (this.events.some((known) => known.host === event.host && known.seq === event.seq)) return;
    this.events.push(event);
    this.events.sort((one, other) => other.t - one.t);
    this.events.length = Math.min(this.events.length, 500);
  }

  /** Seconds since the hub last spoke. */
  silence() { return this.then ? 0 : Math.max(0, (Date.now() - this.at) / 1000); }

  dataAge() { return this.state.data_age_s + this.silence(); }

  hostAge(name) {
    const host = this.hosts.get(name);
    return host?.age_s == null ? null : host.age_s + this.silence();
  }

  /** `{level, word, text}` of a host: what its shape and its line of text say. */
  health(name) {
    const host = this.hosts.get(name);
    const seconds = this.hostAge(name);
    if (!host || seconds === null) return { level: 'unseen', word: WORD.unseen, text: 'nothing heard yet' };
    const rounded = seconds < 10 ? seconds.toFixed(0) : Math.round(seconds);
    if (host.state === 'dead' || seconds > DEAD_S) return { level: 'bad', dead: true, word: 'silent', text: `silent for ${rounded} s` };
    if (!this.fresh(name)) return { level: 'stale', word: WORD.stale, text: `data ${rounded} s old` };
    if (host.failed_units.length) return { level: 'warn', word: WORD.warn, text: `${host.failed_units[0]} failed` };
    return { level: 'ok', word: WORD.ok, text: glance(host) };
  }

  /** Whether `bastide verify` has said in some journal that it began, and not yet that it ended. */
  verifying() {
    const now = this.then ?? Date.now() / 1000;
    const told = new Set();
    return this.events.some((event) => {
      if (event.type !== 'verify' || event.t > now || told.has(event.host)) return false;
      told.add(event.host);
      return event.fields?.state === 'began' && event.t > now - VERIFY_S;
    });
  }

  /** Packets that a host's wall dropped since the state before. */
  dropped(name) {
    const old = this.previous?.hosts.find((host) => host.name === name)?.dropped?.in;
    const now = this.hosts.get(name)?.dropped?.in;
    return old == null || now == null || now < old ? 0 : now - old;
  }

  /** A service's rate on a host; 0 where nothing is known. */
  rate(name, service) { return this.fresh(name) ? this.hosts.get(name)?.services?.[service]?.rate ?? 0 : 0; }

  errorShare(name, service) { return this.hosts.get(name)?.services?.[service]?.error_share ?? 0; }

  /** The hub judges a host's silence, patient with one that is always late; its own silence is for us to see. */
  fresh(name) { return this.hosts.get(name)?.state === 'fresh' && this.silence() <= STALE_S; }
}

function glance(host) {
  if (host.database === 'replica') return host.lag_s == null ? 'replica, lag not known' : `replica, ${host.lag_s.toFixed(1)} s behind`;
  const words = [host.database ?? `cpu ${Math.round((host.gauges.cpu ?? 0) * 100)} %`];
  const busiest = Object.values(host.services ?? {}).reduce((most, figures) => Math.max(most, figures.rate ?? 0), 0);
  if (Object.keys(host.services ?? {}).length) words.push(`${busiest >= 10 ? busiest.toFixed(0) : busiest.toFixed(1)}/s`);
  return words.join(' · ');
}
