import { request } from 'node:http';
import { homedir } from 'node:os';
import { z } from 'zod';
import { type EngineAddress, engineAddresses } from '../executor/sockets.ts';

/** How the demo runs its tasks, and a sentence that says why. */
export interface DemoExecution {
  /** Null: on the machine itself. */
  readonly image: string | null;
  readonly why: string;
}

const imagesSchema = z.array(z.object({ RepoTags: z.array(z.string()).nullable() }));

/** A container when an engine answers and has an image with Node; nothing is ever downloaded for the demo. */
export async function chooseExecution(env: Readonly<Record<string, string | undefined>>): Promise<DemoExecution> {
  let answered = false;
  for (const address of engineAddresses(undefined, { platform: process.platform, home: homedir(), environment: env })) {
    const tags = await localImages(address);
    answered ||= tags !== undefined;
    const image = tags?.find((tag) => /(^|\/)node:/.test(tag));
    if (image !== undefined) return { image, why: `in containers of ${image}: a container engine answers and has this image` };
  }
  if (answered)
    return {
      image: null,
      why: 'on this machine itself: a container engine answers, but has no image of Node (`docker pull node:24-slim` gets one)',
    };
  return { image: null, why: 'on this machine itself: no container engine answers' };
}

/** @returns the names of the engine's images; undefined when it does not answer. Docker Engine API, `GET /images/json`. */
function localImages(address: EngineAddress): Promise<string[] | undefined> {
  return new Promise((resolve) => {
    const call = request({ ...address, path: '/images/json', headers: { host: 'localhost' }, timeout: 3_000 }, async (response) => {
      try {
        let text = '';
        for await (const part of response.setEncoding('utf8')) text += part;
        resolve(imagesSchema.parse(JSON.parse(text)).flatMap((image) => image.RepoTags ?? []));
      } catch {
        resolve(undefined);
      }
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
    call.end();
  });
}
