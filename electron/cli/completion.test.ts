import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { completionScript, completionTree, SHELLS } from './completion.ts';
import { createProgram } from './program.ts';

const program = createProgram('0.0.0', async () => undefined);
const tree = completionTree(program);
const script = completionScript(tree, 'bash');

/** What bash offers for the last of these words. */
function offered(...line: string[]): string[] {
  const words = ['lanyard', ...line];
  const test = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _lanyard; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const result = spawnSync('bash', ['--norc', '-c', test], { encoding: 'utf8' });
  expect(result.stderr).toBe('');
  return result.stdout.split('\n').filter((word) => word !== '');
}

describe('completion for bash', () => {
  test('is valid bash', () => {
    const result = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
    expect([result.status, result.stderr]).toEqual([0, '']);
  });

  test('offers every command', () => {
    expect(offered('')).toEqual(program.commands.map((command) => command.name()));
    expect(offered('re')).toEqual(['refuse', 'retry', 'release', 'remove', 'remove-template', 'resume', 'receipts']);
  });

  test('offers the options of the command, and the global ones', () => {
    expect(offered('submit', '--wa')).toEqual(['--wait', '--wait-timeout']);
    expect(offered('--url', 'http://x', 'logs', '--f')).toEqual(['--follow']);
    expect(offered('nodes', '--js')).toEqual(['--json']);
  });

  test('offers the values of an option or operand that has a choice', () => {
    expect(offered('jobs', '--order', 'o')).toEqual(['oldest']);
    expect(offered('completion', '')).toEqual([...SHELLS]);
  });

  test('offers subcommands, and their options', () => {
    expect(offered('farm', '')).toEqual(['create', 'leave']);
    expect(offered('coordinator', 't')).toEqual(['take']);
    expect(offered('token', 'create', '--da')).toEqual(['--data', '--days']);
    expect(offered('token', 'create', 'ci', '--role', 's')).toEqual(['submitter']);
  });

  test('leaves files to bash', () => {
    expect(offered('submit', '')).toEqual([]);
    expect(offered('submit', '--download', '')).toEqual([]);
    expect(offered('submit', '--', 'ec')).toEqual([]);
  });
});

test.each(['zsh', 'fish'])('the script for %s names every command and every option', (shell) => {
  const text = completionScript(tree, shell);
  for (const command of tree.commands) {
    expect(text).toContain(command.name);
    for (const option of command.options)
      for (const flag of option.flags) expect(text).toContain(shell === 'fish' ? flag.replace(/^-+/, '') : flag);
  }
});

test('another shell is refused', () => {
  expect(() => completionScript(tree, 'csh')).toThrow(/bash, zsh, fish/);
});
