import type { z } from 'zod';
import { createRecent } from './recent.ts';

/** The longest text that is remembered (UTF-16 units). */
const KEPT_LENGTH = 4_096;

export type Parse<Value> = (value: unknown) => z.ZodSafeParseResult<Value>;

/**
 * Parses as `schema` does. What says the same, to the letter, as something not long before gets the same object: a specification, and
 * what is made of it, often comes again and again, and to check it costs more than all else that is done about it.
 * @param kept how many texts are surely remembered
 */
export function createRepeatedParse<Value>(schema: z.ZodType<Value>, kept: number): Parse<Value> {
  const recent = createRecent<string, z.ZodSafeParseSuccess<Value>>(kept);
  return (value) => {
    const text = textOf(value);
    const known = text === undefined ? undefined : recent.get(text);
    if (known !== undefined) return known;
    const result = schema.safeParse(value);
    if (result.success && text !== undefined && text.length <= KEPT_LENGTH) recent.set(text, result);
    return result;
  };
}

/** @returns undefined for what no text says, and for what is nested deeper than can be written, although it could be read */
function textOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
