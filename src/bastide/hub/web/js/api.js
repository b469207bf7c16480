// Requests to the hub. A refusal becomes an error with the hub's own words.

let csrf = '';

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== '' && value != null));
  const text = query.toString();
  return answer(await fetch(text ? `${path}?${text}` : path, { headers: { accept: 'application/json' } }));
}

export async function tell(path, body) {
  const headers = { 'content-type': 'application/json', 'x-bastide-csrf': csrf };
  return answer(await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) }));
}

export async function fetchPicture() {
  const response = await fetch('/api/picture.svg');
  if (!response.ok) throw new Refused(response.status, 'picture', 'This monitor has no picture yet: bastide apply brings it.');
  return response.text();
}

/** Who we are, or null when nobody is logged in. */
export async function readSession() {
  try {
    const session = await ask('/api/session');
    csrf = session.csrf;
    return session;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return null;
    throw error;
  }
}

async function answer(response) {
  let body = {};
  try { body = await response.json(); } catch { /* an answer of a proxy's own */ }
  if (!response.ok) throw new Refused(response.status, body.error ?? '', body.message ?? `status ${response.status}`);
  return body;
}
