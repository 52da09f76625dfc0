// Sends with hot-shots to host:port and prints the ledger of what it called, one JSON object a line.
//
//   node send.js host port prefix single|buffered
'use strict';

const StatsD = require('hot-shots');

const [host, port, prefix, mode] = process.argv.slice(2);

// Every call a datagram of its own, or lines packed into datagrams. The latter aggregates counters,
// gauges and sets in the client, adds the container and the client's telemetry.
const rounds = mode === 'buffered' ? 300 : 30;
const options = mode === 'buffered' ? {
  maxBufferSize: 1432, aggregation: true, datadog: true, containerID: 'ci-0123456789abcdef', cardinality: 'low',
} : {};

const fail = err => {
  if (err) {
    console.error(err);
    process.exit(1);
  }
};
const client = new StatsD({ host, port: Number(port), prefix: `${prefix}.`, errorHandler: fail, ...options });
const child = client.childClient({ globalTags: { region: 'north' } });

const write = entry => process.stdout.write(`${JSON.stringify(entry)}\n`);
const value = (type, name, tags, v) => write({ type, name: `${prefix}.${name}`, tags, value: v });

// The changes below start from here, whatever the gateway remembers.
let level = 100;
client.gauge('level', level);
for (let i = 0; i < rounds; i++) {
  const shop = `shop:s${i % 4}`;
  const n = i % 7;
  client.increment('orders', n, [shop]);
  value('c', 'orders', [shop], n);
  client.increment('visits');
  value('c', 'visits', [], 1);
  child.increment('child.orders', n, { shop: `s${i % 4}`, zone: 'z' });
  value('c', 'child.orders', ['region:north', shop, 'zone:z'], n);
  // Sampled by chance: what was sent, the wire tells.
  client.increment('sampled', 2, 0.5);
  client.timing('sampled.time', n, 0.25, [shop]);
  client.timing('time', n / 4);
  value('ms', 'time', [], n / 4);
  child.histogram('child.size', n, [shop]);
  value('h', 'child.size', ['region:north', shop], n);
  client.distribution('spread', -n, ['a:b']);
  value('d', 'spread', ['a:b'], -n);
  client.gauge('queue', n, [shop]);
  value('g', 'queue', [shop], n);
  level += 3 - n;
  client.gaugeDelta('level', 3 - n);
  value('g', 'level', [], level);
  client.set('members', `m${i % 30}`);
  write({ type: 's', name: `${prefix}.members`, tags: [], member: `m${i % 30}` });
}
const at = 1577836700;
for (let i = 0; i < 5; i++) {
  client.increment('late', i, { timestamp: at + i });
  write({ type: 'c', name: `${prefix}.late`, tags: [], value: i, seconds: at + i });
  client.gauge('early', i, { timestamp: at + i, tags: ['a:b'] });
  write({ type: 'g', name: `${prefix}.early`, tags: ['a:b'], value: i, seconds: at + i });
}
// Not monotonic.
client.decrement('down');
client.event('a title', 'a text\nof two lines', { alert_type: 'warning', priority: 'low' }, ['a:b']);
client.check('door', client.CHECKS.WARNING, { message: 'stuck' }, ['a:b']);
client.close(fail);
