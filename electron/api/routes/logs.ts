import { Readable } from 'node:stream';
import type { ROUTES } from '../../../shared/api.ts';
import { LanyardError } from '../../../shared/errors.ts';
import { attemptId } from '../../../shared/ids.ts';
import type { ApiContext } from '../context.ts';
import { asJsonLines, asText, logRecords } from '../log-text.ts';
import type { Call, HandlersOf, RawAnswer } from '../route-types.ts';

type LogRoute = (typeof ROUTES)['attemptLog'];

export function logHandlers({ farm, logs }: ApiContext): HandlersOf<{ attemptLog: LogRoute }> {
  return {
    attemptLog: ({ params, query, signal }) => {
      const find = () => farm.task(params.job, params.index).attempts.find((one) => one.number === params.number);
      const id = attemptId(params.job, params.index, params.number);
      if (find() === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `there is no attempt ${id}` });
      // The log of an attempt of an earlier life of the coordinator is finished without anybody having said so.
      const isLive = () => query.follow && find()?.finishedAt === null;
      const from = query.format === 'framed' ? query.offset : 0;
      return { ...answerIn(query, logs.read(id, from, isLive, signal)), live: isLive() };
    },
  };
}

function answerIn(query: Call<LogRoute>['query'], framed: AsyncIterable<Uint8Array>): RawAnswer {
  if (query.format === 'framed') {
    if (query.stream !== undefined)
      throw new LanyardError({ code: 'INVALID', message: 'framed records carry all streams', field: 'stream', hint: 'use text or ndjson' });
    return streamOf('application/octet-stream', framed);
  }
  const records = logRecords(framed, query);
  return query.format === 'text'
    ? streamOf('text/plain; charset=utf-8', asText(records))
    : streamOf('application/x-ndjson', asJsonLines(records));
}

function streamOf(type: string, source: AsyncIterable<Uint8Array | string>): RawAnswer {
  return { headers: { 'content-type': type }, body: Readable.from(source, { objectMode: false }) };
}
