import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The far end of a program under measurement: it answers each question with one message. */
export interface Program<Question, Answer> {
  readonly process: ChildProcess;
  ask(question: Question): Promise<Answer>;
  end(): Promise<void>;
}

/**
 * Starts one of `programs/` as a process of its own.
 * @param options what it needs, as JSON
 */
export function startProgram<Question extends object, Answer>(
  file: URL,
  options: object,
  flags: readonly string[] = [],
): Program<Question, Answer> {
  const child = fork(fileURLToPath(file), [JSON.stringify(options)], { execArgv: [...process.execArgv, ...flags] });
  const exited = once(child, 'exit');
  return {
    process: child,
    async ask(question) {
      const failed = exited.then(([code]) => Promise.reject(new Error(`${file.pathname} ended with ${code}`)));
      child.send(question);
      const [answer] = (await Promise.race([once(child, 'message'), failed])) as [Answer];
      return answer;
    },
    async end() {
      if (child.exitCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

/** The program's side: an answer to each question. It ends with whoever started it. */
export function serve<Question, Answer>(answer: (question: Question) => Promise<Answer> | Answer): void {
  process.once('disconnect', () => process.exit());
  process.on('message', async (question: Question) => {
    process.send?.(await answer(question));
  });
}

export function programOptions<Options>(): Options {
  return JSON.parse(process.argv[2] ?? '{}') as Options;
}
