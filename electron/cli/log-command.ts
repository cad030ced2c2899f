import type { AttemptId } from '../../shared/ids.ts';
import type { LogRecord, LogStream } from '../../shared/protocol.ts';
import type { Context, Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { followLogs, type RecordSink, readLogs } from './log-follow.ts';
import { parseTarget } from './targets.ts';
import { createLogFilter } from './text.ts';

export interface LogOptions {
  readonly follow?: boolean;
  readonly raw?: boolean;
  readonly stream?: LogStream;
}

/** Prints logs: bytes as they are into files and pipes, made harmless on a terminal, NDJSON with `--json`. */
export const logs: Handler<LogOptions> = async (context, [id = ''], options) => {
  const target = parseTarget(id, 3);
  const client = await context.connect();
  const many =
    target.index === undefined && (await client.call('getJob', { params: { job: target.job }, signal: context.signal })).taskCount > 1;
  const printer = createLogPrinter(context, { many, raw: options.raw === true || !context.terminal.stdoutIsTerminal });
  const sink: RecordSink = async (attempt, record) => {
    if (options.stream === undefined || record.stream === options.stream) await printer.print(attempt, record);
  };
  try {
    await (options.follow === true ? followLogs : readLogs)(client, target, sink, context.signal);
  } finally {
    await printer.end();
  }
  return EXIT.ok;
};

/** Longest beginning of a line that waits for its end before it is printed. */
const HELD_LENGTH = 8_192;

export interface LogPrinter {
  print(attempt: AttemptId, record: LogRecord): Promise<void>;
  end(): Promise<void>;
}

/**
 * @param options.many logs of several tasks are mixed: whole lines, each with the task it comes from
 * @param options.raw nothing is filtered out
 */
export function createLogPrinter(context: Context, options: { readonly many: boolean; readonly raw: boolean }): LogPrinter {
  const { terminal } = context;
  const voices = new Map<string, Voice>();
  const voiceOf = (attempt: AttemptId, stream: LogStream): Voice => {
    const key = `${attempt} ${stream}`;
    const voice = voices.get(key) ?? createVoice(attempt, options.raw, terminal.colours);
    voices.set(key, voice);
    return voice;
  };
  const prefix = (task: string) => terminal.style(`[${task}] `, 'dim');
  return {
    async print(attempt, record) {
      if (context.options.json === true) {
        const text = voiceOf(attempt, record.stream).decode(record.bytes);
        return terminal.write(`${JSON.stringify({ attempt, stream: record.stream, time: record.time, text })}\n`);
      }
      if (options.raw && !options.many) return terminal.write(record.bytes);
      const voice = voiceOf(attempt, record.stream);
      const text = voice.filter(voice.decode(record.bytes));
      if (!options.many) return terminal.write(text);
      for (const line of voice.lines(text)) await terminal.write(`${prefix(voice.task)}${line}\n`);
    },
    async end() {
      for (const voice of voices.values()) {
        for (const line of voice.rest()) await terminal.write(`${prefix(voice.task)}${line}\n`);
        if (!options.many) await terminal.write(voice.colourReset());
      }
    },
  };
}

type Voice = ReturnType<typeof createVoice>;

/** One stream of one attempt: its half characters, half sequences and half lines. */
function createVoice(attempt: AttemptId, raw: boolean, colours: boolean) {
  const decoder = new TextDecoder();
  const logFilter = createLogFilter(colours);
  let held = '';
  return {
    task: attempt.replace(/\.\d+$/, ''),
    decode: (bytes: Uint8Array) => decoder.decode(bytes, { stream: true }),
    filter: (text: string) => (raw ? text : logFilter.push(text)),
    lines(text: string): string[] {
      const lines = (held + text).split('\n');
      held = lines.pop() as string;
      if (held.length > HELD_LENGTH) lines.push(...this.rest());
      return lines.map((line) => line + logFilter.end());
    },
    rest(): string[] {
      const rest = held === '' ? [] : [held];
      held = '';
      return rest;
    },
    colourReset: () => logFilter.end(),
  };
}
