import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import Bonjour from 'bonjour-service';

/**
 * Somebody hostile or broken on the LAN: answers for `_lanyard._tcp` with TXT records that are no announcements, sends
 * packets that are no DNS, and last an announcement that is sound, by which a listener is seen to have come through.
 */
const sound = { v: '1', f: 'farm-1', fn: 'Farm', n: 'last', nn: 'last', r: 'w', s: '0.1.0', p: '7421' };
const garbage: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  empty: {},
  'other-format': { ...sound, v: '2' },
  'bad-id': { ...sound, n: '../../etc/passwd' },
  'no-id': { v: '1', f: 'farm-1', fn: 'Farm', nn: 'x', r: 'w', s: '0.1.0' },
  'control-characters': { ...sound, n: 'control', nn: '\u001b[2Jgone' },
  'bad-port': { ...sound, n: 'port', p: '70000' },
  'bad-roles': { ...sound, n: 'roles', r: 'admin' },
  'long-name': { ...sound, n: 'long', nn: 'x'.repeat(200) },
  'many-strings': { ...sound, n: 'many', ...Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`k${index}`, 'v'])) },
};

const socket = createSocket('udp4');
for (let count = 0; count < 50; count += 1) socket.send(randomBytes(10 + count * 20), 5353, '224.0.0.251');

const bonjour = new Bonjour();
for (const [name, txt] of Object.entries({ ...garbage, last: sound })) {
  bonjour.publish({ name, type: 'lanyard', port: 9, txt, probe: false });
}
