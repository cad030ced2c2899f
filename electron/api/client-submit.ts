import type { ClientRequest, IncomingMessage } from 'node:http';
import { z } from 'zod';
import { ROUTES } from '../../shared/api.ts';
import { errorSchema, LanyardError } from '../../shared/errors.ts';
import type { SubmissionResult, SubmitterOptions } from '../../shared/submitter.ts';
import { textOf } from './client-fetch.ts';
import { asUnavailable, errorIn, type Http, jsonIn } from './client-http.ts';

/** How long one stream is written to (ms): it ends long before a coordinator would end it, and soon after the last submission. */
const STREAM_MS = 60_000;

const { method, path } = ROUTES.submitStream;
const WHAT = `${method} ${path}`;
const lineSchema = z.union([ROUTES.submitJobs.answer, z.object({ error: errorSchema })]);

interface Waiting {
  resolve(results: readonly SubmissionResult[]): void;
  reject(error: unknown): void;
}

/** Sends the requests of a submitter as lines of one that stays open, which spares all but the first what a request costs at both ends. */
export function createStreamSender(http: Http): SubmitterOptions['send'] {
  let stream: SubmissionStream | undefined;
  return (jobs) => {
    if (stream === undefined || stream.isOver) stream = new SubmissionStream(http);
    return stream.send(`{"jobs":[${jobs.join()}]}\n`);
  };
}

class SubmissionStream {
  private readonly http: Http;
  private readonly request: ClientRequest;
  /** Whose answers are to come, in their order. */
  private readonly waiting: Waiting[] = [];
  private readonly timer: NodeJS.Timeout;
  isOver = false;

  constructor(http: Http) {
    this.http = http;
    const { request, answered } = http.open({ method, path, headers: { 'content-type': 'application/x-ndjson' } });
    this.request = request;
    this.timer = setTimeout(() => this.end(), STREAM_MS).unref();
    request.on('error', (error) => this.fail(error));
    answered.then((response) => this.read(response)).catch((error: unknown) => this.fail(error));
  }

  send(line: string): Promise<readonly SubmissionResult[]> {
    this.request.write(line);
    // Only a program that waits for an answer is kept alive.
    this.request.socket?.ref();
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
    });
  }

  /** @throws LanyardError what was answered instead of a stream */
  private async read(response: IncomingMessage): Promise<void> {
    if (response.statusCode !== 200) throw errorIn(response.statusCode ?? 0, await textOf(response));
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) this.answer(line);
      if (this.waiting.length === 0) response.socket.unref();
    });
    response.on('error', (error) => this.fail(error));
    response.once('close', () => this.fail(new Error('the answer broke off')));
  }

  private answer(line: string): void {
    const waiting = this.waiting.shift();
    try {
      const answer = this.http.parse(lineSchema, jsonIn(line, WHAT), WHAT);
      if ('error' in answer) waiting?.reject(new LanyardError(answer.error));
      else waiting?.resolve(answer.results as readonly SubmissionResult[]);
    } catch (error) {
      waiting?.reject(error);
    }
  }

  /** What was sent is still answered. */
  private end(): void {
    this.isOver = true;
    this.request.end();
  }

  private fail(error: unknown): void {
    this.isOver = true;
    clearTimeout(this.timer);
    for (const { reject } of this.waiting.splice(0)) reject(asUnavailable(error, this.http.url));
    this.request.destroy();
  }
}
