import { describe, expect, test } from 'vitest';
import { createTerminal, layOut } from './terminal.ts';
import { recordingStream } from './testing.ts';

const plainly = (text: string) => text;

describe('tables', () => {
  test('columns are aligned by what is shown, numbers to the right', () => {
    const rows = layOut(
      [{ title: 'ID', align: 'right' }, { title: 'NAME' }, { title: 'STATE' }],
      [
        ['1', '世界', 'RUNNING'],
        ['12', 'abc', 'QUEUED'],
      ],
      undefined,
      plainly,
    );
    expect(rows).toEqual(['ID  NAME  STATE', ' 1  世界  RUNNING', '12  abc   QUEUED']);
  });

  test('a narrow terminal shortens flexible columns only, the widest first', () => {
    const rows = layOut([{ title: 'NAME', flexible: true }, { title: 'STATE' }], [['a very long name of a job', 'COMPLETED']], 24, plainly);
    expect(rows).toEqual(['NAME           STATE', 'a very long …  COMPLETED']);
  });

  test('control characters of a cell cannot reach the terminal', () => {
    expect(layOut([{ title: 'NAME' }], [['a\u001b[2Jb\nc']], undefined, plainly)[1]).toBe('a [2Jb c');
  });
});

describe('the terminal', () => {
  const on = (env: Record<string, string>, stdoutTerminal: boolean, stderrTerminal = stdoutTerminal) => {
    const stdout = recordingStream(stdoutTerminal ? { columns: 80 } : undefined);
    const stderr = recordingStream(stderrTerminal ? { columns: 20 } : undefined);
    return { stdout, stderr, terminal: createTerminal({ stdout, stderr, env }) };
  };

  test('colours are for terminals whose user did not decline them', () => {
    expect(on({}, true).terminal.style('x', 'red')).toBe('\u001b[31mx\u001b[0m');
    expect(on({ NO_COLOR: '1' }, true).terminal.style('x', 'red')).toBe('x');
    expect(on({ NO_COLOR: '' }, true).terminal.colours).toBe(true);
    expect(on({ TERM: 'dumb' }, true).terminal.style('x', 'red')).toBe('x');
    expect(on({}, false).terminal.style('x', 'red')).toBe('x');
  });

  test('progress is only for terminals, fits one line, and makes room for what follows', () => {
    const { terminal, stdout, stderr } = on({}, true);
    terminal.progress('a text that is longer than the line');
    terminal.line('result');
    expect(stderr.text).toBe('a text that is lon…\r\u001b[2K');
    expect(stdout.text).toBe('result\n');
    const piped = on({}, false);
    piped.terminal.progress('working');
    expect(piped.stderr.text).toBe('');
  });

  test('results and notes go different ways', () => {
    const { terminal, stdout, stderr } = on({}, false);
    terminal.json({ a: 1 }, 'compact');
    terminal.note('by the way');
    expect([stdout.text, stderr.text]).toEqual(['{"a":1}\n', 'by the way\n']);
  });
});
