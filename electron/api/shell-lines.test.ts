import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { shellLines } from './shell-lines.ts';

describe('shellLines', () => {
  it('gives a shell back exactly what went in', () => {
    const command = `echo "it's $HOME" \`id\` $(id); rm -rf / \\\nsecond line`;
    const lines = shellLines({ job: { id: '12.0.1', command, cpu: 2.5, image: null, outputs: ['*.png', 'a b'], env: { PATH: '/evil' } } });
    const out = execFileSync('sh', ['-c', `${lines}\nprintf '%s|%s|%s|%s' "$id" "$command" "$cpu" "$outputs"`], { encoding: 'utf8' });
    expect(out).toBe(`12.0.1|${command}|2.5|*.png\na b`);
    expect(lines).not.toContain('evil');
  });

  it('prints nothing but assignments', () => {
    expect(shellLines({ 'x; rm -rf /': '1', IFS: ',', PATH: '/evil', good: true })).toBe("good='true'\n");
    expect(shellLines({ job: null })).toBe("job=''\n");
    expect(shellLines(null)).toBe('');
  });
});
