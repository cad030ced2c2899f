import { LanyardError } from '../../shared/errors.ts';
import { addressSchema, deviceIdSchema } from '../../shared/trust.ts';

/** What a tool needs to speak with a coordinator: where it is, who it must be, and a token. */
export interface ConnectionString {
  readonly token: string;
  /** `host:port`, an IPv6 address in brackets. */
  readonly address: string;
  /** Fingerprint of the coordinator's key. */
  readonly fingerprint: string;
}

const FORM = /^lanyard\+https:\/\/(?<token>[A-Za-z0-9_-]{1,200})@(?<address>[^@/#]{1,255})#(?<fingerprint>[a-z2-7]{52})$/;

/** `lanyard+https://TOKEN@HOST:PORT#FINGERPRINT`. A secret as the token in it is. */
export function formatConnectionString({ token, address, fingerprint }: ConnectionString): string {
  const text = `lanyard+https://${token}@${address}#${fingerprint}`;
  parseConnectionString(text);
  return text;
}

/** @throws LanyardError INVALID; the message does not repeat the text, which holds a token */
export function parseConnectionString(text: string): ConnectionString {
  const { token = '', address = '', fingerprint = '' } = FORM.exec(text.trim())?.groups ?? {};
  if (!addressSchema.safeParse(address).success || !deviceIdSchema.safeParse(fingerprint).success)
    throw new LanyardError({
      code: 'INVALID',
      message: 'This is not a connection string.',
      hint: 'It looks like lanyard+https://TOKEN@HOST:PORT#FINGERPRINT.',
    });
  return { token, address, fingerprint };
}
