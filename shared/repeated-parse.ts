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
    const text = JSON.stringify(value) ?? '';
    const known = recent.get(text);
    if (known !== undefined) return known;
    const result = schema.safeParse(value);
    if (result.success && text.length <= KEPT_LENGTH) recent.set(text, result);
    return result;
  };
}
