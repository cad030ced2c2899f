import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../files/testing/temporary-folder.ts';
import { areLimitsRefused, ownUlimits } from './ulimits.ts';

describe('the limits of this process', () => {
  it('are read as the engine takes them', async () => {
    const path = join(await temporaryFolder(), 'limits');
    const lines = [
      'Limit                     Soft Limit           Hard Limit           Units     ',
      'Max cpu time              unlimited            unlimited            seconds   ',
      'Max processes             unlimited            unlimited            processes ',
      'Max open files            1024                 20000                files     ',
    ];
    await writeFile(path, lines.join('\n'));
    expect(await ownUlimits(path)).toEqual([
      { Name: 'nproc', Soft: 32_768, Hard: 32_768 },
      { Name: 'nofile', Soft: 1_024, Hard: 20_000 },
    ]);
  });

  it('are none where the system does not tell', async () => {
    expect(await ownUlimits('/not/there')).toEqual([]);
  });

  it('are what runc and crun mean when they refuse', () => {
    expect(areLimitsRefused('runc create failed: error setting rlimit type 7: operation not permitted: OCI permission denied')).toBe(true);
    expect(areLimitsRefused('crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied')).toBe(true);
    expect(areLimitsRefused('exec: "rm": executable file not found')).toBe(false);
  });
});
