import { mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, LanyardError } from '../../shared/errors.ts';
import { LIMITS } from '../../shared/limits.ts';
import { type Template, type TemplateView, templateIdSchema, templateSchema, templateView } from '../../shared/template.ts';
import { errorCode, replaceFile } from '../disk.ts';
import type { Templates } from '../ports/files.ts';
import type { Logger } from '../ports/system.ts';
import { BUILT_IN_TEMPLATES } from './built-in-templates.ts';

/**
 * Templates as files `ID.json` of a folder, over those that come with the program. The files are read whenever they are asked
 * for, so that one can be dropped into the folder by hand.
 */
export function openTemplates(folder: string, logger: Logger): Templates {
  const builtIn = new Map(
    Object.entries(BUILT_IN_TEMPLATES).map(([id, file]) => [id, templateView(id, 'built-in', templateSchema.parse(file))]),
  );
  const pathOf = (id: string) => join(folder, `${id}.json`);

  const own = async (id: string): Promise<TemplateView | undefined> => {
    const template = await readTemplateFile(pathOf(id));
    return template === undefined ? undefined : templateView(id, 'farm', template);
  };

  return {
    async list() {
      const all = new Map<string, TemplateView>(builtIn);
      for (const id of await ownIds(folder)) {
        try {
          const found = await own(id);
          if (found !== undefined) all.set(id, found);
        } catch (error) {
          logger.warn('a file is not a template and is left out', { path: pathOf(id), error: (error as Error).message });
        }
      }
      return [...all.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
    },
    async get(id) {
      const found = (await own(id)) ?? builtIn.get(id);
      if (found === undefined) throw noTemplate(id);
      return found;
    },
    async put(id, template) {
      await mkdir(folder, { recursive: true });
      const ids = await ownIds(folder);
      if (!ids.includes(id) && ids.length >= LIMITS.templates)
        throw new LanyardError({ code: 'TOO_MANY', message: `the farm has ${ids.length} templates already`, hint: 'remove one' });
      const text = `${JSON.stringify(template, null, 2)}\n`;
      if (Buffer.byteLength(text) > LIMITS.templateBytes)
        throw new LanyardError({ code: 'TOO_LARGE', message: `a template may have ${LIMITS.templateBytes} bytes at most` });
      await replaceFile(pathOf(id), text);
      return templateView(id, 'farm', template);
    },
    async remove(id) {
      try {
        await unlink(pathOf(id));
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') throw error;
        if (!builtIn.has(id)) throw noTemplate(id);
        throw new LanyardError({ code: 'CONFLICT', message: `the template ${id} comes with the program and cannot be removed` });
      }
    },
  };
}

/**
 * @returns the template of a file; undefined when there is no such file
 * @throws LanyardError INVALID naming the file and what is wrong with it
 */
export async function readTemplateFile(path: string): Promise<Template | undefined> {
  const text = await readBounded(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new LanyardError({ code: 'INVALID', message: `${path} is not JSON: ${(cause as Error).message}` }, { cause });
  }
  const result = templateSchema.safeParse(value);
  if (!result.success) throw invalid(result.error, `the template ${path}`);
  return result.data;
}

async function readBounded(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (handle === undefined) return undefined;
  try {
    const info = await handle.stat();
    if (!info.isFile() || info.size > LIMITS.templateBytes)
      throw new LanyardError({ code: 'INVALID', message: `${path} is no file of at most ${LIMITS.templateBytes} bytes` });
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** At most as many as a farm may have, in the order of their names. */
async function ownIds(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .filter((id) => templateIdSchema.safeParse(id).success)
    .sort()
    .slice(0, LIMITS.templates);
}

function noTemplate(id: string): LanyardError {
  return new LanyardError({ code: 'NOT_FOUND', message: `there is no template ${id}`, hint: '`lanyard templates` lists them' });
}
