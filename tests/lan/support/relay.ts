import { connect, createServer } from 'node:net';

/** Runs on a host: what comes to the unix socket `path`, which all network namespaces share, goes to a loopback port of this one. */
const [path = '', port = ''] = process.argv.slice(2);
createServer((near) => {
  const far = connect(Number(port), '127.0.0.1');
  near.on('error', () => far.destroy());
  far.on('error', () => near.destroy());
  near.pipe(far).pipe(near);
}).listen(path, () => process.stdout.write('ready\n'));
