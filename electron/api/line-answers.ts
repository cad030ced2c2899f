import { type Readable, Transform } from 'node:stream';
import { LanyardError } from '../../shared/errors.ts';
import { LIMITS } from '../../shared/limits.ts';

/**
 * Answers a body line by line as it comes: one after the other, each with a line of JSON. Whoever does not read its answers is not read either.
 * @param answer does not throw
 * @returns the answers; fails with TOO_LARGE at a line that is longer than a body may be
 */
export function answerLines(body: Readable, answer: (line: string) => Promise<object>): Transform {
  let rest = '';
  const take = async (text: string) => {
    rest += text;
    if (rest.length > LIMITS.requestBytes) throw new LanyardError({ code: 'TOO_LARGE', message: 'a line of the body is too long' });
    // A long line comes in many parts: it is looked through once, when its end is there.
    if (!text.includes('\n')) return;
    const lines = rest.split('\n');
    rest = lines.pop() as string;
    for (const line of lines) answers.push(`${JSON.stringify(await answer(line))}\n`);
  };
  const answers = new Transform({
    decodeStrings: false,
    transform(text: string, _, done) {
      take(text).then(() => done(), done);
    },
    flush(done) {
      take(rest === '' ? '' : '\n').then(() => done(), done);
    },
  });
  return body.setEncoding('utf8').pipe(answers);
}
