// One EventSource for all tabs of a browser: servers and browsers allow few connections, tabs are many.
//
// In: nothing. Out: `onState(state, receivedAt)`, `onLink(connected)`, `onRefused()`.
// Holds: the tab that has the lock listens and tells the others; when it closes, the next one gets the lock.

const CHANNEL = 'bastide-stream';
const RETRY_MS = 2000;

export function watchStream({ onState, onLink, onRefused }) {
  const channel = 'BroadcastChannel' in window ? new BroadcastChannel(CHANNEL) : null;
  let last = null;
  let leading = false;

  const deliver = (message) => {
    if (message.kind === 'state') {
      last = message;
      onState(message.state, message.at);
    } else if (message.kind === 'link') onLink(message.connected);
    else if (message.kind === 'refused') onRefused();
  };
  const spread = (message) => {
    deliver(message);
    channel?.postMessage(message);
  };
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (data.kind === 'hello') {
        if (leading && last) channel.postMessage(last);
      } else deliver(data);
    };
    channel.postMessage({ kind: 'hello' });
  }

  const listen = () => {
    leading = true;
    document.documentElement.dataset.stream = 'leader';
    const source = new EventSource('/api/stream');
    source.addEventListener('open', () => spread({ kind: 'link', connected: true }));
    source.addEventListener('state', ({ data }) => spread({ kind: 'state', state: JSON.parse(data), at: Date.now() }));
    source.addEventListener('error', async () => {
      spread({ kind: 'link', connected: false });
      // The browser tries again by itself unless the answer was a refusal.
      if (source.readyState !== EventSource.CLOSED) return;
      const refused = await fetch('/api/session').then((response) => response.status === 401, () => false);
      if (refused) spread({ kind: 'refused' });
      else setTimeout(listen, RETRY_MS);
    });
  };
  // Locks exist in secure contexts; without them each tab listens for itself.
  if (!navigator.locks) listen();
  else {
    document.documentElement.dataset.stream = 'follower';
    navigator.locks.request(CHANNEL, () => new Promise(() => listen()));
  }
}
