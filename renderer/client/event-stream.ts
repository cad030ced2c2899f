/** One event larger than this (characters) is not one of ours. */
const EVENT_LENGTH = 256 * 1024 * 1024;

/**
 * The data of server-sent events, one string an event; comments and other fields are passed over.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export async function* eventData(chunks: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  // A long event comes in many chunks: they are joined once, when its end is there.
  let parts: string[] = [];
  let length = 0;
  let data: string[] = [];
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true });
    parts.push(text);
    length += text.length;
    if (length > EVENT_LENGTH) throw new Error('An event of the stream is too large.');
    if (!text.includes('\n')) continue;
    const lines = parts.join('').split(/\r?\n/);
    const rest = lines.pop() ?? '';
    parts = [rest];
    length = rest.length;
    for (const line of lines) {
      if (line === '' && data.length > 0) {
        yield data.join('\n');
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
    }
  }
}
